"""What all units of a tensor see, rows and columns together, and the four things that can happen to it."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from . import receptive_field as rf
from .receptive_field import UnknownField, Window


@dataclass(frozen=True)
class Field:
    """What the units of a tensor see; rows and columns of the map are its last two dimensions.

    `scattered`: the map was flattened, its units see different parts of the hull that `h` and `w` give.
    """

    h: Window
    w: Window
    scattered: bool = False

    @property
    def uniform(self) -> bool:
        """Whether all units see the same, wherever they lie."""
        return not (self.h.step or self.w.step or self.scattered)


@dataclass(frozen=True)
class Signal:
    """A value on its way through the net: a tensor without storage, or a number or a shape.

    `field` is None for what no pixel reaches (weights, shapes), and unknown if there is a `reason`.
    `weights` are the parameters that it was computed from outside of any module.
    """

    value: Any
    field: Field | None = None
    reason: str | None = None
    weights: tuple = ()

    @property
    def shape(self):
        return self.value.shape

    @property
    def seen(self):
        """Whether pixels reach it."""
        return self.field is not None or self.reason is not None

    @property
    def argument(self):
        """As a rule gets it: a number or a shape as it is."""
        return self if self.seen or isinstance(self.value, Tensor) else self.value


def laid(x, h, w):
    """Lay the windows of a layer over a map."""
    if x.field.scattered:
        raise UnknownField("its input was flattened or permuted, so where its units lie is lost")
    return Field(rf.through(h, x.field.h), rf.through(w, x.field.w))


def flattened(x, field=None):
    """The hull over all units of `x`."""
    field = field or x.field
    if field.scattered or field.uniform:
        return field
    rows, columns = x.shape[-2:]
    scattered = bool(rows > 1 and field.h.step or columns > 1 and field.w.step)
    return Field(field.h.shared_by(rows), field.w.shared_by(columns), scattered)


def mixed(x, dims):
    """Every output sees all of the input along `dims`: sums, softmax, linear layers, norms over space."""
    if x.field.uniform:
        return x.field
    dims = {dim % len(x.shape) - len(x.shape) for dim in dims}
    if x.field.scattered:
        return Field(x.field.h, x.field.w, scattered=len(x.shape) > 2 or -1 not in dims)
    return Field(x.field.h.shared_by(x.shape[-2]) if -2 in dims else x.field.h,
                 x.field.w.shared_by(x.shape[-1]) if -1 in dims else x.field.w)


def joined(fields_and_shapes, shape):
    """Tensors that meet, broadcast to `shape`: the union of what they see."""
    union = None
    for field, own in fields_and_shapes:
        if not (field.uniform or field.scattered):
            h, w = (window.shared_by(1) if units == 1 < outputs else window
                    for window, units, outputs in zip((field.h, field.w), own[-2:], shape[-2:]))
            field = Field(h, w)
        union = field if union is None else _meeting(union, field, shape)
    return union


def _meeting(a, b, shape):
    if not (a.scattered or b.scattered):
        return Field(rf.union(a.h, b.h, shape[-2]), rf.union(a.w, b.w, shape[-1]))
    if any(not (field.scattered or field.uniform) for field in (a, b)):
        raise UnknownField("a flattened tensor meets a map, so which units meet is not known")
    return Field(rf.union(a.h, b.h, 1), rf.union(a.w, b.w, 1), scattered=True)
