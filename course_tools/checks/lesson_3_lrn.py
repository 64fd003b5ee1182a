"""The exercise of lesson 3 that takes most hints: the paper's normalisation over channels."""

import torch
import torch.nn.functional as F

from course_tools.checks.exercise import Exercise


def lrn_questions(generator):
    X = [torch.randn(shape, generator=generator) * 3 for shape in ((2, 6, 3, 3), (1, 9, 2, 4), (1, 6, 1, 1))]
    return [(X[2], 3, 1.0, 0.5, 1.0), (X[0], 5, 2.0, 1e-1, 0.75), (X[1], 3, 1.0, 0.5, 0.5), (X[1], 5, 2.0, 1e-4, 0.75)]


def lrn(X, size, k, alpha, beta):
    return F.local_response_norm(
        X, size, alpha * size, beta, k
    )  # PyTorch divides alpha by the size; the paper does not


def summed(X, window):
    """The sum over `window` of neighbouring channels, a list of offsets."""
    reach = max(map(abs, window))
    padded = F.pad(X, (0, 0, 0, 0, reach, reach))
    return sum(padded[:, reach + offset : reach + offset + X.shape[1]] for offset in window)


def by_slices(X, size, first, last):
    """The sum of squares over the channels i - first … i + last - 1, as a slice takes them, negative starts included."""
    return torch.stack([(X[:, i - first : i + last] ** 2).sum(1) for i in range(X.shape[1])], 1)


def in_place(X, size, k, alpha, beta):
    for i in range(X.shape[1]):
        X[:, i] /= (k + alpha * (X[:, max(0, i - size // 2) : i + size // 2 + 1] ** 2).sum(1)) ** beta
    return X


def around(size, more=0):
    """The offsets of the window around a channel."""
    return range(-(size // 2), size // 2 + 1 + more)


LRN = Exercise(
    "lrn",
    lrn_questions,
    "as section 3.3 prints it; PyTorch divides alpha by the number of channels in the window.",
    right=lrn,
    mistakes=(
        (
            lambda X, size, k, alpha, beta: F.local_response_norm(X, size, alpha, beta, k),
            "alpha is divided by the size of the window: PyTorch's convention. In the paper it is not.",
        ),
        (
            lambda X, size, k, alpha, beta: X / (k + alpha * by_slices(X, size, size // 2, size // 2 + 1)) ** beta,
            "the first channels are wrong: a slice that starts below zero counts from the end. Cut it off with "
            "max(0, …).",
        ),
        (
            lambda X, size, k, alpha, beta: X / (k + alpha * summed(X**2, around(size, -1))) ** beta,
            "the window is one channel short: a slice ends before its last index.",
        ),
        (
            lambda X, size, k, alpha, beta: X / (k + alpha * (summed(X**2, around(size)) - X**2)) ** beta,
            "channel i itself belongs to the sum.",
        ),
        (
            lambda X, size, k, alpha, beta: X / (k + alpha * summed(X, around(size)) ** 2) ** beta,
            "square each value first, then add.",
        ),
        (
            lambda X, size, k, alpha, beta: X / (k + alpha * summed(X**2, range(-size, size + 1))) ** beta,
            "`size` channels in all, (size − 1) / 2 on each side.",
        ),
        (in_place, "you write into X while later channels still read it: fill a new tensor."),
        (
            lambda X, size, k, alpha, beta: X / (k + alpha * summed(X, range(-(size // 2), size // 2 + 1))) ** beta,
            "the neighbours themselves are added up. Their *squares* are meant.",
        ),
        (
            lambda X, size, k, alpha, beta: X / (k + alpha * X**2) ** beta,
            "each channel is divided by itself alone. The sum runs over its neighbours, too.",
        ),
        (
            lambda X, size, k, alpha, beta: X / (k + alpha * (X**2).sum(1, keepdim=True)) ** beta,
            "the sum over *all* channels. Only those within size // 2 of the channel count.",
        ),
        (
            lambda X, size, k, alpha, beta: X / (k + alpha * summed(X**2, range(-size + 1, 1))) ** beta,
            "the window ends at the channel. It lies around it, size // 2 to both sides.",
        ),
        (lambda X, size, k, alpha, beta: X**2 / lrn(X, size, k, alpha, beta), "multiplied. Normalising divides."),
        (
            lambda X, size, k, alpha, beta: X / (k + alpha * size * (X / lrn(X, size, 0.0, 1.0, 1.0)) / size),
            "beta is missing: the bracket is raised to it.",
        ),
    ),
)
