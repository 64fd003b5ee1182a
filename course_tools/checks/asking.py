"""Puts an exercise's questions to a student's answer; what comes back is plain data, to be judged elsewhere.

With `probes.py`, `nets.py` and `wire.py` this is all that `make grade` lets into the sandbox in which a student's code
runs: nothing in these four knows a right reply.
"""

import copy
from dataclasses import dataclass

import torch

from course_tools.checks.probes import PROBES


@dataclass(frozen=True)
class Unusual:
    """Stands for a reply that is not plain data, such as a module where a tensor was expected."""

    kind: str


@dataclass(frozen=True)
class Failure:
    """Stands for a reply that did not come, because the answer stopped with an error."""

    kind: str
    text: str


def replies(name: str, answer, questions) -> list:
    """What `answer` replies to each of the questions of the exercise `name`, as plain data; errors become `Failure`s."""
    probe = PROBES.get(name, call)
    with torch.random.fork_rng(devices=[]):
        return [_reply(probe, answer, copy.deepcopy(question)) for question in questions]


def call(answer, *question):
    """The usual probe: calls the student's function with the question's values."""
    return answer(*question)


def _reply(probe, answer, question):
    torch.manual_seed(0)
    try:
        return plain(probe(answer, *question))
    except (Exception, SystemExit) as error:  # whatever a student's code raises is an answer to be explained
        return Failure(type(error).__name__, str(error).strip().partition("\n")[0][:300])


def plain(value):
    """`value` as plain data: tensors on the CPU, numbers, strings, None, and lists and dicts of these."""
    if isinstance(value, torch.Tensor):
        if value.layout != torch.strided or value.is_quantized or value.is_meta:
            return Unusual(f"{type(value).__name__} (sparse, quantized or without data)")
        return value.detach().cpu().clone()
    if value is None or isinstance(value, (bool, int, float, str, Unusual, Failure)):
        return value
    if hasattr(value, "__array__") and hasattr(value, "dtype"):  # numpy's arrays and numbers
        return torch.as_tensor(value)
    if isinstance(value, (list, tuple, range)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return Unusual(type(value).__name__)
