"""The first code cell of every lesson: it makes `course_lib` importable wherever the notebook was opened."""

import tomllib
from pathlib import Path

FIRST_LINE = "# Makes course_lib importable; where it is missing (on Colab), installs it."

_SOURCE = f"""{FIRST_LINE}
import importlib.util, os, subprocess, sys

def missing():
    return importlib.util.find_spec("course_lib") is None

for up in ("..", "../.."):  # a checkout that was not installed
    if missing() and os.path.isdir(up + "/course_lib"):
        sys.path.insert(0, os.path.abspath(up))
if missing():
    source = os.environ.get("COURSE_SOURCE", "ADDRESS")
    if not source:
        raise RuntimeError("set the environment variable COURSE_SOURCE to the course's address or wheel")
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", source], check=True)
    importlib.invalidate_caches()"""


def address(pyproject: Path | None = None) -> str:
    """What pip installs: the repository at this version's tag, or "" while `pyproject` names no repository."""
    project = tomllib.loads((pyproject or Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    repository = project.get("urls", {}).get("Repository", "")
    return f"git+{repository}@v{project['version']}" if repository else ""


def bootstrap_source(source: str | None = None) -> str:
    """The cell's text, installing from `source` (by default `address()`).

    >>> bootstrap_source("course.whl").splitlines()[10]
    '    source = os.environ.get("COURSE_SOURCE", "course.whl")'
    """
    return _SOURCE.replace("ADDRESS", address() if source is None else source)
