"""ResNet (He, Zhang, Ren and Sun, 2015, "Deep Residual Learning for Image Recognition", table 1).

    net = resnet(18)                                       # Fashion-MNIST
    net = resnet(50, in_channels=3, num_classes=1000)      # torchvision's, parameter by parameter
"""

import torch.nn.functional as F
from torch import nn

from ._checks import check_count

RESNET_CONFIGS = {  # kind of block, number of blocks in each of the four stages
    18: ("basic", (2, 2, 2, 2)),
    34: ("basic", (3, 4, 6, 3)),
    50: ("bottleneck", (3, 4, 6, 3)),
    101: ("bottleneck", (3, 4, 23, 3)),
    152: ("bottleneck", (3, 8, 36, 3)),
}
_EXPANSION = {"basic": 1, "bottleneck": 4}


class Residual(nn.Module):
    """Add a shortcut to a branch, then ReLU: what the branch learns is the difference (figure 2 of the paper)."""

    def __init__(self, branch, shortcut):
        super().__init__()
        self.branch, self.shortcut = branch, shortcut

    def forward(self, X):
        return F.relu(self.branch(X) + self.shortcut(X))


def residual_block(kind, in_channels, width, stride=1):
    """Build one block: "basic" is two 3×3 convolutions, "bottleneck" 1×1, 3×3, 1×1 with four times `width` channels.

    Maps (N, in_channels, H, W) to (N, width or 4·width, ⌈H/stride⌉, ⌈W/stride⌉). The shortcut is the identity where
    shapes agree and a 1×1 convolution with batch norm elsewhere (option B in section 3.3). A bottleneck's 3×3
    convolution has the stride, as in torchvision; in the paper it is the first 1×1 one.

    >>> from torch import ones
    >>> residual_block("bottleneck", 64, 16, stride=2)(ones(1, 64, 8, 8)).shape
    torch.Size([1, 64, 4, 4])
    """
    out_channels = width * _EXPANSION[kind]
    if kind == "basic":
        branch = [*_conv(in_channels, width, 3, stride), nn.ReLU(), *_conv(width, width, 3)]
    else:
        branch = [*_conv(in_channels, width, 1), nn.ReLU(), *_conv(width, width, 3, stride), nn.ReLU(),
                  *_conv(width, out_channels, 1)]
    same = stride == 1 and in_channels == out_channels
    shortcut = nn.Identity() if same else nn.Sequential(*_conv(in_channels, out_channels, 1, stride))
    return Residual(nn.Sequential(*branch), shortcut)


def resnet(depth, *, in_channels=1, num_classes=10):
    """Build a ResNet of 18, 34, 50, 101 or 152 weighted layers.

    Maps (N, in_channels, H, W) to (N, num_classes), any H and W: a mean over the last feature map takes the place of
    AlexNet's and VGG's hidden linear layers. ValueError for another depth and for counts below one.

    >>> from torch import ones
    >>> resnet(18)(ones(2, 1, 32, 32)).shape
    torch.Size([2, 10])
    """
    if isinstance(depth, bool) or depth not in RESNET_CONFIGS:
        raise ValueError(f"unknown depth {depth!r}: allowed are {', '.join(map(str, RESNET_CONFIGS))}")
    check_count("in_channels", in_channels)
    check_count("num_classes", num_classes)
    kind, counts = RESNET_CONFIGS[depth]
    stages, channels = [], 64
    for stage, blocks in enumerate(counts):
        stages.append(nn.Sequential())
        for number in range(blocks):
            stride = 2 if stage > 0 and number == 0 else 1
            stages[-1].append(residual_block(kind, channels, 64 * 2**stage, stride))
            channels = 64 * 2**stage * _EXPANSION[kind]
    return nn.Sequential(
        *_conv(in_channels, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, stride=2, padding=1),
        *stages,
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, num_classes))


def _conv(in_channels, out_channels, kernel, stride=1):
    """A convolution that keeps H and W but for its stride, without the bias that batch norm would take away again."""
    return (nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(out_channels))
