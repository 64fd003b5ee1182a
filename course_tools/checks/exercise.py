"""What an exercise is, and how an answer is compared with the right one.

An exercise asks questions, which are drawn from a seed, so that no constant and no answer to one example passes. The
answer's replies are compared with those of a right solution; where they differ, they are compared with what each of
the usual mistakes would have replied, and the mistake that fits gives the hint. Questions and replies are plain data,
so that `make grade` can ask a student's kernel from outside and judge in a process that the student cannot reach.
"""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from course_tools.checks.asking import Failure, Unusual, replies

CLOSE = 1e-4  # relative, and absolute for numbers below one: another order of summation passes, another rule does not


class WrongAnswer(AssertionError):
    """An answer that is not right; its text says what came, what was expected and what probably went wrong."""

    def __init__(self, name: str, came: str, expected: str, hint: str):
        super().__init__(f"✗ {name}: not yet.\n  came:     {came}\n  expected: {expected}\n  hint:     {hint}")
        self.hint = hint


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    `questions(generator)` returns a list of tuples of plain data, `right(*question)` the right reply. `mistakes` are
    pairs of a function that goes wrong in a usual way, and the hint for it. Where a reply is not what the function
    returns, `probes.PROBES[name](answer, *question)` makes it, of `right` and the mistakes, too.
    `verdict(questions, replies)`, for exercises with more than one right reply, returns None or what came, what was
    expected and a hint.
    """

    name: str
    questions: Callable
    praise: str
    right: Callable
    mistakes: tuple[tuple[Callable, str], ...] = ()
    verdict: Callable | None = None

    def judge(self, ask: Callable, seed: int) -> str:
        """Asks `ask(questions)` for the replies and returns the praise, or raises `WrongAnswer`."""
        questions = self.questions(torch.Generator().manual_seed(seed))
        came = ask(copy.deepcopy(questions))
        try:
            problem = self._problem(questions, came)
        except Exception as error:  # replies that nobody could compare, whatever they are
            problem = show(came), "replies of the kind that the function's description names", f"{error}"
        if problem is not None:
            raise WrongAnswer(self.name, *problem)
        return self.praise

    def _problem(self, questions, came):
        """None where the replies are right, else what came, what was expected and a hint."""
        if not isinstance(came, list) or len(came) != len(questions):
            return show(came), f"{len(questions)} replies", "the answer could not be asked."
        for question, reply in zip(questions, came):
            if (problem := unusable(reply)) is not None:
                hint = self._mistake(questions, came) or problem[1]
                return problem[0], f"a reply to {show_call(self.name, question)}", hint
        return (self.verdict or self._compare)(questions, came)

    def _compare(self, questions, came):
        truth = replies(self.name, self.right, questions)
        wrong = [number for number in range(len(truth)) if not agree(came[number], truth[number])]
        if not wrong:
            return None
        first = wrong[0]
        got, expected = difference(came[first], truth[first])
        return (
            f"{got}, for {show_call(self.name, questions[first])}",
            expected,
            self._hint(questions, came, truth, wrong),
        )

    def _mistake(self, questions, came) -> str | None:
        """The hint of the mistake that replies as `came` does, to every question."""
        for mistake, hint in self.mistakes:
            if all(map(agree, came, replies(self.name, mistake, questions))):
                return hint
        return None

    def _hint(self, questions, came, truth, wrong) -> str:
        if (hint := self._mistake(questions, came)) is not None:
            return hint
        if len(came) > 1 and all(agree(reply, came[0]) for reply in came):
            return "the same reply to every question: does your code use what it is given?"
        if any(agree(came[number], value) for number in wrong[:1] for value in questions[number]):
            return "this is what the function was given, unchanged."
        if agree(squeezed(came[wrong[0]]), squeezed(truth[wrong[0]])):
            return "the numbers are right; the shape is not."
        if len(wrong) * 2 <= len(came):
            return f"right for {len(came) - len(wrong)} of {len(came)} questions: what is special about this one?"
        if len(wrong) < len(came):
            return "right for special cases only: work this one out by hand and compare."
        if isinstance(truth[wrong[0]], torch.Tensor) and shape_of(came[wrong[0]]) == shape_of(truth[wrong[0]]):
            return "the shape is right and the numbers are not: work out one of them by hand and compare."
        return "work through this one by hand, step by step, and compare with your code."


def unusable(reply):
    """What came and a hint where `reply` cannot be compared with anything, else None."""
    if isinstance(reply, Failure) and reply.kind == "NotImplementedError":
        return "NotImplementedError", "this one is still to be written."
    if isinstance(reply, Failure):
        return f"{reply.kind}: {reply.text}", "your code stopped with this error; try it with values of these shapes."
    if reply is None:
        return "None", "the function gave nothing back: is a `return` missing, or was it never reached?"
    if isinstance(reply, Unusual):
        return f"an object of type {reply.kind}", "a number, a tensor or a list is expected here: is one call missing?"
    return None


def agree(came, truth) -> bool:
    """Whether `came` is as good as `truth`: numbers and tensors nearly equal, lists item by item."""
    if isinstance(truth, torch.Tensor) or isinstance(came, torch.Tensor):
        came, truth = tensor(came), tensor(truth)
        if came is None or truth is None or came.shape != truth.shape:
            return False
        return torch.allclose(came.double(), truth.double(), rtol=CLOSE, atol=CLOSE, equal_nan=True)
    if isinstance(truth, (int, float)) and isinstance(came, (int, float)):
        if isinstance(truth, int) and isinstance(came, int):
            return came == truth
        return came == truth or math.isclose(came, truth, rel_tol=CLOSE, abs_tol=1e-7)
    if isinstance(truth, list) and isinstance(came, list):
        return len(came) == len(truth) and all(map(agree, came, truth))
    if isinstance(truth, dict) and isinstance(came, dict):
        return came.keys() == truth.keys() and all(agree(came[key], truth[key]) for key in truth)
    return type(came) is type(truth) and came == truth


def tensor(value) -> torch.Tensor | None:
    """`value` as a tensor, or None where it is none and cannot become one."""
    if isinstance(value, torch.Tensor):
        return value
    try:
        return torch.tensor(value, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        return None


def shape_of(value) -> tuple | None:
    """The shape of what can be taken for a tensor, else None."""
    value = tensor(value)
    return None if value is None else tuple(value.shape)


def squeezed(value):
    """`value` without axes of length 1, where it is a tensor."""
    return value.squeeze() if isinstance(value, torch.Tensor) else value


def difference(came, truth) -> tuple[str, str]:
    """Both in words; of two dicts or long lists, the first thing in which they differ."""
    if isinstance(came, dict) and isinstance(truth, dict):
        for key in truth:
            if key not in came or not agree(came[key], truth[key]):
                got, expected = difference(came.get(key), truth[key])
                return f"{key}: {got}", f"{key}: {expected}"
    if isinstance(came, list) and isinstance(truth, list) and len(came) == len(truth) > 4:
        for number, (got, expected) in enumerate(zip(came, truth)):
            if not agree(got, expected):
                return f"at place {number}: {show(got)}", f"at place {number}: {show(expected)}"
    if shape_of(came) == shape_of(truth) and show(came) == show(truth) and isinstance(truth, torch.Tensor):
        far = ~torch.isclose(tensor(came).double(), truth.double(), rtol=CLOSE, atol=CLOSE, equal_nan=True)
        place = tuple(far.nonzero()[0].tolist())
        where = f"{show(truth)}, at {list(place)} "
        return where + show(tensor(came)[place].item()), where + show(truth[place].item())
    return show(came), show(truth)


def show(value) -> str:
    """`value` in few words; of what cannot be written down, its type.

    >>> show(torch.zeros(3, 224, 224)), show(2 / 3), show((1, "A"))
    ('a tensor of shape (3, 224, 224)', '0.666667', "[1, 'A']")
    """
    try:
        return _show(value)
    except Exception:  # an integer of thousands of digits, say
        return f"an object of type {type(value).__name__}"


def _show(value) -> str:
    if isinstance(value, torch.Tensor):
        if value.numel() == 1 or value.numel() <= 12 and value.dim() == 1:
            return show(value.tolist())
        shape = f"a tensor of shape {tuple(value.shape)}"
        return f"{shape}: {show(value.tolist())}" if 1 < value.numel() <= 12 else shape
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, (list, tuple)):
        text = f"[{', '.join(show(item) for item in value)}]"
        return text if len(text) <= 200 else f"{text[:190]} …]"
    if isinstance(value, dict):
        text = f"{{{', '.join(f'{key}: {show(item)}' for key, item in value.items())}}}"
        return text if len(text) <= 200 else f"{text[:190]} …}}"
    return repr(value)


def show_call(name: str, question) -> str:
    """The question as a call of the exercise's function."""
    return f"{name}({', '.join(show(value) for value in question)})"
