"""Exercises of lesson 3: AlexNet out of its table, somebody's mistake, the paper's normalisation, weights and "
"work."""

import torch
from torch import nn

from course_tools.checks import lesson_3_lrn
from course_tools.checks.exercise import Exercise

ROWS = [(96, 11, 4, 0, True), (256, 5, 1, 2, True), (384, 3, 1, 1, False), (384, 3, 1, 1, False), (256, 3, 1, 1, True)]


def table_questions(generator):
    thin = [(channels // 16, *row) for channels, *row in ROWS]
    small = [(5, 3, 1, 1, False), (7, 3, 2, 1, True)]
    return [(thin, 3, 10, 67, 12), (small, 1, int(torch.randint(2, 9, (1,), generator=generator)), 12, 6)]


def net_from(
    rows,
    in_channels,
    num_classes,
    input_size,
    hidden,
    relu=True,
    pool=lambda wanted: wanted,
    dropout=0.5,
    head=3,
    last=(),
    conv_relu=True,
    flat=None,
):
    layers, side = [], input_size
    for out_channels, kernel, stride, padding, pooled in rows:
        layers += [nn.Conv2d(in_channels, out_channels, kernel, stride, padding)] + [nn.ReLU()] * (relu and conv_relu)
        side = (side + 2 * padding - kernel) // stride + 1
        in_channels = out_channels
        if pool(pooled):
            layers.append(nn.MaxPool2d(3, 2))
            side = (side - 3) // 2 + 1
    widths = [flat or in_channels * side * side, *[hidden] * (head - 1)]
    layers.append(nn.Flatten())
    for before, after in zip(widths, widths[1:]):
        layers += [nn.Linear(before, after), *[nn.ReLU()] * relu, nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Linear(widths[-1], num_classes), *last)


def walk_questions(generator):
    questions = []
    for wrong in ((2,), (0, 3), (3, 4), (1,)):
        side, walk = int(torch.randint(60, 230, (1,), generator=generator)), []
        n = side
        for number, (_, kernel, stride, padding, pooled) in enumerate(ROWS):
            n = (n + 2 * padding - kernel) // stride + 1
            shown = n + (2 if number in wrong else 0)
            walk.append((f"conv {number + 1}", kernel, stride, padding, shown))
            n = shown
        questions.append((walk, side))
    return questions


def errors(walk, n, size=lambda n, k, s, p: (n + 2 * p - k) // s + 1):
    found = []
    for name, kernel, stride, padding, written in walk:
        if size(n, kernel, stride, padding) != written:
            found.append([name, size(n, kernel, stride, padding)])
        n = written
    return found or [["none", 0]]


def written_instead(walk, n):
    name = errors(walk, n)[0][0]
    return [name, next(row[-1] for row in walk if row[0] == name)]


def cost_questions(generator):
    drawn = torch.randint(1, 30, (2, 2), generator=generator).tolist()
    return [
        (3, 96, 11, 55, 1),
        (96, 256, 5, 27, 2),
        (9216, 4096, 1, 1, 1),
        *((4 * a, 8 * b, 3, 13, 4) for a, b in drawn),
    ]


def cost(c_in, c_out, kernel, side, groups):
    weights = c_in // groups * c_out * kernel**2
    return [weights, weights * side**2]


EXERCISES = [
    Exercise(
        "alexnet_from",
        table_questions,
        "rows, pooling, head: the same shapes and the same outputs as the reference.",
        right=net_from,
        mistakes=(
            (lambda *q: net_from(*q, conv_relu=False), "there is no ReLU behind the convolutions."),
            (
                lambda *q: net_from(*q, flat=9216),
                "the head expects 9216 numbers, which only these five rows with 227 pixels leave over. Follow the height "
                "through the rows.",
            ),
            (
                lambda *q: net_from(*q, relu=False),
                "there is no ReLU in it: without one, all these layers are one linear map.",
            ),
            (
                lambda *q: net_from(*q, last=[nn.ReLU()]),
                "a ReLU behind the last layer: scores may be negative, and a score of zero gives no gradient.",
            ),
            (lambda *q: net_from(*q, last=[nn.Softmax(1)]), "a softmax at the end: `F.cross_entropy` does it itself."),
            (lambda *q: net_from(*q, dropout=0.0), "dropout is missing: it stands behind the first two linear layers."),
            (lambda *q: net_from(*q, head=2), "the head has two linear layers; AlexNet's has three."),
            (
                lambda *q: net_from(*q, pool=lambda wanted: True),
                "every row is pooled. Only where the row's last entry is True.",
            ),
            (
                lambda *q: net_from(*q, pool=lambda wanted: False),
                "no row is pooled. Pool with 3×3 and stride 2 where the row's last entry is True.",
            ),
        ),
    ),
    Exercise(
        "first_error",
        walk_questions,
        "and the rows behind it are innocent.",
        right=lambda walk, n: errors(walk, n)[0],
        mistakes=(
            (lambda walk, n: errors(walk, n)[-1], "the last row that is wrong. The first is wanted."),
            (
                written_instead,
                "the right row, with the height that the table *writes*. Give back the one that the formula gives.",
            ),
            (
                lambda walk, n: next(
                    (
                        [r[0], (n + 2 * r[3] - r[1]) // r[2] + 1]
                        for r in walk
                        if (n + 2 * r[3] - r[1]) // r[2] + 1 != r[4]
                    ),
                    ["none", 0],
                ),
                "each row gets the height of the row before it, not the picture's.",
            ),
            (
                lambda walk, n: errors(walk, n)[0][0],
                "the row's name alone. Give back the pair of name and right height.",
            ),
            (
                lambda walk, n: errors(walk, n, lambda n, k, s, p: -(-(n + 2 * p - k) // s) + 1)[0],
                "rounded up; convolutions round down.",
            ),
            (
                lambda walk, n: errors(walk, n, lambda n, k, s, p: (n + p - k) // s + 1)[0],
                "the padding is on both sides.",
            ),
            (
                lambda walk, n: [[name for name, *_ in walk].index(errors(walk, n)[0][0]), errors(walk, n)[0][1]],
                "a row number. Give back the row's name.",
            ),
        ),
    ),
    lesson_3_lrn.LRN,
    Exercise(
        "cost",
        cost_questions,
        "two groups halve both, and a weight of a convolution is used at every place.",
        right=cost,
        mistakes=(
            (
                lambda a, b, k, n, g: cost(a, b, k, n, 1),
                "as if there were no groups. In g groups a kernel sees c_in / g channels.",
            ),
            (
                lambda a, b, k, n, g: [cost(a, b, k, n, g)[0]] * 2,
                "each weight counted once. A kernel is used at every place of the output: side × side times.",
            ),
            (
                lambda a, b, k, n, g: [cost(a, b, k, n, g)[0], cost(a, b, k, n, g)[0] * n],
                "the output is side × side, not side.",
            ),
            (
                lambda a, b, k, n, g: [cost(a, b, k, n, g)[0] + b, cost(a, b, k, n, g)[1]],
                "with biases. Here only weights count.",
            ),
            (
                lambda a, b, k, n, g: [weights // g for weights in cost(a, b, k, n, g)],
                "divided by the groups twice. Each group has c_in / g inputs "
                "and c_out / g outputs, but there are g of them.",
            ),
            (
                lambda a, b, k, n, g: [cost(a, b, 1, n, g)[0] * k, cost(a, b, 1, n, g)[1] * k],
                "a kernel has k × k weights.",
            ),
        ),
    ),
]
