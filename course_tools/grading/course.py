"""The nbgrader course behind `make grade`: one assignment a lesson, made of its solutions."""

import contextlib
import logging
import os
import re
import shutil
import sys
import warnings
from pathlib import Path

from course_tools.grading.feedback import without_network
from course_tools.grading.sandbox import Limits
from course_tools.grading.submissions import Submission


def api(out: Path, limits: Limits | None = None, unsafe: bool = False):
    """nbgrader's own interface, on the course in `out`."""
    from nbconvert.preprocessors import ClearMetadataPreprocessor, CSSHTMLHeaderPreprocessor
    from nbgrader.apps import NbGraderAPI
    from nbgrader.preprocessors import (
        AssignLatePenalties, CheckCellMetadata, GetGrades, IgnorePattern, LimitOutput, SaveAutoGrades)  # fmt: skip
    from traitlets.config import Config

    from course_tools.grading.execute import SandboxedExecute
    from course_tools.grading.feedback import Harmless

    # nbgrader calls `alembic` by name to make its gradebook; the environment need not be activated.
    binaries = str(Path(sys.executable).parent)
    if binaries not in os.environ["PATH"].split(os.pathsep):
        os.environ["PATH"] = binaries + os.pathsep + os.environ["PATH"]
    config = Config()
    config.CourseDirectory.root = str(out / "nbgrader")
    config.CourseDirectory.db_url = f"sqlite:///{out / 'gradebook.db'}"
    config.SandboxedExecute.limits = limits or Limits()
    config.SandboxedExecute.unsafe = unsafe
    config.Autograde.autograde_preprocessors = [
        SandboxedExecute, IgnorePattern, ClearMetadataPreprocessor, LimitOutput, SaveAutoGrades, AssignLatePenalties,
        CheckCellMetadata]  # fmt: skip
    config.GenerateFeedback.preprocessors = [Harmless, GetGrades, CSSHTMLHeaderPreprocessor]
    return NbGraderAPI(config=config)


def prepare(out: Path, solutions: Path, lessons: list[str]) -> None:
    """Puts the lessons' solutions into the gradebook as assignments. Marks that are there already stay."""
    grader = api(out)
    for lesson in lessons:
        source = out / "nbgrader" / "source" / lesson
        source.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(solutions / f"{lesson}.ipynb", source / f"{lesson}.ipynb")
        _succeed(grader.generate_assignment(lesson, force=True, create=True), f"preparing {lesson}")


def grade(out: Path, submission: Submission, limits: Limits, unsafe: bool) -> tuple:
    """Grades one notebook; returns points, of how many, whether some are to be given by hand, and None."""
    # nbgrader says on the terminal what it says in its result, and SQLAlchemy warns of what nbgrader does inside.
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
        return _grade(out, submission, limits, unsafe)


def _grade(out: Path, submission: Submission, limits: Limits, unsafe: bool) -> tuple:
    student, lesson = submission.student, submission.lesson
    grader = api(out, limits, unsafe)
    _succeed(grader.autograde(lesson, student, force=True, create=True), "nbgrader")
    _succeed(grader.generate_feedback(lesson, student, force=True), "feedback")
    page = out / "nbgrader" / "feedback" / student / lesson / f"{lesson}.html"
    target = out / "feedback" / student / f"{lesson}.html"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(without_network(page.read_text(encoding="utf-8")), encoding="utf-8")
    with grader.gradebook as gradebook:
        found = gradebook.find_submission(lesson, student)
        return found.score, found.max_score, bool(found.needs_manual_grade), None


def _succeed(result: dict, what: str) -> None:
    """Raises RuntimeError, with the error that stopped nbgrader in one line, if something did."""
    if not result["success"]:
        said = re.findall(r"^ *([\w.]+(?:Error|Exception)\b.*)", result.get("log") or "", re.MULTILINE)
        said = said or (result.get("error") or "failed").strip().splitlines()
        raise RuntimeError(f"{what}: {said[-1][:300]}")
