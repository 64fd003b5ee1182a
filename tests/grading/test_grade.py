"""Each student of a class gets the mark that the work deserves, whatever the notebook tries."""

import copy
import re
import socket
import threading

import nbformat
import pytest

from course_tools.grading.course import api

from .cells import ENDINGS, FORGERIES, HARMLESS, HOSTILE, hostile, replaced, where, with_code, without
from .conftest import LESSON, Class, cell

POINTS = {"corr2d": 2, "output_size": 1, "conv_by_matmul": 3, "max_pool2d": 2, "shift_kernel": 2}


def pairs(table):
    return [pytest.param(name, code, id=name) for name, code in table.items()]


@pytest.fixture(scope="module")
def graded(tmp_path_factory, handed_out, solved):
    """A class of honest, careless and hostile students, graded in one go; with a server that nobody should reach."""
    room = Class(tmp_path_factory.mktemp("class"))
    server = socket.create_server(("127.0.0.1", 0))
    reached = []
    threading.Thread(target=lambda: reached.append(server.accept()), daemon=True).start()
    room.reached = reached
    places = where(room, server.getsockname()[1])
    room.hand_in("right", solved)
    room.hand_in("empty", handed_out)
    wrong = "def corr2d(X, K):\n    return X"
    room.hand_in("one-wrong", replaced(solved, corr2d=wrong))
    room.hand_in("stops-in-check", replaced(solved, corr2d="def corr2d(X, K):\n    while True: pass"))
    room.hand_in("dies-in-check", replaced(solved, corr2d="def corr2d(X, K):\n    import os\n    os._exit(0)"))
    flood = "def corr2d(X, K):\n    for _ in range(40): print('x' * 10**5, flush=True)\n    return X"
    room.hand_in("floods-in-check", replaced(solved, corr2d=flood))
    room.hand_in("raises", with_code(solved, "raise ValueError('crash')"))
    room.hand_in("check-deleted", without(replaced(solved, corr2d=wrong), "corr2d-check"))
    room.hand_in("check-edited", replaced(solved, corr2d=wrong, corr2d_check="print('✓ corr2d: fine')"))
    room.hand_in("solution-deleted", without(solved, "corr2d", "corr2d-check"))
    scripted = with_code(
        solved, "from IPython.display import HTML\nHTML('<script>stolen()</script><img src=x onerror=stolen()>')"
    )
    scripted.cells.append(
        nbformat.v4.new_markdown_cell("<script>stolen()</script>", metadata={"tags": ['"><script>stolen()']})
    )
    scripted.cells.append(nbformat.v4.new_raw_cell("<script>stolen()</script>"))
    png = '"><script>stolen()</script>'
    scripted.cells.append(nbformat.v4.new_code_cell(f"display({{'image/png': {png!r}, 'text/plain': 'x'}}, raw=True)"))
    scripted.cells.append(nbformat.v4.new_code_cell("display({'application/javascript': 'stolen()'}, raw=True)"))
    room.hand_in("scripted", scripted)
    lying = copy.deepcopy(handed_out)
    for each in lying.cells:
        if each.get("metadata", {}).get("nbgrader", {}).get("points"):
            each.metadata.nbgrader.points = 1000
            each.outputs = [nbformat.v4.new_output("execute_result", data={"text/plain": "1000"}, execution_count=1)]
    room.hand_in("raises-points", lying)
    for name, code in FORGERIES.items():
        room.hand_in(name, with_code(handed_out, code))
    for name in HOSTILE:
        room.hand_in(name, with_code(solved, hostile(name, places)))
    for name, (code, _) in ENDINGS.items():
        room.hand_in(name, with_code(solved, code, before="max_pool2d"))
    room.hand_in("no-cells", nbformat.v4.new_notebook())
    copied = copy.deepcopy(solved)
    for grade_id in ("corr2d", "corr2d-check"):
        copied.cells.append(copy.deepcopy(cell(solved, grade_id)))
        copied.cells[-1].id = f"copy-of-{grade_id}"
    room.hand_in("copied-cells", copied)
    bare = copy.deepcopy(solved)
    for grade_id, keys in {"corr2d-check": ["schema_version"], "output_size-check": ["points"],
                           "max_pool2d-check": ["grade", "locked", "solution"], "corr2d": ["schema_version"]}.items():  # fmt: skip
        for key in keys:
            del cell(bare, grade_id).metadata.nbgrader[key]
    room.hand_in("bare-metadata", bare)
    raw = copy.deepcopy(solved)
    for grade_id in ("corr2d-check", "output_size"):
        place = raw.cells.index(cell(raw, grade_id))
        raw.cells[place] = nbformat.v4.new_raw_cell(raw.cells[place].source, metadata=raw.cells[place].metadata)
    room.hand_in("raw-cells", raw)
    room.hand_in("own-checks", with_code(solved, "from course_tools import check\ncheck('corr2d', print)"))
    garbage = "get_ipython().kernel.iopub_socket.send(b'no message')"
    room.hand_in("breaks-protocol", with_code(solved, garbage))
    room.hand_in("broken", solved)
    (room.submissions / "broken" / f"{LESSON}.ipynb").write_text("{ not json")
    room.hand_in("linked", solved)
    (room.submissions / "linked" / f"{LESSON}.ipynb").unlink()
    (room.submissions / "linked" / f"{LESSON}.ipynb").symlink_to(room.submissions / "right" / f"{LESSON}.ipynb")
    (room.submissions / "nothing").mkdir()
    room.status = room.grade()
    return room


def test_right_and_empty(graded):
    assert graded.points("right") == sum(POINTS.values()) == 10
    assert graded.points("empty") == 0
    assert "still to be written" in graded.page("empty")


def test_one_wrong_costs_its_points_and_says_why(graded):
    assert graded.points("one-wrong") == 8
    assert "unchanged" in graded.page("one-wrong")


@pytest.mark.parametrize(
    "student",
    ["stops-in-check", "dies-in-check", "floods-in-check", "check-deleted", "check-edited", "solution-deleted"],
)
def test_only_the_exercise_in_question_is_lost(student, graded):
    assert graded.points(student) == 8


def test_what_a_check_prints_is_limited(graded):
    assert "printed more than 1 MiB" in graded.page("floods-in-check")


@pytest.mark.parametrize("student", ["raises", "copied-cells", "bare-metadata", "raw-cells", "own-checks"])
def test_what_is_beside_the_exercises_costs_nothing(student, graded):
    assert graded.points(student) == 10 and graded.rows[student]["problem"] == ""


def test_checks_of_ones_own_are_not_judged_in_the_sandbox(graded):
    assert "corr2d: the grader judges this one" in graded.page("own-checks")


def test_a_notebook_without_cells_is_worth_nothing(graded):
    assert graded.points("no-cells") == 0
    assert graded.rows["no-cells"]["of"] == "10" and graded.rows["no-cells"]["problem"] == ""


@pytest.mark.parametrize(("student", "code"), pairs(FORGERIES))
def test_forgery_earns_nothing(student, code, graded):
    assert graded.points(student) == 0
    assert graded.rows[student]["problem"] == ""


def test_points_and_outputs_in_the_file_do_not_count(graded):
    assert graded.points("raises-points") == 0
    assert graded.rows["raises-points"]["of"] == "10"


@pytest.mark.parametrize(("student", "code"), pairs(HOSTILE))
def test_hostile_cell_fails_and_the_work_still_counts(student, code, graded):
    assert "SUCCEEDED" not in graded.page(student)
    assert graded.points(student) == 10


def test_nothing_outside_was_touched(graded):
    assert graded.reached == []
    assert not (graded.out / "written.txt").exists()
    with api(graded.out).gradebook as gradebook:
        assert gradebook.find_submission(LESSON, "right").score == 10


def test_without_a_sandbox_the_same_cells_succeed(new_class, solved, handed_out, capsys):
    """The control: what does nothing in the sandbox does it here, so that the tests above show the sandbox's work."""
    server = socket.create_server(("127.0.0.1", 0))
    notebook = copy.deepcopy(solved)
    for name in HARMLESS:
        notebook = with_code(notebook, hostile(name, where(new_class, server.getsockname()[1])))
    new_class.hand_in("mallory", notebook)
    new_class.hand_in("oscar", with_code(handed_out, FORGERIES["gives-right-answers"]))
    new_class.grade(unsafe=True)
    page = new_class.page("mallory")
    assert [name for name in HARMLESS if f"{name} SUCCEEDED" not in page] == []
    assert (new_class.out / "written.txt").exists()
    assert new_class.points("oscar") == 10


@pytest.mark.parametrize(("student", "reason"), [(name, reason) for name, (_, reason) in ENDINGS.items()])
def test_what_ends_the_kernel_costs_nothing_else(student, reason, graded):
    assert graded.points(student) == 10
    assert "Ended" in graded.page(student)
    assert reason in graded.page(student)


def test_feedback_pages_run_no_script_of_a_student(graded):
    page = graded.page("scripted")
    assert page.count("stolen()") >= 4  # what was typed is to be seen
    assert "<script>stolen" not in page and "<img src=x" not in page and '">stolen()</script>' not in page


def test_feedback_pages_fetch_nothing(graded):
    assert not re.search(r"<(script|img|link)[^>]+(src|href)=.https?:", graded.page("right"))


@pytest.mark.parametrize(("student", "problem"), [
    ("broken", "not a notebook that can be read"),
    ("linked", "not a plain file"),
    ("nothing", "no notebook"),
    ("breaks-protocol", "could not be graded: nbgrader: ValueError: "),
])  # fmt: skip
def test_what_cannot_be_graded_has_a_row_that_says_why(student, problem, graded):
    assert graded.status == 1
    assert graded.points(student) == 0 and problem in graded.rows[student]["problem"]
    assert "\n" not in graded.rows[student]["problem"] and "Traceback" not in graded.rows[student]["problem"]


def test_every_student_has_a_row_and_every_graded_one_a_page(graded):
    students = {folder.name for folder in graded.submissions.iterdir()}
    assert set(graded.rows) == students
    pages = {folder.name for folder in (graded.out / "feedback").iterdir()}
    assert pages == {student for student, row in graded.rows.items() if not row["problem"]} | {"breaks-protocol"}
    assert "could not be graded" in graded.page("breaks-protocol")
