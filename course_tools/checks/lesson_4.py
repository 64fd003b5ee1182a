"""Exercises of lesson 4: a block, a family, net C, and its parameters counted without building it."""

import torch
from torch import nn

from course_tools.checks import lesson_4_count
from course_tools.checks.exercise import Exercise


def block(num_convs, in_channels, out_channels, padding=1, relu="each", pools="end", kernel=3, stride=2):
    layers = []
    for number in range(num_convs):
        layers.append(nn.Conv2d(in_channels, out_channels, kernel, padding=padding))
        if relu == "each" or relu == "end" and number == num_convs - 1:
            layers.append(nn.ReLU())
        if pools == "each" or pools == "end" and number == num_convs - 1:
            layers.append(nn.MaxPool2d(2, stride))
        in_channels = out_channels
    return nn.Sequential(*layers)


def block_questions(generator):
    drawn = torch.randint(2, 7, (2, 2), generator=generator).tolist()
    return [(1, 3, 8), (2, *drawn[0]), (3, *drawn[1])]


def vgg(
    conv_arch,
    in_channels,
    num_classes,
    input_size,
    hidden,
    side=None,
    dropout=0.5,
    widths=2,
    last=(),
    relu=True,
    make=block,
):
    """A VGG with what is usually done wrong as options."""
    blocks = []
    for num_convs, out_channels in conv_arch:
        blocks.append(make(num_convs, in_channels, out_channels))
        in_channels = out_channels
    side = input_size // 2 ** len(blocks) if side is None else side
    sizes = [in_channels * side * side, *[hidden] * widths]
    head = [nn.Flatten()]
    for before, after in zip(sizes, sizes[1:]):
        head += [nn.Linear(before, after), *[nn.ReLU()] * relu, nn.Dropout(dropout)]
    return nn.Sequential(*blocks, *head, nn.Linear(sizes[-1], num_classes), *last)


def vgg_questions(generator):
    classes = torch.randint(3, 9, (2,), generator=generator).tolist()
    return [
        (((1, 4), (1, 8)), 1, classes[0], 30, 12),
        (((1, 3), (2, 4), (2, 6)), 3, classes[1], 24, 10),
        (((2, 5),), 2, 4, 14, 9),
    ]


def c_questions(generator):
    return [(2, 8, 5, 32), (int(torch.randint(1, 4, (1,), generator=generator)), 6, 3, 64)]


def net_c(width, hidden, num_classes, input_size, kernels=(3, 1, 1), widths=(1, 2, 4, 8, 8), small_blocks=(3, 3)):
    """Net C with the last three blocks' kernels as given, for three channels."""
    in_channels, blocks = 3, []
    for number, times in enumerate(widths):
        for kernel in small_blocks if number < 2 else kernels:
            blocks += [nn.Conv2d(in_channels, times * width, kernel, padding=kernel // 2), nn.ReLU()]
            in_channels = times * width
        blocks.append(nn.MaxPool2d(2))
    side = input_size // 32
    head = [
        nn.Flatten(),
        nn.Linear(in_channels * side * side, hidden),
        nn.ReLU(),
        nn.Dropout(),
        nn.Linear(hidden, hidden),
    ]
    return nn.Sequential(*blocks, *head, nn.ReLU(), nn.Dropout(), nn.Linear(hidden, num_classes))


C = (3, 3, 1)


EXERCISES = [
    Exercise(
        "vgg_block",
        block_questions,
        "convolutions that keep the size, a ReLU behind each, one pooling that halves it.",
        right=block,
        mistakes=(
            (
                lambda *q: block(*q, relu="none"),
                "no ReLU: without one, several convolutions in a row are one larger convolution.",
            ),
            (lambda *q: block(*q, relu="end"), "one ReLU at the end of the block. Each convolution has its own."),
            (
                lambda *q: block(*q, padding=0),
                "without padding a 3×3 convolution takes two rows and columns away; padding=1 keeps the size.",
            ),
            (lambda *q: block(*q, pools="none"), "the pooling at the end is missing."),
            (lambda *q: block(*q, pools="each"), "a pooling behind every convolution. One, at the end of the block."),
            (lambda *q: block(*q, stride=1), "the pooling has stride 1 and does not halve the size."),
            (lambda *q: block(*q, kernel=5, padding=2), "5×5 kernels. A VGG block is made of 3×3."),
            (lambda n, c_in, c_out: block(n, c_in, c_in), "the number of output channels is not used."),
            (
                lambda n, c_in, c_out: nn.Sequential(*[block(1, c_in, c_out)[:2] for _ in range(n)], nn.MaxPool2d(2)),
                "every convolution "
                "expects `in_channels`. From the second on it gets what the first gave: set in_channels = out_channels "
                "in the loop.",
            ),
        ),
    ),
    Exercise(
        "vgg",
        vgg_questions,
        "blocks out of a list, and a head that fits any input size.",
        right=vgg,
        mistakes=(
            (
                lambda *q: vgg(*q, side=7),
                "the head expects maps of 7×7, which only 224 pixels and five blocks give. Each block "
                "halves the height; how often does this list halve it?",
            ),
            (
                lambda arch, c, k, n, h: vgg(arch, c, k, n, h, side=round(n / 2 ** len(arch))),
                "each pooling leaves an odd row out: 30, 15, 7. Round down.",
            ),
            (lambda *q: vgg(*q, last=[nn.ReLU()]), "a ReLU behind the last layer: no score could be negative."),
            (lambda *q: vgg(*q, last=[nn.Softmax(1)]), "a softmax at the end: `F.cross_entropy` does it itself."),
            (lambda *q: vgg(*q, dropout=0.0), "dropout is missing behind the first two linear layers."),
            (lambda *q: vgg(*q, widths=1), "the head has two linear layers; VGG's has three."),
            (lambda *q: vgg(*q, relu=False), "no ReLU in the head: three linear layers in a row are one."),
            (lambda arch, c, *q: vgg(arch, 1, *q), "built for pictures of one channel, whatever `in_channels` says."),
            (
                lambda *q: vgg(*q, make=lambda n, a, b: block(1, a, b)),
                "one convolution in every block. The first number of each pair says how many.",
            ),
        ),
    ),
    Exercise(
        "vgg_c",
        c_questions,
        "thirteen convolutions, three of them 1×1.",
        right=lambda *q: net_c(*q, kernels=C),
        mistakes=(
            (
                lambda *q: net_c(*q, kernels=(3, 3, 3)),
                "all kernels are 3×3: this is D. In C the last of each of the last three blocks is 1×1.",
            ),
            (
                lambda *q: net_c(*q, kernels=(3, 3)),
                "two convolutions in every block: this is B. C has a third, 1×1, in the last three.",
            ),
            (lambda *q: net_c(*q, kernels=(1, 3, 3)), "the 1×1 convolution comes *last* in its block, not first."),
            (
                lambda *q: net_c(*q, kernels=C, small_blocks=(3, 3, 1)),
                "a 1×1 convolution in every block. The first two have none.",
            ),
            (
                lambda *q: net_c(*q, kernels=C, widths=(1, 2, 4, 8, 16)),
                "the channels stop doubling at 8 · width: the last two blocks have the same.",
            ),
            (
                lambda *q: net_c(*q, kernels=(3, 1, 1)),
                "two of three convolutions are 1×1. Only the last of the block is.",
            ),
            (lambda *q: net_c(*q, kernels=(3, 3, 5)), "the last kernel of a block is 5×5. In C it is 1×1."),
        ),
    ),
    lesson_4_count.PARAMETERS,
]
