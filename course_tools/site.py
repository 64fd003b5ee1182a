"""Builds the site from the stored outputs of the lessons into build/site/; nothing runs, nothing is fetched.

    python -m course_tools site                 build, then check links, anchors, alternative texts and sizes
    python -m course_tools site --into FOLDER   the same, into another folder

Where the repository's address is known (COURSE_REPOSITORY, or [project.urls] Repository in pyproject.toml), every
page offers Colab and Binder. `docs/conf.py` takes what changes with the lessons from the functions here.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

from course_tools.bootstrap import FIRST_LINE
from course_tools.plan import plan

REPOSITORY = Path(__file__).resolve().parents[1]


@dataclass
class Lesson:
    """What a lesson says about itself: in its first cell, and in the notebook's metadata."""

    name: str  # the file's, without .ipynb
    title: str
    question: str
    outcomes: list[str]
    core: int  # minutes of class
    optional: int
    minutes: float | None  # that it ran on the reference machine
    budget_seconds: float | None
    plan: str  # the ninety minutes, as a table


def add_arguments(parser) -> None:
    parser.add_argument("--into", type=Path, default=REPOSITORY / "build" / "site", metavar="FOLDER")


def main(arguments) -> int:
    """Builds and checks the site; returns the exit code."""
    import myst_nb  # noqa: F401 - the sphinx of another environment would fail late and say less
    import sphinx  # noqa: F401

    from course_tools.site_checks import html_pages, page_problems, size_problems

    folder, began = arguments.into.resolve(), time.perf_counter()
    work = folder.parent / f"{folder.name}_work"  # what Sphinx keeps beside the pages
    for old in (folder, work):
        shutil.rmtree(old, ignore_errors=True)
    options = ["-q", "-W", "--keep-going", "-n", "-b", "html", "-c", REPOSITORY / "docs", "-d", work / "doctrees"]
    # Into the work folder first, so that myst-nb's files beside the pages stay there too.
    code = subprocess.call([sys.executable, "-m", "sphinx", *options, REPOSITORY, work / "html"], cwd=REPOSITORY)
    if code:
        return code
    os.replace(work / "html", folder)
    shutil.rmtree(work)
    problems = page_problems(folder) + size_problems(folder)
    print(*problems, sep="\n", end="\n" if problems else "")
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    seconds = time.perf_counter() - began
    print(f"{len(html_pages(folder))} pages, {size:.1f} MB, {seconds:.0f} s: {os.path.relpath(folder)}")
    return int(bool(problems))


def sources() -> list[Path]:
    """The files of this checkout that the site is made from."""
    folders = {"docs": "*", "notebooks": "**/*.ipynb", "data": "README.md", "data/runs": "*.json"}
    found = [path for folder, pattern in folders.items() for path in (REPOSITORY / folder).glob(pattern)]
    found += [*(REPOSITORY / "docs" / "static").iterdir(), *(REPOSITORY / "docs" / "templates").iterdir()]
    return [path for path in found if path.is_file()]


def repository(pyproject: Path = REPOSITORY / "pyproject.toml") -> str:
    """The repository's address, such as https://github.com/NAME/COURSE, or "" while nobody has said it.

    A fork changes it in one place: the environment variable COURSE_REPOSITORY (its workflows set it to the
    fork's own address), else `Repository` in pyproject's [project.urls].
    """
    urls = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"].get("urls", {})
    address = os.environ.get("COURSE_REPOSITORY", "") or urls.get("Repository", "")
    address = address.strip().rstrip("/").removesuffix(".git")
    if address and not re.fullmatch(r"https://[\w.-]+(:\d+)?(/[\w.~-]+){2,}", address):
        raise ValueError(f"COURSE_REPOSITORY must look like https://github.com/NAME/COURSE, got {address!r}")
    return address


def launch_links(page: str, address: str, branch: str) -> dict[str, str]:
    """Where `page` ("notebooks/02_receptive_fields") opens in Colab and in Binder; pages without code open lesson 0.

    Colab opens the copy on the branch `colab` (see `course_tools colab`), Binder a checkout of `branch`. Colab reads
    from GitHub only, Binder from any host; without an address there are no links.
    """
    if not address:
        return {}
    notebook = f"{page}.ipynb" if page.startswith("notebooks/") else "notebooks/00_before_you_start.ipynb"
    *_, owner, name = address.split("/")
    links = {}
    place = f"git/{address.replace(':', '%3A').replace('/', '%2F')}/{branch.replace('/', '%2F')}"
    if address == f"https://github.com/{owner}/{name}":
        links["Colab"] = f"https://colab.research.google.com/github/{owner}/{name}/blob/colab/{notebook}"
        place = f"gh/{owner}/{name}/{branch.replace('/', '%2F')}"
    links["Binder"] = f"https://mybinder.org/v2/{place}?urlpath=lab/tree/{notebook}"
    return links


def lessons(folder: Path = REPOSITORY / "notebooks") -> list[Lesson]:
    """The lessons in order."""
    return [describe(path) for path in sorted(folder.glob("*.ipynb"))]


def describe(path: Path) -> Lesson:
    """Reads what the lesson at `path` says about itself."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    first = "".join(notebook["cells"][0]["source"])
    question = re.search(r"^\*\*The question\.\*\* (.+)$", first, re.MULTILINE)
    outcomes = re.search(r"^\*\*Afterwards you can\*\*\n\n((?:- .+\n?)+)", first, re.MULTILINE)
    rows = re.findall(r"^\|.*\| *(core|optional) *\| *(\d+) *\|$", first, re.MULTILINE)
    course = notebook["metadata"].get("course", {})
    return Lesson(
        name=path.stem,
        title=first.splitlines()[0].removeprefix("# "),
        question=question[1] if question else "",
        outcomes=re.findall(r"^- (.+?)[;.]?$", outcomes[1], re.MULTILINE) if outcomes else [],
        core=sum(int(minutes) for kind, minutes in rows if kind == "core"),
        optional=sum(int(minutes) for kind, minutes in rows if kind == "optional"),
        minutes=course.get("minutes"),
        budget_seconds=course.get("budget_seconds"),
        plan=plan(first, course.get("sections", {})),
    )


def cards(every: list[Lesson]) -> str:
    """The landing page's path: a card for each lesson with its question, and its minutes of class and of running."""
    parts = ["::::{grid} 1 1 2 2", ":gutter: 3", ""]
    for lesson in every:
        minutes = [f"{lesson.core} minutes of class"] if lesson.core else []
        minutes += [f"runs in {lesson.minutes:g} min"] if lesson.minutes is not None else []
        parts += [f":::{{grid-item-card}} {lesson.title}", f":link: ../notebooks/{lesson.name}", ":link-type: doc"]
        parts += ["", lesson.question, "", f"*{', '.join(minutes).capitalize() or 'In the making'}.*", ":::", ""]
    return "\n".join([*parts, "::::"])


def outcomes_list(every: list[Lesson]) -> str:
    """The instructor's list: each lesson's minutes, and what its students can do afterwards."""
    parts = []
    for lesson in every:
        minutes = f"{lesson.core} minutes of core" + (f", {lesson.optional} optional." if lesson.optional else ".")
        parts.append(f"### {lesson.title}\n\n[Open the lesson](../notebooks/{lesson.name}.ipynb). "
                     + (minutes if lesson.core else ""))
        parts.append("\n".join(f"- {outcome.replace('](../docs/', '](')}" for outcome in lesson.outcomes))
    return "\n\n".join(parts)


def timings_table(every: list[Lesson]) -> str:
    """How long each lesson ran, and how long it may."""
    rows = ["| lesson | minutes | at most |", "|---|--:|--:|"]
    for lesson in every:
        ran = "not stored yet" if lesson.minutes is None else f"{lesson.minutes:g}"
        most = "" if lesson.budget_seconds is None else f"{lesson.budget_seconds / 60:g}"
        rows.append(f"| [{lesson.title}](../notebooks/{lesson.name}.ipynb) | {ran} | {most} |")
    return "\n".join(rows)


def experiments_table(folder: Path = REPOSITORY / "data" / "runs") -> str:
    """What every recorded experiment asked, how many runs it took, on what machine, when."""
    rows = ["| experiment | its question | runs | minutes | on | date |", "|---|---|--:|--:|---|---|"]
    for path in sorted(folder.glob("*.json")):
        recorded = json.loads(path.read_text(encoding="utf-8"))
        made, runs = recorded["made"], recorded["runs"]
        known = [run["seconds"] for run in runs if "seconds" in run]
        minutes = f"{sum(sum(s) if isinstance(s, list) else s for s in known) / 60:.0f}" if known else ""
        machine, torch = made["machine"].replace("device cpu", "no GPU"), made["torch"].partition("+")[0]
        rows.append(f"| {path.stem.replace('_', ' ')} | {recorded['question']} | {len(runs)} | {minutes} "
                    f"| {machine}, torch {torch} | {made['date']} |")
    return "\n".join(rows)


def fold_bootstrap(notebook: str) -> str:
    """The notebook's text with its bootstrap cell folded: on a page it only stands between reader and lesson."""
    content = json.loads(notebook)
    for cell in content["cells"]:
        if cell["cell_type"] == "code" and "".join(cell["source"]).startswith(FIRST_LINE):
            cell["metadata"].setdefault("tags", []).append("hide-input")
    return json.dumps(content)


def fill_in(text: str) -> str:
    """Replaces the marks of a page, such as <!-- lessons -->, by what the notebooks say today."""
    every = lessons()
    made = {"lessons": lambda: cards(every), "outcomes": lambda: outcomes_list(every),
            "timings": lambda: timings_table(every), "experiments": experiments_table}
    made |= {f"plan_{number}": lambda lesson=lesson: lesson.plan for number, lesson in enumerate(every)}
    return re.sub(r"^<!-- (\w+) -->$", lambda mark: made[mark[1]](), text, flags=re.MULTILINE)
