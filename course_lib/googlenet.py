"""GoogLeNet (Szegedy and others, 2014, "Going Deeper with Convolutions", table 1): branches side by side.

    net = googlenet("paper")                                          # Fashion-MNIST
    net = googlenet("torchvision", in_channels=3, num_classes=1000)   # takes the official weights
"""

from typing import NamedTuple

import torch
from torch import nn

from ._checks import check_count


class InceptionRow(NamedTuple):
    """The widths of one Inception module, in channels, named as the columns of the paper's table 1."""

    conv1: int
    reduce3: int
    conv3: int
    reduce5: int
    conv5: int
    pool: int


GOOGLENET_STAGES = (  # a 3×3/2 max-pooling stands between the stages
    (InceptionRow(64, 96, 128, 16, 32, 32), InceptionRow(128, 128, 192, 32, 96, 64)),
    (InceptionRow(192, 96, 208, 16, 48, 64), InceptionRow(160, 112, 224, 24, 64, 64),
     InceptionRow(128, 128, 256, 24, 64, 64), InceptionRow(112, 144, 288, 32, 64, 64),
     InceptionRow(256, 160, 320, 32, 128, 128)),
    (InceptionRow(256, 160, 320, 32, 128, 128), InceptionRow(384, 192, 384, 48, 128, 128)),
)
_VARIANTS = ("paper", "torchvision")


class Inception(nn.Module):
    """Four branches see the same input; their outputs are stacked as channels (figure 2b of the paper)."""

    def __init__(self, *branches):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, X):
        return torch.cat([branch(X) for branch in self.branches], dim=1)


def inception(variant, in_channels, row):
    """Build one module from an `InceptionRow`; `variant` is `googlenet`'s.

    Maps (N, in_channels, H, W) to (N, row.conv1 + row.conv3 + row.conv5 + row.pool, H, W). The 1×1 convolutions in
    front of the large kernels are the bottleneck that saves most of their multiply-adds.

    >>> inception("paper", 192, GOOGLENET_STAGES[0][0])(torch.ones(1, 192, 8, 8)).shape
    torch.Size([1, 256, 8, 8])
    """
    def conv(*arguments):
        return _conv(variant, *arguments)

    large = 5 if variant == "paper" else 3  # torchvision's "5×5" is 3×3, and its weights with it
    return Inception(
        nn.Sequential(*conv(in_channels, row.conv1, 1)),
        nn.Sequential(*conv(in_channels, row.reduce3, 1), *conv(row.reduce3, row.conv3, 3)),
        nn.Sequential(*conv(in_channels, row.reduce5, 1), *conv(row.reduce5, row.conv5, large)),
        nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1, ceil_mode=True), *conv(in_channels, row.pool, 1)))


def googlenet(variant, *, in_channels=1, num_classes=10):
    """Build a GoogLeNet without its auxiliary heads: "paper" as printed, "torchvision" as the official weights need it.

    Maps (N, in_channels, H, W) to (N, num_classes), any H and W from 31 pixels on ("torchvision": from 15). "paper" has
    real 5×5 convolutions with biases, local response normalisation and a dropout of 0.4; "torchvision" has batch norm,
    3×3 in place of 5×5, a last pooling of 2×2 and a dropout of 0.2. The official weights expect pictures normalised to mean 0.5 and standard
    deviation 0.5 (torchvision's `transform_input` does that to ImageNet's normalisation).
    ValueError for an unknown variant and counts below one.

    >>> googlenet("paper")(torch.ones(2, 1, 64, 64)).shape
    torch.Size([2, 10])
    """
    if not isinstance(variant, str) or variant not in _VARIANTS:
        raise ValueError(f"unknown variant {variant!r}: allowed are {', '.join(_VARIANTS)}")
    check_count("in_channels", in_channels)
    check_count("num_classes", num_classes)
    paper = variant == "paper"

    def pool(kernel=3):
        return nn.MaxPool2d(kernel, stride=2, ceil_mode=True)

    def norm():  # section 3.3 of AlexNet's paper, which this one follows in its table of layers (figure 3)
        return [nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2)] if paper else []

    layers = [*_conv(variant, in_channels, 64, 7, 2), pool(), *norm(),
              *_conv(variant, 64, 64, 1), *_conv(variant, 64, 192, 3), *norm(), pool()]
    channels = 192
    for stage, rows in enumerate(GOOGLENET_STAGES):
        if stage > 0:
            layers.append(pool(2 if stage == 2 and not paper else 3))
        for row in rows:
            layers.append(inception(variant, channels, row))
            channels = row.conv1 + row.conv3 + row.conv5 + row.pool
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.4 if paper else 0.2),
                         nn.Linear(channels, num_classes))


def _conv(variant, in_channels, out_channels, kernel, stride=1):
    """A convolution that keeps H and W but for its stride, and what follows it in the variant."""
    if variant == "paper":
        return nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2), nn.ReLU()
    conv = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=False)
    return conv, nn.BatchNorm2d(out_channels, eps=0.001), nn.ReLU()
