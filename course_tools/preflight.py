"""The evening before class: everything that a class needs, tried on this machine, and one report of it.

    python -m course_tools preflight               environment, data, every lesson under strict nbval
    python -m course_tools preflight 01 04         only the lessons whose names begin so

Works without a network. The report is printed and lies in build/preflight/: report.html to read, report.xml (JUnit)
for programs. Exit code 1: something would go wrong in class, and the report says what and how to mend it.
"""

import html
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

from course_tools import doctor
from course_tools.lessons import find

REPOSITORY = Path(__file__).parents[1]
MENDING = (  # what stands in the failure, what to do about it
    ("Kernel died", "most often for lack of memory: close other programs, or run this lesson alone"),
    ("Cell execution timed out", "this machine is too slow for the lesson, or something else is running on it"),
    ("No module named", "a package is missing: run `python -m course_tools doctor`, which names the command"),
    ("Cell outputs differ", "compare build/lessons/ after `python -m course_tools lessons` with the stored page; "
                            "most often a package is not the tested one: install with `-c constraints.txt`"),
)
SLOW = ("close other programs and run `python -m course_tools preflight {name}` once more; if it stays so, leave out the "
        "optional sections in class, or show the stored page")
TRYING = ("pytest", "nbval")  # what the lessons themselves do not need, but trying them does
VERSIONS = ("Python", "torch", "torchvision", "numpy", "matplotlib", "jupyterlab", "nbclient", "torchinfo", "nbval", "d2l",
            "Fashion-MNIST")  # fmt: skip
LITTLE = 2  # GiB free, of memory or disk, below which a lesson may fail
OTHERWISE = "open the lesson with `make lab` and run it up to this cell; `git checkout -- notebooks` brings it back"


@dataclass
class Outcome:
    """How one lesson went: `problem` is empty where it passed; `laptop_minutes` are projected."""

    name: str
    seconds: float
    budget: float | None
    laptop_minutes: float
    problem: str
    suite: ElementTree.Element | None

    @property
    def slow(self) -> bool:
        """Whether it passed, and took longer than its budget."""
        return not self.problem and self.budget is not None and self.seconds > self.budget

    @property
    def mending(self) -> str:
        if not self.problem:
            return SLOW.format(name=self.name[:2]) if self.slow else ""
        return next((advice for sign, advice in MENDING if sign in self.problem), OTHERWISE)


def add_arguments(parser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="what lessons' names begin with (default: all)")


def main(arguments, folder: Path = REPOSITORY / "notebooks", build: Path = REPOSITORY / "build" / "preflight") -> int:
    """Tries everything, prints and writes the report, and returns the exit code."""
    findings = [doctor.check_python(), *doctor.check_packages(), doctor.check_d2l(), doctor.check_kernel(),
                doctor.check_data()]
    if missing := [finding for finding in findings if finding.fix and (finding.needed or finding.what in TRYING)]:
        report_missing(missing, build)
        return 1
    machine = [*doctor.describe_machine(), *doctor.describe_speed()[:len(doctor.REFERENCE)]]
    slowness = _slowness()
    paths = find(arguments.names, folder)
    if (folder / "solutions").is_dir() and not arguments.names:
        paths += find([], folder / "solutions")
    outcomes = []
    for number, path in enumerate(paths, 1):
        print(f"{number}/{len(paths)} {path.stem} …", end=" ", flush=True)
        outcomes.append(try_lesson(path, slowness))
        print(f"{'FAILED' if outcomes[-1].problem else 'passed'} in {outcomes[-1].seconds:.0f} s", flush=True)
    report(findings, machine, outcomes, build)
    return int(any(outcome.problem or outcome.slow for outcome in outcomes))


def try_lesson(path: Path, slowness: float | None) -> Outcome:
    """Runs one notebook under strict nbval in a process of its own.

    `slowness` is how many times longer a two-core laptop takes; None, and the lesson's own stated minutes are taken.
    """
    course = json.loads(path.read_text(encoding="utf-8"))["metadata"].get("course", {})
    with tempfile.TemporaryDirectory() as scratch:
        result = Path(scratch, "result.xml")
        began = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", "pytest", "--nbval", "-q", "-p", "no:cacheprovider",
                               f"--junitxml={result}", str(path)], cwd=path.parent, capture_output=True, text=True)
        seconds = time.perf_counter() - began
        suite = ElementTree.parse(result).getroot().find("testsuite") if result.exists() else None
    problem = "" if done.returncode == 0 else _first_failure(suite) or _last_line(done)
    if suite is not None:
        suite.set("name", path.stem)
    minutes = course.get("minutes", 0) if slowness is None else seconds * slowness / 60
    return Outcome(path.stem, seconds, course.get("budget_seconds"), minutes, problem, suite)


def _first_failure(suite) -> str:
    """The first cell that failed, and what was wrong with it, in a line."""
    for case in () if suite is None else suite.iter("testcase"):
        for failure in (*case.findall("failure"), *case.findall("error")):
            lines = [line.strip() for line in _plain(failure.text or failure.get("message", "")).splitlines()]
            known = [line for line in lines if any(sign in line for sign, _ in MENDING)]
            errors = [line for line in lines if re.match(r"\w*(Error|Exception)\b", line)]
            return f"{case.get('name')}: {(known or errors[::-1] or lines or ['failed'])[0]}"
    return ""


def _last_line(done) -> str:
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return lines[-1] if lines else f"pytest ended with {done.returncode} and said nothing"


def _plain(text: str) -> str:
    """`text` without the colours of a terminal, which pytest writes into its XML as #x1B.

    >>> _plain(chr(27) + "[91mCell outputs differ" + chr(27) + "[0m")
    'Cell outputs differ'
    """
    return re.sub(r"(\x1b|#x1B)\[[0-9;]*m", "", text)


def _slowness() -> float | None:
    """How many times longer than this machine the two-core machine takes whose minutes the lessons state."""
    from course_lib.device import pick_device

    device = pick_device()
    if device.type != "cpu":
        return None
    # Much of a lesson is not matrix products: however slow they are elsewhere, a third of its time stays.
    return max(1 / 3, doctor.matmul_speed("fp32", device) / doctor.REFERENCE["fp32"])


def scarce() -> list[str]:
    """A sentence for disk and for memory where little is free."""
    import psutil

    free = {"disk": shutil.disk_usage(REPOSITORY).free, "memory": psutil.virtual_memory().available}
    advice = {"disk": "delete what is not needed", "memory": "close other programs before class"}
    return [f"Only {amount / 2**30:.1f} GiB of {what} are free, and lessons need up to {LITTLE}: {advice[what]}."
            for what, amount in free.items() if amount < LITTLE * 2**30]  # fmt: skip


def report_missing(missing, build: Path) -> None:
    """Prints what keeps the lessons from being tried and writes it to `build`, with nothing but Python's own library."""
    title = "The lessons cannot be tried, because something they need is not here:"
    print(title, *(f"  {finding.what}: {finding.found}\n    {finding.fix}" for finding in missing), sep="\n")
    rows = "".join(f"<li>{html.escape(f'{each.what}: {each.found}')}<pre>{html.escape(each.fix)}</pre>" for each in missing)
    suites = ElementTree.Element("testsuites")
    number = str(len(missing))
    suite = ElementTree.SubElement(suites, "testsuite", name="environment", tests=number, failures=number, errors="0")
    for finding in missing:
        case = ElementTree.SubElement(suite, "testcase", classname="environment", name=finding.what)
        ElementTree.SubElement(case, "failure", message=finding.found).text = finding.fix
    write(f'<!DOCTYPE html><meta charset="utf-8"><title>preflight</title><p>{title}<ul>{rows}</ul>', suites, build)


def write(page: str, suites: ElementTree.Element, build: Path) -> None:
    """Writes the report to `build` as a page and as JUnit's XML, and prints where."""
    build.mkdir(parents=True, exist_ok=True)
    (build / "report.html").write_text(page, encoding="utf-8")
    ElementTree.ElementTree(suites).write(build / "report.xml", encoding="utf-8", xml_declaration=True)
    print(f"Report: {os.path.relpath(build / 'report.html')}, {os.path.relpath(build / 'report.xml')}")


def report(findings, machine, outcomes, build: Path) -> None:
    """Prints the report and writes it to `build` as a page and as JUnit's XML."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(record=True, width=120)
    about = Table(title="This machine", title_justify="left", show_header=False)
    for finding in [*machine, *(f for f in findings if f.what in VERSIONS)]:
        about.add_row(finding.what, escape(finding.found))
    console.print(about)
    lessons = Table("lesson", "passed", "seconds", "budget", "minutes on a laptop", title="Lessons", title_justify="left")
    for outcome in outcomes:
        budget = "" if outcome.budget is None else f"{outcome.budget:.0f}"
        seconds = f"[red]{outcome.seconds:.0f}, too long[/red]" if outcome.slow else f"{outcome.seconds:.0f}"
        lessons.add_row(outcome.name, "[red]no[/red]" if outcome.problem else "yes", seconds, budget,
                        f"{outcome.laptop_minutes:.1f}")
    console.print(lessons)
    for sentence in scarce():
        console.print(sentence, highlight=False)
    failed = [outcome for outcome in outcomes if outcome.problem or outcome.slow]
    for outcome in failed:
        what = outcome.problem or f"{outcome.seconds:.0f} seconds, where {outcome.budget:.0f} are its budget"
        console.print(escape(f"{outcome.name}, {what}\n  To mend it: {outcome.mending}."), highlight=False)
    console.print(f"{len(outcomes) - len(failed)} of {len(outcomes)} lessons are ready for class.", highlight=False)
    suites = ElementTree.Element("testsuites")
    suites.extend(outcome.suite for outcome in outcomes if outcome.suite is not None)
    write(console.export_html(inline_styles=True), suites, build)
