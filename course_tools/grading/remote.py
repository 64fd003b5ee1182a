"""How a check asks a student's kernel from outside.

The check's cell is not run in the kernel. What it says, `check("name", answer)`, is read by the grader, which draws
questions, has the kernel put them to the answer, and judges the replies itself. Whatever a student's code does to
`check`, to torch or to the kernel, it can only change the replies.
"""

import ast
import secrets

from course_tools.checks import find
from course_tools.checks.exercise import WrongAnswer
from course_tools.checks.wire import decode, encode


def parts(source: str) -> tuple[str, str]:
    """The exercise's name and the answer's expression in the source of a check's cell.

    >>> parts("from course_tools import check\\ncheck('corr2d', corr2d)")
    ('corr2d', 'corr2d')
    """
    for statement in ast.parse(source).body:
        call = getattr(statement, "value", None)
        if isinstance(call, ast.Call) and getattr(call.func, "id", None) == "check" and len(call.args) == 2:
            return ast.literal_eval(call.args[0]), ast.unparse(call.args[1])
    raise ValueError(f"a check's cell must call check(name, answer), it says: {source!r}")


def question(source: str, name: str, expression: str) -> str:
    """The expression that the kernel evaluates to answer the questions `source`, as `encode` wrote them."""
    return (
        f"__import__('course_tools.checks.wire', fromlist=['put']).put({name!r}, lambda: ({expression}), {source!r})"
    )


def judge(source: str, evaluate) -> str:
    """The praise for the answer that the check's cell `source` names, or `WrongAnswer`.

    `evaluate(expression)` has the kernel evaluate an expression and returns the text that it gave.
    """
    name, expression = parts(source)

    def ask(questions):
        try:
            return decode(evaluate(question(encode(questions), name, expression)))
        except ValueError as error:
            raise WrongAnswer(name, "no reply that can be read", "replies from the kernel", str(error)) from error

    return find(name).judge(ask, seed=secrets.randbits(31))
