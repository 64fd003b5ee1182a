"""The two colour photographs of the course, as tensors."""

from pathlib import Path

import numpy as np
import torch

FOLDER = Path(__file__).parents[1] / "data" / "photos"
NAMES = ("chelsea.png", "rocket.jpg")


def photograph(name):
    """Read "chelsea.png" (a cat, 300×451) or "rocket.jpg" (a launch, 427×640): uint8 `(3, H, W)`, RGB.

    Raises `ValueError` for another name and `FileNotFoundError` where the file is missing.

    >>> photograph("chelsea.png").shape
    torch.Size([3, 300, 451])
    """
    from PIL import Image

    if name not in NAMES:
        raise ValueError(f"unknown photograph {name!r}: allowed are {', '.join(NAMES)}")
    path = FOLDER / name
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: bring it back with `git checkout data/photos`, or open the "
                                "lesson from a checkout of the course, which has it")
    with Image.open(path) as image:
        pixels = np.array(image.convert("RGB"))             # (H, W, 3)
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()
