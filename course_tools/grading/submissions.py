"""What students handed in, read with care: their files are foreign, whatever their names say."""

import copy
import functools
import os
import re
from dataclasses import dataclass
from pathlib import Path

LARGEST = 10 * 2**20
NAME = re.compile(r"[\w][\w.@ -]{0,80}")


@dataclass(frozen=True)
class Submission:
    """One notebook of one student; `problem` says why it cannot be graded, or is None."""

    student: str
    lesson: str
    problem: str | None = None


def collect(folder: Path, course: Path, solutions: Path) -> list[Submission]:
    """Brings the notebooks of `folder`/STUDENT/LESSON.ipynb to where nbgrader looks for them.

    Raises ValueError where there is no such folder, or nothing in it that could be graded.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder; it should hold a folder for each student")
    import nbformat

    from course_tools.exercises import student_version

    @functools.cache
    def handed_out(lesson):
        return student_version(nbformat.read(solutions / f"{lesson}.ipynb", as_version=4))

    found, lessons = [], {path.stem for path in solutions.glob("*.ipynb")}
    for student in _entries(folder):
        if not student.is_dir(follow_symlinks=False):
            found.append(Submission(student.name, "", "not a student's folder"))
            continue
        if not NAME.fullmatch(student.name):
            found.append(Submission(student.name, "", "a student's folder is named with letters, digits, . _ @ -"))
            continue
        entries = [entry for entry in _entries(student.path) if entry.name.endswith(".ipynb")]
        if not entries:
            found.append(Submission(student.name, "", "no notebook in the folder"))
        for entry in entries:
            lesson = entry.name.removesuffix(".ipynb")
            notebook, problem = _read(entry, lesson, lessons)
            found.append(Submission(student.name, lesson, problem))
            if problem is None:
                target = course / "submitted" / student.name / lesson
                target.mkdir(parents=True, exist_ok=True)
                nbformat.write(restored(notebook, handed_out(lesson)), target / entry.name)
    if not found:
        raise ValueError(f"{folder} is empty; it should hold a folder for each student")
    return found


def _entries(folder) -> list:
    """What lies in `folder`, by name, hidden files left out."""
    with os.scandir(folder) as entries:
        return sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)


def _read(entry, lesson: str, lessons: set[str]) -> tuple:
    """The notebook in the file `entry`, or None, and why it cannot be graded, or None."""
    import nbformat

    if not entry.is_file(follow_symlinks=False):
        return None, "not a plain file (a link or a folder)"
    if lesson not in lessons:
        return None, f"no exercises have this name; there are {', '.join(sorted(lessons))}"
    if entry.stat().st_size > LARGEST:
        return None, f"larger than {LARGEST // 2**20} MiB"
    try:
        notebook = nbformat.read(entry.path, as_version=4)
        nbformat.validate(notebook)
    except Exception as error:  # whatever a damaged file makes the reader raise
        return None, f"not a notebook that can be read: {type(error).__name__}: {str(error).partition(chr(10))[0][:200]}"
    return notebook, None


def restored(notebook, handed_out):
    """`notebook` with what nbgrader noted in its cells, and all of the locked ones, as it was handed out.

    Of a cell that was copied, the last copy counts: what stands above it has been run by then.
    """
    originals = {each.metadata.nbgrader.grade_id: each for each in handed_out.cells if "nbgrader" in each.metadata}
    for place in reversed(range(len(notebook.cells))):
        cell = notebook.cells[place]
        noted = cell.metadata.pop("nbgrader", None)
        original = originals.pop(str(noted.get("grade_id")), None) if isinstance(noted, dict) else None
        if original is None:
            continue
        if original.metadata.nbgrader.locked or cell.cell_type != original.cell_type:
            fresh = copy.deepcopy(original)
            fresh.pop("id", None)
            if "id" in cell:  # in older notebooks there is none
                fresh.id = cell.id
            fresh.source = original.source if original.metadata.nbgrader.locked else cell.source
            notebook.cells[place] = fresh
        else:
            cell.metadata.nbgrader = copy.deepcopy(original.metadata.nbgrader)
    return notebook
