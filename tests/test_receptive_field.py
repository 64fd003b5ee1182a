"""Windows against gradients: with kernels of ones, a pixel reaches a unit exactly where the gradient is not zero."""

import random
from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F

from course_lib.receptive_field import (PIXEL, UnknownField, Window, adaptive, bilinear, nearest, next_end, next_jump,
                                        next_start, sliding, through, transposed, union)


def ones(kernel):
    return torch.ones(1, 1, kernel, dtype=torch.float64)


def seen(layers, pixels):
    """First and last pixel that each unit sees, from the gradient of the layers themselves."""
    x = torch.ones(1, 1, pixels, dtype=torch.float64, requires_grad=True)
    y = x
    for layer in layers:
        y = layer(y)
    spans = []
    for unit in y.flatten():
        reached = torch.autograd.grad(unit, x, retain_graph=True)[0].flatten().abs().gt(1e-9).nonzero().flatten()
        spans.append((int(reached[0]), int(reached[-1])) if len(reached) else None)
    return spans


def assert_same_inside(window, spans, pixels):
    """Units whose window lies in the image must see it from end to end; returns how many there are."""
    inside = 0
    for unit, span in enumerate(spans):
        first, last = window.span(unit)
        if first >= 0 and last < pixels:
            assert span == (first, last), f"unit {unit}"
            inside += 1
        elif span is not None:
            assert first <= span[0] and span[1] <= last
    return inside


def random_layer(rng, units):
    kind = rng.choice(["conv", "conv", "conv", "transposed", "nearest", "bilinear", "adaptive"])
    kernel, stride, dilation = rng.randint(1, 4), rng.randint(1, 3), rng.randint(1, 3)
    if kind == "conv":
        padding = rng.randint(0, dilation * (kernel - 1))
        return (lambda x: F.conv1d(x, ones(kernel), stride=stride, padding=padding, dilation=dilation),
                sliding(kernel, stride, padding, dilation))
    if kind == "transposed":
        stride, padding = min(stride, kernel), rng.randint(0, kernel - 1)
        return (lambda x: F.conv_transpose1d(x, ones(kernel), stride=stride, padding=padding),
                transposed(kernel, stride, padding))
    outputs = units * stride if kind != "adaptive" else max(2, units * rng.randint(1, 5) // 3)
    if kind == "adaptive":
        return lambda x: F.adaptive_avg_pool1d(x, outputs), adaptive(units, outputs)
    if kind == "nearest":
        return lambda x: F.interpolate(x, outputs), nearest(units, outputs)
    corners = rng.random() < 0.5
    return (lambda x: F.interpolate(x, outputs, mode="linear", align_corners=corners),
            bilinear(units, outputs, corners))


def test_random_stacks_see_what_their_gradients_reach():
    rng, inside, uneven = random.Random(1), 0, 0
    for _ in range(60):
        pixels, layers, window = rng.randint(24, 48), [], PIXEL
        y = torch.ones(1, 1, pixels, dtype=torch.float64)
        for _ in range(rng.randint(1, 5)):
            layer, own = random_layer(rng, y.shape[-1])
            if y.shape[-1] < 10 or layer(y).shape[-1] > 80:
                break
            y, window = layer(y), through(own, window)
            layers.append(layer)
        inside += assert_same_inside(window, seen(layers, pixels), pixels)
        uneven += len(window.starts) > 1
    assert inside > 500 and uneven > 15  # the comparison is not empty


def test_the_recurrence_is_the_one_of_the_course():
    # VGG's first block and pooling, worked out by hand: 3×3, 3×3, 2×2 with stride 2.
    jump, start, end = 1, 0, 0
    for kernel, stride, padding, expected in ((3, 1, 1, (1, -1, 1)), (3, 1, 1, (1, -2, 2)), (2, 2, 0, (2, -2, 3))):
        first, last = -padding, kernel - 1 - padding
        jump, start, end = next_jump(jump, stride), next_start(start, jump, first), next_end(end, jump, last)
        assert (jump, start, end) == expected


def test_dilation_counts_its_holes():
    assert through(sliding(kernel=3, dilation=4), PIXEL).size == 9


def test_upsampling_has_a_fractional_jump_and_whole_windows():
    window = through(nearest(8, 16), through(sliding(3, padding=1), PIXEL))
    assert window.jump == Fraction(1, 2) and window.size == 3 and window.start == -1
    assert [window.span(unit) for unit in range(4)] == [(-1, 1), (-1, 1), (0, 2), (0, 2)]


def test_downsampling_undoes_the_pattern_of_upsampling():
    window = through(sliding(2, stride=2), through(nearest(8, 16), PIXEL))
    assert window == PIXEL and isinstance(window.jump, int)


def test_whole_jumps_are_ints_even_where_windows_are_uneven():
    window = through(nearest(4, 8), through(sliding(2, stride=2), PIXEL))
    assert window.jump == 1 and isinstance(window.jump, int)


def test_a_union_reaches_as_far_as_the_farther_branch_on_either_side():
    left, right = Window((-4,), (1,), 2), Window((-1,), (5,), 2)
    assert union(left, right, 8) == union(right, left, 8) == Window((-4,), (5,), 2)


def test_a_union_of_even_and_uneven_windows_keeps_each_units_reach():
    a, b = through(nearest(8, 16), Window((0,), (1,), 2)), Window((0,), (0,), 1)
    joint = union(a, b, 16)
    for unit in range(16):
        spans = a.span(unit), b.span(unit)
        assert joint.span(unit) == (min(s[0] for s in spans), max(s[1] for s in spans))


def test_branches_with_different_jumps_have_no_common_window():
    with pytest.raises(UnknownField, match="different jumps meet: 1 and 2"):
        union(Window((0,), (2,), 1), Window((0,), (2,), 2), 8)


def test_one_unit_alone_joins_branches_of_any_jump():
    assert union(Window((0,), (2,), 1), Window((-3,), (1,), 2), 1).span(0) == (-3, 2)


def test_what_all_units_share_swallows_windows_inside_it_and_no_others():
    shared, moving = Window((-1,), (8,), 0), Window((-1,), (1,), 1)
    assert union(shared, moving, 8) == union(moving, shared, 8) == shared
    with pytest.raises(UnknownField, match="beyond"):
        union(shared, moving, 9)


def test_sharing_spans_from_the_first_window_to_the_last():
    assert Window((-90,), (121,), 32).shared_by(7) == Window((-90,), (313,), 0)  # VGG-D, flattened: 404 pixels


def test_transposed_convolutions_that_leave_units_out_have_no_rule():
    for arguments in ((2, 3), (3, 2, 0, 2)):
        with pytest.raises(UnknownField):
            transposed(*arguments)
