"""ZFNet (Zeiler and Fergus, 2013, "Visualizing and Understanding Convolutional Networks", section 4.1 and figure 3).

AlexNet seen through its own features: the authors looked at what the first layers respond to, found dead and aliased
ones, and made the first kernel 7×7 instead of 11×11 with a stride of 2 instead of 4.
"""

from itertools import count

from torch import nn

from ._checks import check_count, height_width
from .alexnet import ConvRow, conv_layers, map_size

ZFNET_CONFIG = (
    ConvRow(96, 7, stride=2, padding=1, lrn=True, pool=True),
    ConvRow(256, 5, stride=2, lrn=True, pool=True),
    ConvRow(384, 3, padding=1),
    ConvRow(384, 3, padding=1),
    ConvRow(256, 3, padding=1, pool=True),
)


def zfnet(*, in_channels=1, num_classes=10, input_size=224):
    """Build ZFNet, every layer a child of its own.

    Maps (N, in_channels, H, W) to (N, num_classes). `input_size`, in pixels, is H = W or the pair (H, W), and sizes
    the first fully connected layer. The last windows of the poolings reach over the border, without which the
    printed sizes 110, 55, 26, 13, 6 do not come out of 224; "contrast norm" in the figure is read as AlexNet's local
    response normalisation. ValueError for counts below one and an input that a layer would shrink to nothing.

    >>> from torch import ones
    >>> zfnet(input_size=64)(ones(2, 1, 64, 64)).shape
    torch.Size([2, 10])
    """
    check_count("in_channels", in_channels)
    check_count("num_classes", num_classes)
    height, width = (map_size(ZFNET_CONFIG, side, ceil_mode=True) for side in height_width(input_size))
    if min(height, width) < 1:
        smallest = next(side for side in count(1) if map_size(ZFNET_CONFIG, side, ceil_mode=True) >= 1)
        raise ValueError(f"input_size {input_size} is too small for zfnet: it needs at least {smallest} pixels a side")
    return nn.Sequential(
        *conv_layers(ZFNET_CONFIG, in_channels, ceil_mode=True), nn.Flatten(),
        nn.Linear(ZFNET_CONFIG[-1].channels * height * width, 4096), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(4096, num_classes))
