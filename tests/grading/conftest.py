"""A class that hands in lesson 1, graded once, honest students and others."""

import copy
import csv
from argparse import Namespace
from pathlib import Path

import nbformat
import pytest

from course_tools import grade
from course_tools.exercises import EXERCISES, SOLUTIONS
from course_tools.grading.sandbox import MEBIBYTE, Limits

LESSON = "01_convolution_and_pooling"
LIMITS = Limits(seconds=60, cell_seconds=6, memory=1200 * MEBIBYTE, disk=64 * MEBIBYTE, processes=16, output=MEBIBYTE)


@pytest.fixture(scope="session")
def handed_out():
    return nbformat.read(EXERCISES / f"{LESSON}.ipynb", as_version=4)


@pytest.fixture(scope="session")
def solved(handed_out):
    """The students' notebook with the solutions' code written into it."""
    solutions = {cell.metadata.nbgrader.grade_id: cell.source
                 for cell in nbformat.read(SOLUTIONS / f"{LESSON}.ipynb", as_version=4).cells if "nbgrader" in cell.metadata}  # fmt: skip
    notebook = copy.deepcopy(handed_out)
    for cell in notebook.cells:
        if cell.get("metadata", {}).get("nbgrader", {}).get("solution") and cell.cell_type == "code":
            cell.source = solutions[cell.metadata.nbgrader.grade_id]
    return notebook


def cell(notebook, grade_id):
    """The cell of `notebook` that nbgrader knows as `grade_id`."""
    return next(cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id)


class Class:
    """What students hand in, and what came of it."""

    def __init__(self, folder: Path):
        self.submissions, self.out = folder / "submissions", folder / "grades"
        self.submissions.mkdir()

    def hand_in(self, student, notebook):
        (self.submissions / student).mkdir()
        nbformat.write(notebook, self.submissions / student / f"{LESSON}.ipynb")

    def grade(self, limits=LIMITS, unsafe=False):
        """Grades and returns the exit code; afterwards `rows` are those of the CSV, by student."""
        arguments = Namespace(submissions=str(self.submissions), out=self.out, unsafe=unsafe, workers=2)
        status = grade.main(arguments, limits=limits)
        with open(self.out / "grades.csv", encoding="utf-8", newline="") as file:
            self.rows = {row["student"]: row for row in csv.DictReader(file)}
        return status

    def points(self, student):
        return float(self.rows[student]["points"])

    def page(self, student):
        return (self.out / "feedback" / student / f"{LESSON}.html").read_text(encoding="utf-8")


@pytest.fixture
def new_class(tmp_path):
    return Class(tmp_path)
