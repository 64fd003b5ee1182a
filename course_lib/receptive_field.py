"""Receptive fields: which pixels of the image can reach a unit of a layer.

Each axis is treated by itself. Along one axis, unit 0 of a tensor sees the pixels `start` to `end`,
and the next unit's window lies `jump` pixels further on. A layer is a window too: unit 0 of its
*output* sees the *units* `start` to `end` of its input, and the next output `stride` units further.
So one operation is enough: `through` lays a layer's window over what the layer's input sees.

>>> image = PIXEL                                              # a pixel sees itself
>>> conv = through(sliding(kernel=3, padding=1), image)
>>> pool = through(sliding(kernel=2, stride=2), conv)
>>> conv2 = through(sliding(kernel=3, padding=1), pool)
>>> [(w.size, w.jump, w.start) for w in (image, conv, pool, conv2)]
[(1, 1, 0), (3, 1, -1), (4, 2, -1), (8, 2, -3)]

Below pixel 0 a window reaches into the padding, whatever that holds. A window is a hull, from the first
pixel to the last: dilation and stride may leave holes in it. The recurrence is that of Araujo, Norris and
Sim, "Computing Receptive Fields of Convolutional Neural Networks" (Distill, 2019), in whole numbers.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, gcd, lcm


class UnknownField(ValueError):
    """What units see cannot be said in the numbers size, jump and start; the message says why."""


@dataclass(frozen=True)
class Window:
    """What the units along one axis see: unit 0 the pixels `starts[0]` to `ends[0]`, ends included.

    Mostly there is one start and one end, and the next unit sees the same `step` pixels further on. After
    upsampling neighbours differ: the pattern is listed once, and repeats. With a `step` of 0 all see the same.

    >>> doubled = through(nearest(8, 16), Window((0,), (2,), 2))   # each unit of a 3-pixel window, twice
    >>> [doubled.span(i) for i in range(4)], doubled.jump
    ([(0, 2), (0, 2), (2, 4), (2, 4)], 1)
    """

    starts: tuple[int, ...]
    ends: tuple[int, ...]
    step: int

    def span(self, unit: int) -> tuple[int, int]:
        """First and last pixel that one unit sees."""
        turns, phase = divmod(unit, len(self.starts))
        return self.starts[phase] + turns * self.step, self.ends[phase] + turns * self.step

    @property
    def size(self) -> int:
        """Pixels from the first to the last; of the largest window where neighbours differ."""
        return max(end - start + 1 for start, end in zip(self.starts, self.ends))

    @property
    def jump(self) -> int | Fraction:
        """Pixels from one unit's window to the next one's; the mean where neighbours differ."""
        jump = Fraction(self.step, len(self.starts))
        return jump.numerator if jump.denominator == 1 else jump

    @property
    def start(self) -> int:
        """First pixel of unit 0's window; negative in the padding."""
        return self.starts[0]

    def shared_by(self, units: int) -> "Window":
        """What `units` neighbours see together, as the window of one that sees it all."""
        spans = [self.span(unit) for unit in range(units)]
        return Window((min(first for first, _ in spans),), (max(last for _, last in spans),), 0)


PIXEL = Window((0,), (0,), 1)


# The recurrence: a layer (stride s, first unit a, last unit b) over windows (jump, start, end).
# For a kernel k with padding p and dilation d, a = -p and b = d(k - 1) - p.

def next_jump(jump: int, stride: int) -> int:
    """Distance between neighbours' windows after a layer: ``next_jump(2, stride=2)`` is 4."""
    return jump * stride


def next_start(start: int, jump: int, first_unit: int) -> int:
    """First pixel after a layer whose output 0 begins at `first_unit` of its input (minus the padding).

    >>> next_start(start=-1, jump=2, first_unit=-1)
    -3
    """
    return start + first_unit * jump


def next_end(end: int, jump: int, last_unit: int) -> int:
    """Last pixel after a layer whose output 0 ends at `last_unit` of its input."""
    return end + last_unit * jump


def through(layer: Window, field: Window) -> Window:
    """What the outputs of a layer see, from its own window (in units) and its input's (in pixels).

    >>> three_by_three = sliding(kernel=3, padding=1)
    >>> through(three_by_three, through(three_by_three, PIXEL)).size       # two 3×3 see 5×5
    5
    """
    if field.step == 0:
        return field
    if len(layer.starts) == len(field.starts) == 1:
        return Window((next_start(field.start, field.step, layer.start),),
                      (next_end(field.ends[0], field.step, layer.ends[0]),),
                      next_jump(field.step, layer.step))
    # Uneven windows: list outputs until both patterns begin anew.
    rounds = len(field.starts) // gcd(len(field.starts), layer.step)
    spans = [layer.span(unit) for unit in range(rounds * len(layer.starts))]
    return Window(tuple(field.span(first)[0] for first, _ in spans),
                  tuple(field.span(last)[1] for _, last in spans),
                  rounds * layer.step // len(field.starts) * field.step)


def union(a: Window, b: Window, units: int) -> Window:
    """What `units` units see that join two branches; `UnknownField` where the jumps differ.

    >>> union(Window((-1,), (1,), 1), Window((-2,), (2,), 1), units=8).size
    5
    """
    if a.step and not b.step:
        a, b = b, a
    if units == 1 and a.jump != b.jump:  # one unit: nothing to disagree about
        a, b = a.shared_by(1), b.shared_by(1)
    if b.step and not a.step:  # all units share `a`: they share the union, too, if `a` holds every window of `b`
        (first, last), reach = a.span(0), b.shared_by(units).span(0)
        if reach[0] < first or reach[1] > last:
            raise UnknownField(f"values shared by all units (pixels {first} to {last}) "
                               f"meet windows that reach beyond them ({reach[0]} to {reach[1]})")
        return a
    if a.jump != b.jump:
        raise UnknownField(f"branches with different jumps meet: {a.jump} and {b.jump} pixels from unit to unit")
    pattern = range(lcm(len(a.starts), len(b.starts)))
    spans = [a.span(unit) + b.span(unit) for unit in pattern]
    return Window(tuple(min(s[0], s[2]) for s in spans), tuple(max(s[1], s[3]) for s in spans),
                  len(pattern) // len(a.starts) * a.step)


# What layers look like as windows over the units of their input.

def sliding(kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> Window:
    """The window of a convolution or a pooling; a kernel of 1 with negative `padding` is a crop.

    >>> sliding(kernel=3, stride=2, padding=1)
    Window(starts=(-1,), ends=(1,), step=2)
    """
    return Window((-padding,), (dilation * (kernel - 1) - padding,), stride)


def transposed(kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> Window:
    """The window of a transposed convolution, whose input unit u writes to outputs su - p … su - p + d(k - 1).

    >>> transposed(kernel=4, stride=2, padding=1)                      # outputs 0 and 1, then again
    Window(starts=(-1, 0), ends=(0, 1), step=1)
    """
    if stride == 1:
        return sliding(kernel, 1, dilation * (kernel - 1) - padding, dilation)
    if dilation > 1 or kernel < stride:
        raise UnknownField("a transposed convolution with dilation, or with a stride above its kernel, "
                           "leaves units out in a pattern that trace has no rule for")
    return _resampled(Fraction(1, stride), lambda unit: ceil(Fraction(unit + padding - kernel + 1, stride)),
                      lambda unit: floor(Fraction(unit + padding, stride)))


def adaptive(units: int, outputs: int) -> Window:
    """The window of adaptive pooling: ⌊iN/M⌋ … ⌈(i + 1)N/M⌉ - 1 of N units for output i of M.

    >>> adaptive(14, 7), adaptive(3, 2)
    (Window(starts=(0,), ends=(1,), step=2), Window(starts=(0, 1), ends=(1, 2), step=3))
    """
    ratio = Fraction(units, outputs)
    return _resampled(ratio, lambda unit: floor(unit * ratio), lambda unit: ceil((unit + 1) * ratio) - 1)


def nearest(units: int, outputs: int) -> Window:
    """The window of nearest-neighbour resizing: every output copies one unit."""
    ratio = Fraction(units, outputs)
    return _resampled(ratio, lambda unit: floor(unit * ratio), lambda unit: floor(unit * ratio))


def bilinear(units: int, outputs: int, align_corners: bool = False) -> Window:
    """The window of bilinear resizing along one axis: the two units beside the output's position.

    >>> bilinear(8, 16)
    Window(starts=(-1, 0), ends=(0, 1), step=1)
    """
    ratio = Fraction(units - align_corners, max(outputs - align_corners, 1))
    shift = 0 if align_corners else (ratio - 1) / 2
    return _resampled(ratio, lambda unit: floor(unit * ratio + shift), lambda unit: ceil(unit * ratio + shift))


def _resampled(ratio: Fraction, first, last) -> Window:
    """Output i sees units first(i) … last(i); after `ratio`'s denominator the pattern repeats, its numerator on."""
    outputs = range(ratio.denominator)
    return Window(tuple(map(first, outputs)), tuple(map(last, outputs)), ratio.numerator)
