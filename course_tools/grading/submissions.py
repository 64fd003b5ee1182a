"""What students handed in, read with care: their files are foreign, whatever their names say."""

import os
import re
import shutil
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


def collect(folder: Path, course: Path, lessons: set[str]) -> list[Submission]:
    """Copies the notebooks of `folder`/STUDENT/LESSON.ipynb to where nbgrader looks for them.

    Raises ValueError where there is no such folder, or nothing in it that could be graded.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder; it should hold a folder for each student")
    found = []
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
            problem = _problem(entry, lesson, lessons)
            found.append(Submission(student.name, lesson, problem))
            if problem is None:
                target = course / "submitted" / student.name / lesson
                target.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(entry.path, target / entry.name, follow_symlinks=False)
    if not found:
        raise ValueError(f"{folder} is empty; it should hold a folder for each student")
    return found


def _entries(folder) -> list:
    """What lies in `folder`, by name, hidden files left out."""
    with os.scandir(folder) as entries:
        return sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)


def _problem(entry, lesson: str, lessons: set[str]) -> str | None:
    """Why the file `entry` cannot be graded, or None."""
    import nbformat

    if not entry.is_file(follow_symlinks=False):
        return "not a plain file (a link or a folder)"
    if lesson not in lessons:
        return f"no exercises have this name; there are {', '.join(sorted(lessons))}"
    if entry.stat().st_size > LARGEST:
        return f"larger than {LARGEST // 2**20} MiB"
    try:
        notebook = nbformat.read(entry.path, as_version=4)
        nbformat.validate(notebook)
    except Exception as error:  # whatever a damaged file makes the reader raise
        return f"not a notebook that can be read: {type(error).__name__}: {str(error).partition(chr(10))[0][:200]}"
    return None
