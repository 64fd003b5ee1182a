"""Exercises of lesson 7: what a bottleneck saves, a residual block, an occlusion map."""

import torch
import torch.nn.functional as F

from course_tools.checks.exercise import Exercise


def bottleneck_questions(generator):
    a, b, c = torch.randint(4, 60, (3,), generator=generator).tolist()
    return [(28, 192, 16, 32, 5), (14, 480, 96, 208, 3), (7, 4 * a, b, c, 3), (1, 8, 4, 8, 1)]


def bottleneck(side, c_in, c_mid, c_out, kernel):
    places = side**2
    return [places * c_in * c_out * kernel**2, places * (c_in * c_mid + c_mid * c_out * kernel**2)]


def residual_questions(generator):
    shapes = ((4, 4, 1), (3, 6, 2), (5, 5, 1))
    return [(torch.randn(2, c_in, 6, 6, generator=generator), c_in, c_out, stride) for c_in, c_out, stride in shapes]


def residual(
    X, conv1, bn1, conv2, bn2, shortcut, between=True, add=True, last=True, first=False, norm=True, project=True
):
    """The block of the paper's figure 2, with what goes wrong as options."""
    Y = bn1(conv1(X)) if norm else conv1(X)
    Y = conv2(F.relu(Y) if between else Y)
    Y = bn2(Y) if norm else Y
    came = X if shortcut is None or not project else shortcut(X)
    if first:
        return F.relu(Y) + came
    Y = Y + came if add else Y
    return F.relu(Y) if last else Y


def occlusion_questions(generator):
    return [
        (torch.rand(h, w, generator=generator), torch.randn(h, w, generator=generator), size, grey)
        for h, w, size, grey in ((4, 6, 2, 0.0), (6, 9, 3, 0.5), (4, 4, 1, -1.0))
    ]


def occlude(score, image, size, grey, sign=1, drop=True, restore=True, dark=False, swap=False, step=None):
    rows, columns = image.shape[0] // size, image.shape[1] // size
    result = torch.zeros(rows, columns)
    base, X = score(image), image.clone()
    for row in range(rows):
        for column in range(columns):
            if restore:
                X = image.clone()
            at = (
                slice(row * (step or size), row * (step or size) + size),
                slice(column * (step or size), column * (step or size) + size),
            )
            X[at] = 0 if dark else grey
            result[row, column] = sign * (base - score(X)) if drop else score(X)
    return result.T if swap else result


def occlude_in_place(score, image, size, grey):
    result = occlude(score, image, size, grey, restore=False)
    image.fill_(grey)
    return result


EXERCISES = [
    Exercise(
        "bottleneck",
        bottleneck_questions,
        "in GoogLeNet's first module the 5×5 branch costs a tenth of what it would without its 1×1.",
        right=bottleneck,
        mistakes=(
            (
                lambda n, a, m, b, k: [bottleneck(n, a, m, b, k)[0], n * n * m * b * k * k],
                "the 1×1 convolution costs something, too: c_in · c_mid at each place.",
            ),
            (
                lambda n, a, m, b, k: [a * b * k * k, a * m + m * b * k * k],
                "these are weights. Each of them works at side × side places.",
            ),
            (lambda n, a, m, b, k: [cost // n for cost in bottleneck(n, a, m, b, k)], "side × side places, not side."),
            (
                lambda n, a, m, b, k: [bottleneck(n, a, m, b, k)[0], n * n * k * k * (a * m + m * b)],
                "the first convolution of the pair is 1×1: no k² there.",
            ),
            (
                lambda n, a, m, b, k: [cost // k for cost in bottleneck(n, a, m, b, k)] if k > 1 else [0, 0],
                "a kernel has k × k weights.",
            ),
            (
                lambda n, a, m, b, k: bottleneck(n, a, m, b, k)[::-1],
                "the order: first without, then with the bottleneck.",
            ),
        ),
    ),
    Exercise(
        "residual",
        residual_questions,
        "two convolutions, what came in added, and then the ReLU.",
        right=residual,
        mistakes=(
            (lambda *q: residual(*q, add=False), "the shortcut is missing: what came in has to be added."),
            (
                lambda *q: residual(*q, first=True),
                "the ReLU stands before the addition; so the block could only ever add. It comes after it.",
            ),
            (lambda *q: residual(*q, last=False), "the ReLU at the end is missing."),
            (lambda *q: residual(*q, between=False), "the ReLU between the two convolutions is missing."),
            (lambda *q: residual(*q, norm=False), "the two batch norms are not used."),
            (
                lambda *q: residual(*q, project=False),
                "where channels or size change, X cannot be added as it is: send it through `shortcut` unless that is "
                "None.",
            ),
            (
                lambda X, *layers: residual(F.relu(X), *layers),
                "a ReLU in front of the block; what comes in is taken as it is.",
            ),
        ),
    ),
    Exercise(
        "occlusion_map",
        occlusion_questions,
        "large where the score hangs on what was covered.",
        right=occlude,
        mistakes=(
            (lambda *q: occlude(*q, sign=-1), "the sign: what the score *loses* is before minus after."),
            (
                lambda *q: occlude(*q, drop=False),
                "these are the scores with the patch. Take them from the score without one.",
            ),
            (
                lambda *q: occlude(*q, restore=False),
                "the patches stay: after the last one the whole picture is grey. Begin each time with a fresh copy.",
            ),
            (occlude_in_place, "the picture itself was painted over: work on `image.clone()`, a fresh one each time."),
            (
                lambda *q: occlude(*q, dark=True),
                "the patch is 0, whatever `grey` says. In a normalised picture 0 is the mean, in another one black.",
            ),
            (lambda *q: occlude(*q, step=1), "the patches move on by one pixel and not by their size."),
            (lambda *q: occlude(*q, swap=True), "rows and columns of the map are swapped."),
        ),
    ),
]
