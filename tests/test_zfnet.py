"""zfnet: the sizes printed in the paper's figure 3, the parameters counted from them, and what is refused."""

import pytest
import torch
from torch import nn

from course_lib.zfnet import zfnet


def on_meta(**options):
    with torch.device("meta"):
        return zfnet(**options)


def test_feature_maps_have_the_sides_of_figure_3():
    X, sides = torch.empty(1, 3, 224, 224, device="meta"), []
    for layer in on_meta(in_channels=3):
        X = layer(X)
        if isinstance(layer, (nn.Conv2d, nn.MaxPool2d)):
            sides.append(X.shape[-1])
    assert sides == [110, 55, 26, 13, 13, 13, 13, 6]


def test_parameters_are_those_of_the_printed_widths():
    # kernel² · in · out + out, layer by layer, from figure 3
    convolutions = [(7, 3, 96), (5, 96, 256), (3, 256, 384), (3, 384, 384), (3, 384, 256),
                    (6, 256, 4096), (1, 4096, 4096), (1, 4096, 1000)]
    counted = sum(kernel**2 * inputs * outputs + outputs for kernel, inputs, outputs in convolutions)
    net = on_meta(in_channels=3, num_classes=1000)
    assert sum(p.numel() for p in net.parameters()) == counted == 62_357_608


def test_the_first_two_layers_have_half_of_alexnets_stride_and_smaller_kernels():
    first, second = [layer for layer in on_meta() if isinstance(layer, nn.Conv2d)][:2]
    assert (first.kernel_size, first.stride) == ((7, 7), (2, 2))
    assert (second.kernel_size, second.stride) == ((5, 5), (2, 2))
    assert not [layer for layer in on_meta() if getattr(layer, "groups", 1) > 1]  # one tower


@pytest.mark.parametrize("size", [47, 64, (64, 90), 224, 225])
def test_head_fits_other_sizes(size):
    shape = size if isinstance(size, tuple) else (size, size)
    net = on_meta(in_channels=2, num_classes=4, input_size=size)
    assert net(torch.empty(3, 2, *shape, device="meta")).shape == (3, 4)


def layers_reach(side):
    """Say whether the convolutions and poolings give at least one unit, as PyTorch itself sees it."""
    with torch.device("meta"):
        features = [layer for layer in zfnet(input_size=224) if isinstance(layer, (nn.Conv2d, nn.MaxPool2d))]
        X = torch.empty(1, 1, side, side)
        try:
            for layer in features:
                X = layer(X)
        except RuntimeError:  # "Output size is too small"
            return False
        return True


def test_the_smallest_size_is_the_one_from_which_pytorch_gives_a_unit():
    smallest = next(side for side in range(1, 100) if layers_reach(side))
    for size in (smallest - 1, (224, smallest - 1), 1):
        with pytest.raises(ValueError, match=f"too small for zfnet: it needs at least {smallest} pixels"):
            zfnet(input_size=size)
    assert on_meta(input_size=smallest)(torch.empty(1, 1, smallest, smallest, device="meta")).shape == (1, 10)


@pytest.mark.parametrize("name, value", [("in_channels", 0), ("num_classes", True), ("input_size", 64.0)])
def test_bad_arguments_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"{name} must be .*got"):
        zfnet(**{name: value})
