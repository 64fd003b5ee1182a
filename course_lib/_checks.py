"""What the builders of nets refuse, in one place: each error says what came and what is allowed."""

from numbers import Integral, Real


def check_count(name, value):
    """Refuse anything but a whole number of at least one."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")


def check_whole(name, value, last=None):
    """Refuse anything but a whole number from 0 on, up to `last` where it is given; return it."""
    allowed = "of at least 0" if last is None else f"from 0 to {last}"
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 0 or (last is not None and value > last):
        raise ValueError(f"{name} must be a whole number {allowed}, got {value!r}")
    return value


def check_dropout(value):
    """Refuse anything but a probability."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= value <= 1:
        raise ValueError(f"dropout must be a number from 0 to 1, got {value!r}")


def height_width(input_size):
    """Return (height, width) in pixels of an `input_size`: one number for a square, or a pair."""
    pair = input_size if isinstance(input_size, (tuple, list)) else (input_size, input_size)
    if len(pair) != 2:
        raise ValueError(f"input_size must be one number or (height, width), got {input_size!r}")
    for value in pair:
        check_count("input_size", value)
    return tuple(pair)
