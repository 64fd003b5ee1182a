"""AlexNet (Krizhevsky, Sutskever and Hinton, 2012) as a table of rows, one for each convolutional layer.

    net = alexnet("paper", in_channels=3, num_classes=1000)        # 227 pixels, two towers
    net = alexnet("half", input_size=64)                           # Fashion-MNIST in class
"""

from itertools import count
from typing import NamedTuple

from torch import nn

from ._checks import check_count, check_dropout, height_width


class ConvRow(NamedTuple):
    """One convolution with its ReLU, and whether normalisation and 3×3/2 pooling follow."""

    channels: int
    kernel: int
    stride: int = 1
    padding: int = 0
    groups: int = 1
    lrn: bool = False
    pool: bool = False


ALEXNET_CONFIGS = {
    "paper": (  # two GPUs hold half of the channels each; layers 2, 4 and 5 see their own GPU's half: two groups
        ConvRow(96, 11, stride=4, lrn=True, pool=True),
        ConvRow(256, 5, padding=2, groups=2, lrn=True, pool=True),
        ConvRow(384, 3, padding=1),
        ConvRow(384, 3, padding=1, groups=2),
        ConvRow(256, 3, padding=1, groups=2, pool=True),
    ),
    "torchvision": (
        ConvRow(64, 11, stride=4, padding=2, pool=True),
        ConvRow(192, 5, padding=2, pool=True),
        ConvRow(384, 3, padding=1),
        ConvRow(256, 3, padding=1),
        ConvRow(256, 3, padding=1, pool=True),
    ),
    "half": (  # one of the paper's towers, in torchvision's geometry
        ConvRow(48, 11, stride=4, padding=2, pool=True),
        ConvRow(128, 5, padding=2, pool=True),
        ConvRow(192, 3, padding=1),
        ConvRow(192, 3, padding=1),
        ConvRow(128, 3, padding=1, pool=True),
    ),
}

_INPUT_SIZE_AND_HIDDEN = {"paper": (227, 4096), "torchvision": (224, 4096), "half": (224, 2048)}


def alexnet(variant, *, in_channels=1, num_classes=10, input_size=None, dropout=0.5):
    """Build an AlexNet: "paper", "torchvision" (the official variant) or "half" (one tower, half as wide).

    Maps (N, in_channels, H, W) to (N, num_classes), every layer a child of its own. `input_size`, in pixels, is
    H = W or the pair (H, W); None is the variant's own, 227 for "paper" and 224 for the others. It sizes the first
    fully connected layer. "paper" drops the outputs of the first two fully connected layers (section 4.2), the
    others the inputs, as torchvision does. Figure 2 and section 3.5 of the paper have the layers.
    ValueError for an unknown variant, counts below one and an input that a layer would shrink to nothing.

    >>> from torch import ones
    >>> alexnet("half", input_size=64)(ones(2, 1, 64, 64)).shape
    torch.Size([2, 10])
    """
    if not isinstance(variant, str) or variant not in ALEXNET_CONFIGS:
        raise ValueError(f"unknown variant {variant!r}: allowed are {', '.join(ALEXNET_CONFIGS)}")
    rows = ALEXNET_CONFIGS[variant]
    own_size, hidden = _INPUT_SIZE_AND_HIDDEN[variant]
    check_count("in_channels", in_channels)
    check_count("num_classes", num_classes)
    check_dropout(dropout)
    height, width = (map_size(rows, side) for side in height_width(own_size if input_size is None else input_size))
    if min(height, width) < 1:
        smallest = next(side for side in count(1) if map_size(rows, side) >= 1)
        raise ValueError(f"input_size {input_size} is too small for alexnet({variant!r}): it needs at least "
                         f"{smallest} pixels a side")
    layers = conv_layers(rows, in_channels)
    in_channels = rows[-1].channels
    first, second = nn.Linear(in_channels * height * width, hidden), nn.Linear(hidden, hidden)
    last = nn.Linear(hidden, num_classes)
    if variant == "paper":
        head = first, nn.ReLU(), nn.Dropout(dropout), second, nn.ReLU(), nn.Dropout(dropout), last
    else:
        head = nn.Dropout(dropout), first, nn.ReLU(), nn.Dropout(dropout), second, nn.ReLU(), last
    return nn.Sequential(*layers, nn.Flatten(), *head)


def conv_layers(rows, in_channels, *, ceil_mode=False):
    """Return the rows' layers as a list; `ceil_mode` lets the poolings' last windows reach over the border."""
    layers = []
    for row in rows:
        layers += [nn.Conv2d(in_channels, row.channels, row.kernel, row.stride, row.padding, groups=row.groups),
                   nn.ReLU()]
        if row.lrn:
            # The paper's k=2, n=5, α=1e-4, β=0.75; PyTorch divides α by n, the paper does not.
            layers.append(nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2))
        if row.pool:
            layers.append(nn.MaxPool2d(3, stride=2, ceil_mode=ceil_mode))  # windows overlap by a pixel
        in_channels = row.channels
    return layers


def map_size(rows, side, *, ceil_mode=False):
    """Return the side of the last feature map, in units; less than one if the input is too small."""
    for row in rows:
        side = (side + 2 * row.padding - row.kernel) // row.stride + 1
        if row.pool:
            side = (side - 3 + ceil_mode) // 2 + 1
    return side
