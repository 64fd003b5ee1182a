"""Receptive fields of a net's layers measured by gradient, without a formula: what `trace` is compared with.

A gradient shows which pixels a unit *can* see only if nothing on the way happens to be zero. So a copy of the net is
measured that averages where the net weighs: over a convolution's window and all its input channels, and in
max-pooling. It has two channels everywhere and no batch norm. Where windows lie is the same in both.
"""

import copy
import math
from unittest import mock

import torch
import torch.nn.functional as F
from torch import nn

import course_lib

SHORT = 80  # pixels across: with less, Inception v3 runs out of them


def fields_right(net):
    """Return (spatial layers whose field is as measured, spatial layers) of a net on RGB images, both axes.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 5))
    >>> fields_right(net)
    (4, 4)
    """
    fields = [row.receptive_field for row in course_lib.trace(net, (1, 3, 224, 224)) if row.jump]
    long, right = max(SHORT, 64 + max(map(max, fields))), {}  # the middle unit's window lies inside the image
    for axis, shape in enumerate([(1, 3, long, SHORT), (1, 3, SHORT, long)]):
        measured = measured_spans(net, shape, axis)
        for row in course_lib.trace(net, shape):
            if row.name not in measured:  # a function, or what no longer has places
                continue
            unit, first, last = measured[row.name].pop(0)
            told = row.field and (row.field.h, row.field.w)[axis].span(unit)
            agrees = told is not None and (max(told[0], 0), min(told[1], long - 1)) == (first, last)
            right.setdefault(row.name, []).append(agrees)
    return sum(all(calls) for calls in right.values()), len(right)


def measured_spans(net, shape, axis):
    """Map each spatial layer to one (unit, first pixel, last pixel) a call: what its middle unit sees along the axis."""
    image = torch.ones(shape, dtype=torch.float64, requires_grad=True)
    copied, outputs, spans, known = _averaging(net), [], {}, {}
    for name, layer in copied.named_modules():
        if not list(layer.children()):
            layer.register_forward_hook(lambda layer, inputs, output, name=name: outputs.append((name, output)))
    with mock.patch.object(F, "max_pool2d", F.avg_pool2d):  # Inception v3 calls the function
        copied(image)
    for name, output in outputs:
        if output.dim() == 4 and output.shape[2 + axis] > 1:
            if id(output) not in known:  # what an identity passed on is measured already
                unit, middle = output.shape[2 + axis] // 2, output.shape[3 - axis] // 2
                total = output.select(2 + axis, unit).select(2, middle).sum()
                seen = torch.autograd.grad(total, image, retain_graph=True)[0].sum((0, 1, 3 - axis)).nonzero()
                known[id(output)] = unit, seen.min().item(), seen.max().item()
            spans.setdefault(name, []).append(known[id(output)])
    return spans


class _Average(nn.Module):
    """Stands in for a convolution: the mean over its window and all channels, given out as two equal channels."""

    def __init__(self, conv):
        super().__init__()
        self.geometry = {"stride": conv.stride, "padding": conv.padding, "dilation": conv.dilation}
        self.weight = torch.ones(2, 1, *conv.kernel_size, dtype=torch.float64) / math.prod(conv.kernel_size)

    def forward(self, x):
        return F.conv2d(x.mean(1, keepdim=True), self.weight, **self.geometry)


def _averaging(net):
    """Return a thin copy of the net that averages, in eval mode."""
    copied = copy.deepcopy(net).eval()
    for parent in list(copied.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, nn.Conv2d):
                setattr(parent, name, _Average(layer))
            elif isinstance(layer, nn.MaxPool2d):
                setattr(parent, name, nn.AvgPool2d(layer.kernel_size, layer.stride, layer.padding, layer.ceil_mode))
            elif isinstance(layer, (nn.BatchNorm2d, nn.Linear, nn.ReLU, nn.ReLU6, nn.SiLU, nn.Hardswish)):
                setattr(parent, name, nn.Identity())  # nothing is negative, so a ReLU would pass everything, too
            elif isinstance(layer, (nn.Sigmoid, nn.Hardsigmoid)):
                setattr(parent, name, nn.Softsign())  # a gate that never saturates
    return copied
