"""The two colour photographs of the course, as tensors."""

from pathlib import Path

import torch

FOLDER = Path(__file__).parents[1] / "data" / "photos"
NAMES = ("chelsea.png", "rocket.jpg")


def photograph(name):
    """Read "chelsea.png" (a cat, 300×451) or "rocket.jpg" (a launch, 427×640): uint8 `(3, H, W)`, RGB.

    Raises `ValueError` for another name and `FileNotFoundError` where the file is missing.

    >>> photograph("chelsea.png").shape
    torch.Size([3, 300, 451])
    """
    from torchvision.io import ImageReadMode, decode_image

    if name not in NAMES:
        raise ValueError(f"unknown photograph {name!r}: allowed are {', '.join(NAMES)}")
    path = FOLDER / name
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: bring it back with `git checkout data/photos`, or open the "
                                "lesson from a checkout of the course, which has it")
    data = torch.frombuffer(bytearray(path.read_bytes()), dtype=torch.uint8)
    return decode_image(data, mode=ImageReadMode.RGB)
