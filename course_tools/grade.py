"""Grades a class: `make grade SUBMISSIONS=folder`, or python -m course_tools grade FOLDER.

FOLDER holds a folder for each student, named after them, with their exercise notebooks as they were handed out
(01_convolution_and_pooling.ipynb, …). Each notebook runs in a sandbox of its own. Into build/grades/ go

  grades.csv                    a row for each student and notebook: points, and what kept a notebook from being graded
  feedback/STUDENT/LESSON.html  a page for each of them
  gradebook.db                  nbgrader's gradebook, in which marks given by hand are kept when you grade again

Needs nbgrader (`pip install -c constraints.txt -e ".[grading]"`) and bubblewrap (`apt install bubblewrap`).
"""

import csv
import html
import multiprocessing
import os
import shutil
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from course_tools.exercises import REPOSITORY, SOLUTIONS

PAGE = """<!DOCTYPE html><meta charset="utf-8"><title>{lesson}</title>
<h1>{lesson}</h1>
<p>This notebook {problem}.
<p>Most often something in it disturbs the kernel itself. Run it in JupyterLab from top to bottom in a fresh kernel,
delete what does not belong to the exercises, and hand it in again.
"""
COLUMNS = ("student", "lesson", "points", "of", "to grade by hand", "problem")


def add_arguments(parser) -> None:
    parser.add_argument("submissions", metavar="FOLDER", help="a folder with a folder for each student")
    parser.add_argument("--out", default=REPOSITORY / "build" / "grades", type=Path, help="default: build/grades")
    parser.add_argument("--unsafe", action="store_true", help="run students' code without a sandbox, as yourself")
    parser.add_argument("--workers", type=int, default=min(4, os.cpu_count() or 1), help="notebooks at a time")


def main(arguments, solutions: Path = SOLUTIONS, limits=None) -> int:
    """Grades and returns the exit code: 0 if every submission was graded, whatever its mark."""
    from rich.console import Console
    from rich.progress import Progress

    from course_tools.grading import course, sandbox, submissions

    console = Console()
    limits = limits or sandbox.Limits()
    if arguments.unsafe:
        console.print("without a sandbox: students' code runs as you", style="bold red")
    elif (problem := sandbox.problem()) is not None:
        raise ValueError(sandbox.HOW_TO_GET_IT.format(problem=problem))
    out = arguments.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    found = submissions.collect(Path(arguments.submissions), out / "nbgrader", solutions)
    good = [submission for submission in found if submission.problem is None]
    course.prepare(out, solutions, sorted({submission.lesson for submission in good}))

    rows = [row(submission, 0, None, False, submission.problem) for submission in found if submission.problem]
    # Started afresh and not forked: torch and zmq do not survive a fork.
    began = time.monotonic()
    pool = ProcessPoolExecutor(arguments.workers, mp_context=multiprocessing.get_context("spawn"))
    with pool, Progress(console=console, transient=True) as progress:
        task = progress.add_task("notebooks graded", total=len(good))
        futures = {pool.submit(course.grade, out, each, limits, arguments.unsafe): each for each in good}
        for future in as_completed(futures):
            rows.append(row(futures[future], *outcome(future, out, futures[future])))
            progress.advance(task)
    seconds = time.monotonic() - began
    rows.sort()
    write(rows, out / "grades.csv")
    for student, lesson, points, of, by_hand, problem in rows:
        console.print(f"{student}  {lesson}  {points} of {of}{'  by hand: some' if by_hand else ''}  {problem}",
                      highlight=False, markup=False, soft_wrap=True)  # fmt: skip
    console.print(f"{len(good)} notebooks graded in {seconds / 60:.1f} minutes", highlight=False)
    console.print(f"Marks, feedback and gradebook: {os.path.relpath(out)}", highlight=False)
    return int(any(problem for *_, problem in rows))


def outcome(future, out: Path, submission) -> tuple:
    """Points, of how many, whether some are to be given by hand, and the problem, of one notebook's grading."""
    try:
        return future.result()
    except Exception as error:  # one notebook's failure must not stop the class
        problem = f"could not be graded: {error or type(error).__name__}"
        page = out / "feedback" / submission.student / f"{submission.lesson}.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(PAGE.format(lesson=submission.lesson, problem=html.escape(problem)), encoding="utf-8")
        return 0, None, False, problem


def row(submission, points, of, by_hand, problem) -> tuple:
    """A row of the table, as `COLUMNS` names it."""
    shown = f"{points:g}", "" if of is None else f"{of:g}"
    return submission.student, submission.lesson, *shown, "yes" if by_hand else "", problem or ""


def write(rows, path: Path) -> None:
    """Writes the table under a temporary name first, so that an old one is replaced whole."""
    partial = path.with_suffix(".partial")
    with open(partial, "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        table.writerows([_harmless(value) for value in each] for each in rows)
    shutil.move(partial, path)


def _harmless(value: str) -> str:
    """`value` so that a spreadsheet takes it for text: names come from students' folders.

    >>> _harmless("=HYPERLINK(1)"), _harmless("7.5")
    ("'=HYPERLINK(1)", '7.5')
    """
    return f"'{value}" if value[:1] in ("=", "+", "-", "@", "\t") else value
