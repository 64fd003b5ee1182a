"""Copies of the lessons for Colab in build/colab/: they fetch the course, data included, from the repository's address.

    python -m course_tools colab                       for the address in COURSE_REPOSITORY or pyproject.toml
    python -m course_tools colab --ref v0.1.0          that take the course from this tag or branch

The copies, of the exercises and solutions too, lie in notebooks/ as those do. A workflow puts them on the branch `colab`, where the site's buttons
expect them. Relative links, which lead nowhere on Colab, become links to the other copies and to the repository.
"""

import copy
import os
import posixpath
import re
import shutil
import tomllib
from pathlib import Path

from course_tools.bootstrap import FIRST_LINE
from course_tools.normalise import write
from course_tools.site import launch_links, repository

REPOSITORY = Path(__file__).resolve().parents[1]
LEFT_ALONE = {"torch", "torchvision", "numpy"}  # Colab's own are built for its GPUs
MODULES = {"pillow": "PIL"}  # packages that are imported by another name

BOOTSTRAP = f"""{FIRST_LINE}
import importlib.util, os, subprocess, sys

def missing(name):
    return importlib.util.find_spec(name) is None

def pip(*what):
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", *what], check=True)

if missing("course_lib") and os.environ.get("COURSE_SOURCE"):
    pip("--no-deps", os.environ["COURSE_SOURCE"])
elif missing("course_lib"):  # the whole course, because the lessons read its data
    if not os.path.isdir("course"):
        clone = ["git", "clone", "-q", "--depth", "1", "-c", "advice.detachedHead=false"]
        subprocess.run([*clone, "--branch", "REF", "ADDRESS", "course"], check=True)
    sys.path.insert(0, os.path.abspath("course"))
importlib.invalidate_caches()
packages = [package for module, package in PACKAGES if missing(module)]
if packages:
    pip(*packages)"""


def add_arguments(parser) -> None:
    parser.add_argument("--ref", help="tag or branch to take the course from (default: COURSE_REF, else this version's tag)")
    parser.add_argument("--into", type=Path, default=REPOSITORY / "build" / "colab", metavar="FOLDER")


def main(arguments, folder: Path = REPOSITORY / "notebooks") -> int:
    """Writes the copies of `folder`; returns the exit code."""
    import nbformat

    address = repository()
    if not address:
        raise ValueError(
            "the repository's address is not known: set COURSE_REPOSITORY to it, such as https://github.com/NAME/COURSE"
        )
    ref = arguments.ref or os.environ.get("COURSE_REF") or f"v{project()['version']}"
    into = arguments.into / "notebooks"
    shutil.rmtree(into, ignore_errors=True)
    paths = [path for part in (".", "exercises", "solutions") for path in sorted((folder / part).glob("*.ipynb"))]
    for path in paths:
        place = path.relative_to(folder)
        (into / place).parent.mkdir(parents=True, exist_ok=True)
        where = posixpath.normpath(f"notebooks/{place.parent.as_posix()}")
        write(for_colab(nbformat.read(path, as_version=4), where, address, ref), into / place)
    print(f"{len(paths)} notebooks, from {address} at {ref}: {os.path.relpath(into)}")
    return 0


def project() -> dict:
    """What pyproject.toml says about the course."""
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def packages() -> list[tuple[str, str]]:
    """What the library needs as (module, package), without what is left alone; and torchinfo, which lessons compare with."""
    asked = [re.match(r"[\w.-]+", line)[0] for line in project()["dependencies"]] + ["torchinfo"]
    return [(MODULES.get(name, name.replace("-", "_")), name) for name in asked if name not in LEFT_ALONE]


def bootstrap(address: str, ref: str) -> str:
    """The first code cell of a copy."""
    if not re.fullmatch(r"[\w./-]+", ref):
        raise ValueError(f"a tag or branch has letters, digits, '.', '/', '_' and '-', got {ref!r}")
    return BOOTSTRAP.replace("ADDRESS", address).replace("REF", ref).replace("PACKAGES", repr(packages()))


def for_colab(notebook, folder: str, address: str, ref: str):
    """A copy of `notebook`, which lies in `folder` of the repository, that runs on Colab alone."""
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.source.startswith(FIRST_LINE):
            cell.source = bootstrap(address, ref)
        elif cell.cell_type == "markdown":
            cell.source = absolute_links(cell.source, folder, address, ref)
    return notebook


def absolute_links(text: str, folder: str, address: str, ref: str) -> str:
    """`text` with its links, relative to `folder`, to notebooks and files of the repository made absolute.

    >>> absolute_links("[unit](../docs/glossary.md#unit)", "notebooks", "https://github.com/NAME/COURSE", "v1")
    '[unit](https://github.com/NAME/COURSE/blob/v1/docs/glossary.md#unit)'
    """

    def absolute(match):
        path, anchor = posixpath.normpath(f"{folder}/{match[1]}"), match[2] or ""
        if path.startswith("notebooks/") and path.endswith(".ipynb"):
            links = launch_links(path.removesuffix(".ipynb"), address, ref)
            return f"]({links.get('Colab') or f'{address}/blob/{ref}/{path}'}{anchor})"
        return f"]({address}/blob/{ref}/{path}{anchor})"

    return re.sub(r"\]\((?!\w+:|#|/)([^)\s#]+)(#[^)\s]*)?\)", absolute, text)
