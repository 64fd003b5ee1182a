"""VGG: blocks of 3×3 convolutions, and the family of nets that Simonyan and Zisserman (ICLR 2015) made of them.

    net = vgg("D", in_channels=3, num_classes=1000)                            # the paper's net D, "VGG-16"
    net = vgg(((1, 16), (1, 32), (2, 64)), input_size=28, hidden=256)          # one of your own
"""

from torch import nn

from ._checks import check_count, check_dropout, height_width

# The paper's table 1. One row a block: (num_convs, out_channels), and options for `vgg_block`.
VGG_CONFIGS = {
    "A": ((1, 64), (1, 128), (2, 256), (2, 512), (2, 512)),
    "A-LRN": ((1, 64, {"lrn": True}), (1, 128), (2, 256), (2, 512), (2, 512)),
    "B": ((2, 64), (2, 128), (2, 256), (2, 512), (2, 512)),
    "C": ((2, 64), (2, 128), (3, 256, {"last_kernel": 1}), (3, 512, {"last_kernel": 1}), (3, 512, {"last_kernel": 1})),
    "D": ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)),
    "E": ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512)),
}

_OPTIONS = ("batch_norm", "last_kernel", "lrn")
_OTHER_NAMES = {"11": "A", "13": "B", "16": "D", "19": "E"}  # what others call the nets: by their layers with weights


def vgg_block(num_convs, in_channels, out_channels, *, batch_norm=False, last_kernel=3, lrn=False):
    """Build a VGG block: `num_convs` convolutions that keep height and width, then a pooling that halves them.

    Maps (N, in_channels, H, W) to (N, out_channels, H // 2, W // 2). All kernels are 3×3 but for the last, whose
    size, any odd number, is `last_kernel` (1 in net C). `batch_norm` normalises before each ReLU; `lrn` adds
    AlexNet's local response normalisation after the first ReLU (net A-LRN). Sections 2.1 and 2.2 of the paper.
    ValueError for counts below one and an even `last_kernel`.

    >>> from torch import ones
    >>> vgg_block(2, 3, 8)(ones(1, 3, 32, 32)).shape
    torch.Size([1, 8, 16, 16])
    """
    for name, value in [("num_convs", num_convs), ("in_channels", in_channels), ("out_channels", out_channels)]:
        check_count(name, value)
    check_count("last_kernel", last_kernel)
    if last_kernel % 2 == 0:
        raise ValueError(f"last_kernel must be odd (1, 3, 5, …), so that padding keeps the size, got {last_kernel}")
    layers = []
    for i in range(num_convs):
        kernel = last_kernel if i == num_convs - 1 else 3
        layers.append(nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2))
        if batch_norm:
            layers.append(nn.BatchNorm2d(out_channels))
        layers.append(nn.ReLU())
        if lrn and i == 0:
            # AlexNet's k=2, n=5, α=1e-4, β=0.75; PyTorch divides α by n, its paper does not.
            layers.append(nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2))
        in_channels = out_channels
    layers.append(nn.MaxPool2d(2, stride=2))
    return nn.Sequential(*layers)


def vgg(conv_arch, *, in_channels=1, num_classes=10, input_size=224, batch_norm=False, hidden=4096, dropout=0.5):
    """Build a VGG: one `vgg_block` for each row of `conv_arch`, then three fully connected layers.

    `conv_arch` is a sequence of rows (num_convs, out_channels) or (num_convs, out_channels, options), options a dict
    of `vgg_block`'s keywords, or the name of a net in the paper's table 1, a key of `VGG_CONFIGS`. The net maps
    (N, in_channels, H, W) to (N, num_classes); `input_size`, in pixels, is H = W or the pair (H, W), and sizes the
    first fully connected layer. `hidden` is the width of the two hidden ones. ValueError for what cannot be built.

    >>> from torch import ones
    >>> X = ones(1, 1, 32, 32)
    >>> for layer in vgg(((1, 8), (2, 16)), input_size=32, hidden=64):
    ...     X = layer(X)
    ...     print(layer.__class__.__name__, tuple(X.shape))
    Sequential (1, 8, 16, 16)
    Sequential (1, 16, 8, 8)
    Flatten (1, 1024)
    Linear (1, 64)
    ReLU (1, 64)
    Dropout (1, 64)
    Linear (1, 64)
    ReLU (1, 64)
    Dropout (1, 64)
    Linear (1, 10)
    """
    rows = _rows(conv_arch)
    for name, value in [("in_channels", in_channels), ("num_classes", num_classes), ("hidden", hidden)]:
        check_count(name, value)
    check_dropout(dropout)
    height, width = (side // 2 ** len(rows) for side in height_width(input_size))
    if min(height, width) < 1:
        raise ValueError(f"input_size {input_size} is too small: {len(rows)} blocks halve it {len(rows)} times, "
                         f"which needs at least {2 ** len(rows)} pixels a side")
    blocks = vgg_blocks(rows, in_channels=in_channels, batch_norm=batch_norm)
    _, out_channels, _ = rows[-1]
    return nn.Sequential(
        *blocks, nn.Flatten(),
        nn.Linear(out_channels * height * width, hidden), nn.ReLU(), nn.Dropout(dropout),
        nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(dropout),
        nn.Linear(hidden, num_classes))


def vgg_blocks(conv_arch, *, in_channels=1, batch_norm=False):
    """Build the blocks of a VGG alone, as a list, for a head of one's own; `conv_arch` is `vgg`'s.

    >>> len(vgg_blocks("A", in_channels=3))
    5
    """
    blocks = []
    for num_convs, out_channels, options in _rows(conv_arch):
        blocks.append(vgg_block(num_convs, in_channels, out_channels, **{"batch_norm": batch_norm, **options}))
        in_channels = out_channels
    return blocks


def _rows(conv_arch):
    """Return the architecture as a list of (num_convs, out_channels, options), checked."""
    if isinstance(conv_arch, str):
        if conv_arch not in VGG_CONFIGS:
            raise ValueError(f"unknown net {conv_arch!r}: allowed are {', '.join(VGG_CONFIGS)}{_hint(conv_arch)}")
        conv_arch = VGG_CONFIGS[conv_arch]
    if not isinstance(conv_arch, (tuple, list)) or not conv_arch:
        raise ValueError("conv_arch must be a name or a sequence of at least one row (num_convs, out_channels), "
                         f"got {conv_arch!r}")
    rows = []
    for number, row in enumerate(conv_arch, 1):
        if not isinstance(row, (tuple, list)) or len(row) not in (2, 3):
            raise ValueError(f"block {number} must be (num_convs, out_channels) or (num_convs, out_channels, options), "
                             f"got {row!r}")
        num_convs, out_channels, options = (*row, {})[:3]
        check_count(f"num_convs of block {number}", num_convs)
        check_count(f"out_channels of block {number}", out_channels)
        if not isinstance(options, dict) or not set(options) <= set(_OPTIONS):
            raise ValueError(f"options of block {number} must be a dict with keys among {', '.join(_OPTIONS)}, "
                             f"got {options!r}")
        rows.append((num_convs, out_channels, options))
    return rows


def _hint(name):
    """Say which net somebody who wrote "vgg16", "VGG-D" or "d" has in mind."""
    stem = name.upper().removeprefix("VGG").strip("-_ ").removesuffix("_BN")
    meant = _OTHER_NAMES.get(stem, stem)
    if meant not in VGG_CONFIGS:
        return ""
    return f". Do you mean {meant!r}{', with batch_norm=True' if name.upper().endswith('BN') else ''}?"
