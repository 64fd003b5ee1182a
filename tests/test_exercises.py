"""Every exercise: right answers pass, wrong ones fail with the hint that fits, nothing passes by accident."""

import json
import re
import sys
from pathlib import Path

import pytest
import torch
from exercise_answers import ANSWERS_0_TO_4, ANSWERS_5_TO_8

from course_tools.checks import check, exercises, find, lesson_of
from course_tools.checks.asking import replies
from course_tools.checks.exercise import WrongAnswer
from course_tools.checks.wire import decode, encode

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
ANSWERS = ANSWERS_0_TO_4 | ANSWERS_5_TO_8
WRONG = [(name, number) for name, (_, wrong) in ANSWERS.items() for number in range(len(wrong))]
NAMES = list(exercises())
GENERIC = (  # hints that say nothing about the exercise
    "stopped with this error|by hand|same reply to every|unchanged|shape is not|right for|special cases|nothing back|"
    "an object of type|a number, a tensor"
)


def code_cells(lesson, kind="solutions"):
    notebook = json.loads(next((NOTEBOOKS / kind).glob(f"{lesson:02d}_*.ipynb")).read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def answer(name, source=None, slip=None):
    """What the notebook of `name` hands to `check`, with `source` for the solution's code, or a slip made in it."""
    cells = [cell for cell in code_cells(lesson_of(name)) if not cell.startswith("# Makes course_lib")]
    function = re.search(rf'check\("{name}", (\w+)\)', "\n".join(cells))[1]
    space = {}
    for cell in cells:
        if f"def {function}(" in cell:
            if slip is not None:
                assert slip[0] in cell, f"the solution of {name} no longer says {slip[0]!r}"
                cell = cell.replace(*slip)
            exec(cell if source is None else source, space)
            return space[function]
        if "BEGIN SOLUTION" in cell or "import torch" in cell:
            exec(cell, space)
    raise AssertionError(f"no notebook defines {function}")


def wrong_answer(name, number):
    old, new, _ = ANSWERS[name][1][number]
    return answer(name, source=old) if new is None else answer(name, slip=(old, new))


def hint(name, given, seed=0):
    """The hint for the answer `given`, or None where it passes."""
    exercise = find(name)
    try:
        exercise.judge(lambda questions: replies(name, given, questions), seed)
    except WrongAnswer as wrong:
        return wrong.hint
    return None


def test_every_exercise_has_answers_here_and_a_notebook():
    assert list(ANSWERS) == NAMES
    checked = [name for lesson in range(9) for cell in code_cells(lesson) for name in re.findall(r'check\("(\w+)"', cell)]
    assert checked == NAMES
    counts = [sum(lesson_of(name) == lesson for name in NAMES) for lesson in range(9)]
    assert all(3 <= count <= 6 for count in counts)
    assert all(len(wrong) >= 4 for _, wrong in ANSWERS.values())


@pytest.mark.parametrize("name", NAMES)
def test_two_right_answers_pass(name):
    seeds = (0,) if name == "experiment" else (0, 1, 2, 3)  # its solution trains nets
    for given in (answer(name), answer(name, source=ANSWERS[name][0])):
        for seed in seeds:
            assert hint(name, given, seed) is None


@pytest.mark.parametrize(("name", "number"), WRONG)
def test_wrong_answer_gets_its_hint(name, number):
    expected = ANSWERS[name][1][number][2]
    assert expected in (hint(name, wrong_answer(name, number)) or "passed")


@pytest.mark.parametrize("name", NAMES)
def test_hints_of_wrong_answers_differ(name):
    hints = [hint(name, wrong_answer(name, number)) for number in range(len(ANSWERS[name][1]))]
    own = {hint for hint in hints if not re.search(GENERIC, hint)}
    assert len(own) >= 4 and len(set(hints)) == len(hints), hints


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_each_usual_mistake_gets_its_own_hint(name, seed):
    for mistake, expected in find(name).mistakes:
        assert hint(name, mistake, seed) == expected


@pytest.mark.parametrize("name", NAMES)
def test_nothing_passes_by_accident(name):
    exercise = find(name)
    truth = replies(name, exercise.right, exercise.questions(torch.Generator().manual_seed(0)))
    constants = [None, 0, 1, True, 0.5, "", [], torch.zeros(1), *truth]
    for constant in constants:
        assert hint(name, lambda *question, constant=constant: constant) is not None
    for place in range(6):
        assert hint(name, lambda *question, place=place: question[place]) is not None  # one of its inputs
    for thing in (None, 3, "corr2d", print, torch.nn.Linear(2, 2), type):
        assert hint(name, thing) is not None


def test_unsolved_exercises_say_that_they_are_still_to_be_written():
    def unwritten(*question):
        raise NotImplementedError

    for name in set(NAMES) - {"classifier"}:
        assert "still to be written" in hint(name, unwritten)


def test_check_prints_and_raises_only_when_grading(capsys, monkeypatch):
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    check("first_loss", lambda classes: 1 / classes)
    printed = capsys.readouterr().out
    assert re.search(r"✗ first_loss: not yet.\n  came: +0.1, for .*\n  expected: +2.30259\n  hint: +the probability", printed)
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    with pytest.raises(WrongAnswer, match="the probability"):
        check("first_loss", lambda classes: 1 / classes)


@pytest.mark.parametrize(("reply", "words"), [
    (lambda *question: sys.exit("enough"), "SystemExit: enough"),
    (lambda *question: 10**5000, "an object of type int"),
    (lambda *question: torch.eye(3).to_sparse(), "an object of type Tensor (sparse"),
    (lambda *question: torch.quantize_per_tensor(torch.ones(2), 1.0, 0, torch.qint8), "an object of type Tensor (sparse"),
    (lambda *question: torch.zeros(3, device="meta"), "an object of type Tensor (sparse"),
    (lambda *question: 10**400 if isinstance(question[0], int) else None, ""),
    (lambda *question: {1: [{2: None}]}, ""),
], ids=["exits", "digits", "sparse", "quantized", "meta", "overflow", "nested"])  # fmt: skip
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NAMES)
def test_check_raises_nothing_outside_grading(name, reply, words, capsys, monkeypatch):
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    check(name, reply)
    printed = capsys.readouterr().out
    assert printed.startswith(f"✗ {name}: not yet.")
    if name in ("corr2d", "softmax", "output_size"):  # others put the reply through a probe or a verdict of their own
        assert words in printed


def test_check_leaves_chance_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    check("dropout", answer("dropout"))
    assert torch.equal(torch.rand(3), expected)


def test_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match="is it 'corr2d'"):
        check("cor2d", print)


@pytest.mark.parametrize("value", [
    [(1, 2.5, "A", None, True)], torch.arange(6.0).reshape(2, 3), torch.zeros(0, 3), {"a": [torch.tensor(1)]},
    torch.tensor([1.5], dtype=torch.bfloat16), float("inf"),
])  # fmt: skip
def test_wire_carries_plain_data(value):
    back = decode(encode(value))
    if isinstance(value, torch.Tensor):
        assert back.dtype == value.dtype and torch.equal(back, value)
    else:
        assert encode(back) == encode(value)


@pytest.mark.parametrize("text", ["", "{", '{"<tensor>": "float32"}', '{"<tensor>": "no", "shape": [], "data": ""}', "[" * 10**5])
def test_wire_refuses_what_it_did_not_write(text):
    with pytest.raises(ValueError):
        decode(text)


@pytest.mark.parametrize("lesson", range(9))
def test_no_solution_leaks_into_the_students_notebook(lesson):
    solved, students_file = code_cells(lesson), next((NOTEBOOKS / "exercises").glob(f"{lesson:02d}_*.ipynb"))
    students = re.sub("```python.*?```", "", students_file.read_text(encoding="utf-8"), flags=re.DOTALL)  # given code
    everything = next((NOTEBOOKS / "solutions").glob(f"{lesson:02d}_*.ipynb")).read_text(encoding="utf-8")
    regions = re.findall(r"### BEGIN SOLUTION\n(.*?)\n *### END SOLUTION", "\n".join(solved), re.DOTALL)
    answers = re.findall(r'<!-- BEGIN SOLUTION -->\\n",\n(.*?)<!-- END SOLUTION', everything, re.DOTALL)
    assert len(regions) == len(answers) == sum(lesson_of(name) == lesson for name in NAMES)
    for line in (line.strip() for region in regions + answers for line in region.splitlines()):
        if len(line) > 25:
            assert json.dumps(line)[1:-1] not in students, line
    cells = json.loads(students_file.read_text(encoding="utf-8"))["cells"]
    sources = "\n".join("".join(cell["source"]) for cell in cells)
    written = "\n".join("".join(cell["source"]) for cell in json.loads(everything)["cells"])
    whole = regions + re.findall("<!-- BEGIN SOLUTION -->\n(.*?)<!-- END SOLUTION", written, re.DOTALL)
    assert len(whole) == 2 * len(regions)
    for region in whole:  # however short
        assert region.strip() not in sources, region
    assert all(cell.get("outputs", []) == [] for cell in cells)
    assert "SOLUTION" not in students and students.count("YOUR CODE HERE") >= len(regions)
