"""Exercises of lesson 1: convolution by loop and by matrix product, output sizes, pooling, a kernel that shifts."""

import math

import torch
import torch.nn.functional as F

from course_tools.checks.exercise import Exercise


def normal(generator, *shape):
    return torch.randn(shape, generator=generator)


def corr2d(X, K):
    return F.conv2d(X[None, None], K[None, None])[0, 0]


def corr2d_questions(generator):
    return [
        (normal(generator, *X), normal(generator, *K))
        for X, K in (((3, 4), (2, 2)), ((6, 5), (2, 3)), ((7, 9), (5, 1)))
    ]


def swapped_size(X, K):
    (h, w), (columns, rows) = K.shape, corr2d(X, K).shape
    return torch.tensor([[(X[r : r + h, c : c + w] * K).sum() for c in range(columns)] for r in range(rows)])


def output_size_questions(generator):
    fixed = [
        (227, 11, 0, 4),
        (224, 11, 2, 4),
        (28, 5, 2, 1),
        (226, 11, 0, 4),
    ]  # AlexNet's first layer, twice; a padding that keeps the size
    drawn = [
        torch.randint(low, high, (4,), generator=generator).tolist() for low, high in ((20, 60), (1, 8), (0, 4), (2, 5))
    ]
    return fixed + list(zip(*drawn))


def matmul_questions(generator):
    return [
        (normal(generator, 1, 1, 4, 6), normal(generator, 2, 1, 3, 3), 0),
        (normal(generator, 2, 3, 5, 7), normal(generator, 4, 3, 3, 3), 1),
        (normal(generator, 2, 2, 6, 5), normal(generator, 3, 2, 1, 1), 0),
        (normal(generator, 3, 2, 8, 6), normal(generator, 5, 2, 5, 5), 2),
    ]


def by_matmul(X, W, padding, kernel_columns=lambda W: W.flatten(1), height_first=True, padded=True):
    size = [length + 2 * padding - W.shape[-1] + 1 for length in X.shape[2:]]
    columns = F.unfold(X, W.shape[-1], padding=padding if padded else 0)
    return (kernel_columns(W) @ columns).reshape(len(X), len(W), *(size if height_first else size[::-1]))


def pool_questions(generator):
    drawn = [(normal(generator, 6, 8), 2, 2), (normal(generator, 7, 8), 3, 2), (normal(generator, 5, 6), 2, 1)]
    return drawn + [(-1 - normal(generator, 6, 4).abs(), 2, 2)]


def max_pool2d(X, size, stride, **options):
    return F.max_pool2d(X[None], size, stride, **options)[0]


def small_steps(X, size, stride):
    rows, columns = max_pool2d(X, size, stride).shape
    return max_pool2d(X, size, 1)[:rows, :columns]


def hanging(X, size, stride):
    rows, columns = (length // stride for length in X.shape)
    return torch.tensor(
        [[X[row * stride :, column * stride :][:size, :size].max() for column in range(columns)] for row in range(rows)]
    )


def shift_questions(generator):
    return [(0, 1), (1, 0), (-1, 1), (0, 0), (1, -1), (0, -1)]


def one_at(row, column):
    kernel = torch.zeros(3, 3)
    kernel[row, column] = 1
    return kernel


EXERCISES = [
    Exercise(
        "corr2d",
        corr2d_questions,
        "the same numbers as F.conv2d, for kernels that are not square, too.",
        right=corr2d,
        mistakes=(
            (
                lambda X, K: corr2d(X, K.flip(0, 1)),
                "this is a true convolution: your kernel is turned around. Nets use cross-correlation, "
                "kernel and window in the same order.",
            ),
            (
                lambda X, K: F.conv2d(
                    F.pad(X, (K.shape[1] // 2, (K.shape[1] - 1) // 2, K.shape[0] // 2, (K.shape[0] - 1) // 2))[
                        None, None
                    ],
                    K[None, None],
                )[0, 0],
                "as large as the input: you have padded. Here the kernel stays inside the picture.",
            ),
            (
                lambda X, K: corr2d(X, K)[:-1, :-1],
                "one row and one column are missing: n − k + 1 windows fit, so the range ends at n − k + 1.",
            ),
            (
                lambda X, K: corr2d(X, torch.ones_like(K)),
                "the sum of the window. Multiply by the kernel, element by element, before you add up.",
            ),
            (swapped_size, "rows and columns of the result are swapped: X's height goes with K's height."),
            (lambda X, K: corr2d(X, K) / K.numel(), "the mean of the products. A convolution takes their sum."),
            (
                lambda X, K: X[: X.shape[0] - K.shape[0] + 1, : X.shape[1] - K.shape[1] + 1] * K[0, 0],
                "one product for each place. Every output is a sum over the whole window.",
            ),
        ),
    ),
    Exercise(
        "output_size",
        output_size_questions,
        "right for strides that do not divide, too; the rest of the input is left over.",
        right=lambda n, k, padding, stride: (n + 2 * padding - k) // stride + 1,
        mistakes=(
            (
                lambda n, k, p, s: math.ceil((n + 2 * p - k) / s) + 1,
                "rounded up: the last window hangs over the edge. A window that does not "
                "fit is left out, so round down.",
            ),
            (
                lambda n, k, p, s: round((n + 2 * p - k) / s) + 1,
                "rounded to the nearest. A window that does not fit is left out: round down.",
            ),
            (lambda n, k, p, s: (n + 2 * p - k) // s, "one too few: the window's first place counts, too."),
            (lambda n, k, p, s: (n + p - k) // s + 1, "the padding is on both sides."),
            (
                lambda n, k, p, s: (n + 2 * p - k) / s + 1,
                "not always a whole number. Half a window gives no output: round down with //.",
            ),
            (lambda n, k, p, s: n + 2 * p - k + 1, "as if the stride were 1."),
            (
                lambda n, k, p, s: (n + 2 * p - k + 1) // s,
                "the 1 must be added after the division: it counts the first window, however long the stride.",
            ),
            (lambda n, k, p, s: (n - 2 * p - k) // s + 1, "padding makes the picture larger, so it is added."),
        ),
    ),
    Exercise(
        "conv_by_matmul",
        matmul_questions,
        "one matrix product, and every number of F.conv2d.",
        right=lambda X, W, padding: F.conv2d(X, W, padding=padding),
        mistakes=(
            (
                lambda *q: by_matmul(*q, padded=False),
                "the height and width count the padding, and the columns do not: `F.unfold` takes it, too.",
            ),
            (lambda X, W, padding: F.conv2d(X, W), "the padding is missing: `F.unfold` takes it, too."),
            (
                lambda X, W, padding: by_matmul(X, W, padding).flatten(2),
                "the numbers are right and in one row: reshape the last axis to height and width.",
            ),
            (
                lambda X, W, padding: by_matmul(X, W, padding, lambda W: W.reshape(-1, len(W)).T),
                "the weights are in the wrong order. One *row* "
                "for each kernel, its numbers side by side; `W.reshape(-1, M).T` mixes the kernels.",
            ),
            (
                lambda X, W, padding: by_matmul(X, W, padding, height_first=False),
                "width and height are swapped in the last reshape.",
            ),
            (
                lambda X, W, padding: F.conv2d(X, W.flip(2, 3), padding=padding),
                "the kernels are turned around; leave them as they are.",
            ),
            (
                lambda X, W, padding: F.conv2d(X.mean(1, keepdim=True), W.mean(1, keepdim=True), padding=padding),
                "the channels are averaged. Each channel has weights of its own, and the products are added up.",
            ),
        ),
    ),
    Exercise(
        "max_pool2d",
        pool_questions,
        "for windows that overlap, and for negative numbers, too.",
        right=max_pool2d,
        mistakes=(
            (
                lambda X, size, stride: F.avg_pool2d(X[None], size, stride)[0],
                "the mean of each window. The largest is wanted.",
            ),
            (lambda X, size, stride: -max_pool2d(-X, size, stride), "the smallest of each window."),
            (lambda X, size, stride: max_pool2d(X, size, size), "the stride is ignored: your windows never overlap."),
            (
                lambda X, size, stride: F.max_pool2d(X[None], stride, stride)[0],
                "windows of stride × stride. They are size × size, however far they move on.",
            ),
            (hanging, "a window at the edge hangs over. Count the places as in `output_size`."),
            (small_steps, "the windows move on by 1 and not by `stride`."),
            (lambda X, size, stride: max_pool2d(X, size, 1), "the windows move on by 1 and not by `stride`."),
            (
                lambda X, size, stride: max_pool2d(X, size, stride).clamp(min=0),
                "nothing below zero. Did you start from a maximum of 0? "
                "Where all numbers are negative, the largest is negative.",
            ),
            (
                lambda X, size, stride: max_pool2d(X, size, stride, ceil_mode=True),
                "one window too many, which hangs over the edge: round down.",
            ),
        ),
    ),
    Exercise(
        "shift_kernel",
        shift_questions,
        "an output takes its pixel from where the 1 is, so the picture moves the other way.",
        right=lambda down, right: one_at(1 - down, 1 - right),
        mistakes=(
            (
                lambda down, right: one_at(1 + down, 1 + right),
                "this moves the picture the other way. Where does an output's pixel come from, if the 1 stands there?",
            ),
            (
                lambda down, right: one_at(1 - right, 1 - down),
                "rows and columns are swapped: the first index counts rows, downwards.",
            ),
            (
                lambda down, right: one_at(1 + right, 1 + down),
                "rows and columns are swapped, and the direction is reversed.",
            ),
            (lambda down, right: one_at(1, 1), "the 1 in the middle moves nothing, whatever is asked."),
            (
                lambda down, right: one_at(1 - down, 1 - right) / 9,
                "in the right place, and the picture gets darker: the weight must be 1.",
            ),
        ),
    ),
]
