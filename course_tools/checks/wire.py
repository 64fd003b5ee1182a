"""Questions and replies as text, for the way into a student's kernel and back.

JSON, because reading it cannot run code: what comes back was written by a process in which the student's code ran.
"""

import base64
import json

import torch

from course_tools.checks.asking import Failure, Unusual, replies

DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        torch.float32,
        torch.float64,
        torch.float16,
        torch.bfloat16,
        torch.int64,
        torch.int32,
        torch.int16,
        torch.int8,
        torch.uint8,
        torch.bool,
    )
}


def encode(value) -> str:
    """`value`, plain data as `exercise.plain` gives it, as text.

    >>> decode(encode([(1, 2.5), torch.arange(3), None]))
    [[1, 2.5], tensor([0, 1, 2]), None]
    """
    return json.dumps(value, default=_pack)


def decode(text: str):
    """What `encode` was given, with lists for tuples. Raises ValueError for anything that is no such text."""
    try:
        return json.loads(text, object_hook=_unpack)
    except Exception as error:  # whatever a text that was made to do harm makes the readers raise
        raise ValueError(f"not what encode writes: {error!r}") from error


def put(name: str, answer, questions: str) -> str:
    """Runs in the student's kernel: puts the encoded `questions` to what `answer()` gives and encodes the replies."""
    asked = [tuple(each) for each in decode(questions)]
    try:
        found = answer()
    except (Exception, SystemExit) as error:  # the name is not defined, say: a reply like any other
        return encode([Failure(type(error).__name__, str(error)[:300])] * len(asked))
    return encode(replies(name, found, asked))


def _pack(value):
    if isinstance(value, torch.Tensor):
        data = value.detach().cpu().contiguous()
        raw = base64.b64encode(bytes(data.flatten().view(torch.uint8).tolist() if data.numel() else ())).decode()
        return {"<tensor>": str(data.dtype).removeprefix("torch."), "shape": list(data.shape), "data": raw}
    if isinstance(value, Failure):
        return {"<failure>": value.kind, "text": value.text}
    if isinstance(value, Unusual):
        return {"<unusual>": value.kind}
    raise TypeError(f"{type(value).__name__} is not plain data")


def _unpack(value: dict):
    if "<tensor>" in value:
        raw = base64.b64decode(value["data"])
        data = torch.frombuffer(bytearray(raw), dtype=DTYPES[value["<tensor>"]]) if raw else torch.zeros(0)
        return data.reshape(value["shape"])
    if "<failure>" in value:
        return Failure(str(value["<failure>"]), str(value["text"]))
    if "<unusual>" in value:
        return Unusual(str(value["<unusual>"]))
    return value
