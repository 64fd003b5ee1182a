"""The exercise of lesson 4 without a net: the parameters of a VGG, counted."""

import torch

from course_tools.checks.exercise import Exercise


def count_questions(generator):
    D = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
    drawn = torch.randint(2, 40, (3,), generator=generator).tolist()
    return [(D, 3, 1000, 224, 4096), (D[:3], 1, 10, 28, 256), (((1, drawn[0]), (2, drawn[1])), 1, drawn[2], 20, 15)]


def count(
    conv_arch,
    in_channels,
    num_classes,
    input_size,
    hidden,
    bias=1,
    halve=True,
    follow=True,
    inner=True,
    head=True,
    flat=None,
):
    total = 0
    for num_convs, out_channels in conv_arch:
        for number in range(num_convs):
            total += 9 * in_channels * out_channels + bias * out_channels
            if follow and (inner or number == num_convs - 1):
                in_channels = out_channels
    side = input_size // 2 ** len(conv_arch) if halve else input_size
    sizes = ((flat or conv_arch[-1][1]) * side * side, hidden, hidden, num_classes)
    return total + head * sum(before * after + bias * after for before, after in zip(sizes, sizes[1:]))


PARAMETERS = Exercise(
    "parameters",
    count_questions,
    "138,357,544 for net D, to the last bias.",
    right=count,
    mistakes=(
        (lambda *q: count(*q, bias=0), "without biases: every output channel, and every unit, has one."),
        (
            lambda arch, *q: count([(1, channels) for _, channels in arch], *q),
            "each block has num_convs convolutions, not one.",
        ),
        (
            lambda arch, c, k, n, h: (
                count(arch, c, k, n, h) - arch[-1][1] * h * (n // 2 ** len(arch)) * (n // 2 ** len(arch) - 1)
            ),
            "the last map is side × side.",
        ),
        (
            lambda *q: count(*q, halve=False),
            "the first linear layer is too large: every block has halved height and width before it.",
        ),
        (
            lambda arch, c, *q: count(arch, c, *q, follow=False, flat=c),
            "every convolution is counted with the input's channels. It sees those of the layer before it.",
        ),
        (
            lambda *q: count(*q, follow=False),
            "every convolution is counted with the input's channels. It sees those of the layer before it.",
        ),
        (lambda *q: count(*q, inner=False), "inside a block the second convolution already sees out_channels."),
        (lambda *q: count(*q, head=False), "the convolutions alone. The head has three linear layers."),
        (
            lambda arch, c, k, n, h: count(arch, c, k, n, h) - h * h - h,
            "the head's middle layer, hidden × hidden, is missing.",
        ),
    ),
)
