"""The command as an instructor runs it, on a generated class of thirty; the time is printed, for others to judge."""

import copy
import random
import re

from .conftest import cell

POINTS = {"corr2d": 2, "output_size": 1, "conv_by_matmul": 3, "max_pool2d": 2, "shift_kernel": 2}


def test_thirty_students_get_the_points_of_what_they_solved(new_class, handed_out, solved, capsys):
    chance, expected = random.Random(0), {}
    for number in range(30):
        notebook, student = copy.deepcopy(handed_out), f"student-{number:02d}"
        done = [name for name in POINTS if chance.random() < 0.7]
        for name in done:
            cell(notebook, name).source = cell(solved, name).source
        new_class.hand_in(student, notebook)
        expected[student] = sum(POINTS[name] for name in done)
    assert new_class.grade() == 0
    took = re.search(r"30 notebooks graded in .*", capsys.readouterr().out)[0]
    with capsys.disabled():
        print("", took)
    # Without output_size, max_pool2d of the solutions, which calls it, does not work either.
    for student, row in new_class.rows.items():
        lost = POINTS["max_pool2d"] if row_lacks(new_class, student) else 0
        assert float(row["points"]) == expected[student] - lost, student
    assert len(new_class.rows) == 30


def row_lacks(room, student):
    """Whether the student has max_pool2d, which needs output_size, and not output_size."""
    import nbformat

    notebook = nbformat.read(next((room.submissions / student).glob("*.ipynb")), as_version=4)
    unsolved = {name: "NotImplementedError" in cell(notebook, name).source for name in POINTS}
    return unsolved["output_size"] and not unsolved["max_pool2d"]


def test_grading_again_keeps_marks_given_by_hand(new_class, handed_out, solved):
    from course_tools.grading.course import api

    from .conftest import LESSON

    new_class.hand_in("ada", solved)
    new_class.grade()
    with api(new_class.out).gradebook as gradebook:
        grade = gradebook.find_grade("corr2d-check", LESSON, LESSON, "ada")
        grade.manual_score = 1.5
        gradebook.db.commit()
    new_class.grade()
    assert new_class.points("ada") == 9.5
