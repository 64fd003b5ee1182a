"""Each student of a class gets the mark that the work deserves, whatever the notebook tries."""

import copy
import socket
import threading

import nbformat
import pytest

from course_tools.exercises import SOLUTIONS

from .conftest import LESSON, Class, cell

POINTS = {"corr2d": 2, "output_size": 1, "conv_by_matmul": 3, "max_pool2d": 2, "shift_kernel": 2}
SECRET = "a neighbour's secret"


def with_code(notebook, code, before="corr2d"):
    """`notebook` with a cell of `code` in front of the exercise `before`."""
    notebook = copy.deepcopy(notebook)
    notebook.cells.insert(notebook.cells.index(cell(notebook, before)), nbformat.v4.new_code_cell(code))
    return notebook


def replaced(notebook, **sources):
    notebook = copy.deepcopy(notebook)
    for grade_id, source in sources.items():
        cell(notebook, grade_id.replace("_check", "-check")).source = source
    return notebook


def without(notebook, *grade_ids):
    notebook = copy.deepcopy(notebook)
    for grade_id in grade_ids:
        notebook.cells.remove(cell(notebook, grade_id))
    return notebook


FORGERIES = {  # put in front of an unsolved notebook: none may earn a point
    "overwrites-check": "check = lambda *ignored: print('all right')",
    "patches-course-tools": "import course_tools, course_tools.checks\ncourse_tools.checks.check = course_tools.check = print",
    "patches-judge": (
        "import course_tools.checks.exercise as e\ne.agree = lambda *ignored: True\n"
        "e.Exercise.judge = lambda *ignored, **more: 'right'"
    ),
    "patches-torch": "import torch\ntorch.equal = torch.allclose = lambda *ignored, **more: True",
    "rewrites-cells": "get_ipython().input_transformers_cleanup.append(lambda lines: ['print(1)\\n'])",
    "swallows-errors": "get_ipython().set_custom_exc((BaseException,), lambda *ignored, **more: None)",
    "forged-replies": (
        "import course_tools.grading.remote as r\nr.put = lambda *ignored: '[]'\n"
        "import course_tools.checks.wire as w\nw.encode = lambda value: '\"right\"'"
    ),
    "unset-variable": "import os\nos.environ.pop('NBGRADER_EXECUTION', None)",
    "agrees-with-all": (
        "class Yes:\n    def __eq__(self, other): return True\n    def __call__(self, *ignored): return self\n"
        "corr2d = output_size = conv_by_matmul = max_pool2d = shift_kernel = Yes()"
    ),
}

HOSTILE = {  # put in front of a solved notebook, as cells that print SUCCEEDED where they do
    "reads-neighbour": "import glob, os\nfound = [p for p in glob.glob('{submissions}/*/*') if open(p).read()]",
    "reads-solutions": "found = open('{solutions}').read()",
    "reads-passwords": "found = open('/etc/passwd').read()",
    "reads-gradebook": "found = open('{out}/gradebook.db', 'rb').read()",
    "writes-outside": "found = open('{out}/written.txt', 'w').write('x')",
    "writes-course": "import course_lib\nfound = open(course_lib.__file__, 'a').write('x')",
    "opens-socket": "import socket\nsocket.create_connection(('127.0.0.1', {port}), timeout=3)\nfound = 1",
    "sees-processes": "import os\nfound = [p for p in os.listdir('/proc') if p.isdigit() and int(p) > 40]",
}

ENDINGS = {  # in front of a solved notebook: the cell ends the kernel, everything else keeps its points
    "exits": "import os\nos._exit(1)",
    "loops": "while True:\n    pass",
    "loops-and-holds": "while True:\n    try:\n        while True: pass\n    except BaseException: continue",
    "many-processes": "import subprocess\nmore = [subprocess.Popen(['sleep', '60']) for _ in range(300)]\nimport time; time.sleep(5)",
    "fills-memory": "hoard = []\nfor _ in range(40):\n    hoard.append(bytearray(b'x' * (50 * 2**20)))\nimport time; time.sleep(5)",
    "floods": "for _ in range(10**6): print('x' * 1000)",
}


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
    places = {
        "submissions": room.submissions,
        "solutions": SOLUTIONS / f"{LESSON}.ipynb",
        "out": room.out,
        "port": server.getsockname()[1],
    }
    room.hand_in("right", solved)
    room.hand_in("empty", handed_out)
    wrong = "def corr2d(X, K):\n    return X"
    room.hand_in("one-wrong", replaced(solved, corr2d=wrong))
    room.hand_in("stops-in-check", replaced(solved, corr2d="def corr2d(X, K):\n    while True: pass"))
    room.hand_in("dies-in-check", replaced(solved, corr2d="def corr2d(X, K):\n    import os\n    os._exit(0)"))
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
    for name, code in HOSTILE.items():
        for place, path in places.items():
            code = code.replace(f"{{{place}}}", str(path))
        room.hand_in(name, with_code(solved, code + "\nif found: print('SUC' + 'CEEDED')"))
    for name, code in ENDINGS.items():
        room.hand_in(name, with_code(solved, code, before="max_pool2d"))
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
    "student", ["stops-in-check", "dies-in-check", "check-deleted", "check-edited", "solution-deleted"]
)
def test_only_the_exercise_in_question_is_lost(student, graded):
    assert graded.points(student) == 8


def test_an_error_in_a_cell_of_ones_own_costs_nothing(graded):
    assert graded.points("raises") == 10


@pytest.mark.parametrize(("student", "code"), pairs(FORGERIES))
def test_forgery_earns_nothing(student, code, graded):
    assert graded.points(student) == 0


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


@pytest.mark.parametrize(("student", "code"), pairs(ENDINGS))
def test_what_ends_the_kernel_costs_nothing_else(student, code, graded):
    assert graded.points(student) == 10
    assert "Ended" in graded.page(student)


def test_feedback_pages_run_no_script_of_a_student(graded):
    page = graded.page("scripted")
    assert page.count("stolen()") >= 4  # what was typed is to be seen
    assert "<script>stolen" not in page and "<img src=x" not in page and '">stolen()</script>' not in page


@pytest.mark.parametrize(("student", "problem"), [
    ("broken", "not a notebook that can be read"),
    ("linked", "not a plain file"),
    ("nothing", "no notebook"),
])  # fmt: skip
def test_what_cannot_be_graded_has_a_row_that_says_why(student, problem, graded):
    assert graded.status == 1
    assert graded.points(student) == 0 and problem in graded.rows[student]["problem"]


def test_every_student_has_a_row_and_every_graded_one_a_page(graded):
    students = {folder.name for folder in graded.submissions.iterdir()}
    assert set(graded.rows) == students
    pages = {folder.name for folder in (graded.out / "feedback").iterdir()}
    assert pages == {student for student, row in graded.rows.items() if not row["problem"]}
