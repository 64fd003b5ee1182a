"""Exercises of lesson 0: probabilities, the first loss, and a gradient by hand."""

import math

import torch
import torch.nn.functional as F

from course_tools.checks.exercise import Exercise


def softmax_questions(generator):
    small = torch.randn(4, 3, generator=generator)
    return [
        (small,),
        (100 * torch.randn(2, 5, generator=generator),),
        (small + 1000,),
        (torch.tensor([[1000.0, 0.0], [0.0, 1.0]]),),
    ]


def first_loss_questions(generator):
    return [(classes,) for classes in (10, 2, 1000, *torch.randint(3, 500, (3,), generator=generator).tolist())]


def gradient_questions(generator):
    questions = []
    for images, pixels, classes in ((5, 4, 3), (8, 6, 10)):
        X, W = torch.randn(images, pixels, generator=generator), torch.randn(pixels, classes, generator=generator)
        questions.append((X, torch.randint(classes, (images,), generator=generator), W))
    return questions


def gradient(X, y, W):
    """By PyTorch, which the student's formula has to match."""
    W = W.clone().requires_grad_()
    F.cross_entropy(X @ W, y).backward()
    return W.grad


def one_hot(y, W):
    return F.one_hot(y, W.shape[1]).float()


def by_columns(scores):
    exponentials = (scores - scores.amax(1, keepdim=True)).exp()
    return exponentials / exponentials.sum(0, keepdim=True)


def one_largest(scores):
    exponentials = (scores - scores.max()).exp()
    return exponentials / exponentials.sum(1, keepdim=True)


EXERCISES = [
    Exercise(
        "softmax",
        softmax_questions,
        "each row sums to 1, and scores of a thousand do no harm.",
        right=lambda scores: scores.softmax(1),
        mistakes=(
            (
                one_largest,
                "one row's large scores have made all exponentials of another row 0, and 0 / 0 is no number. Take away "
                "each row's *own* largest score.",
            ),
            (by_columns, "each *column* sums to 1. A picture is a row, and its classes are axis 1."),
            (lambda s: s.softmax(0), "each *column* sums to 1. A picture is a row, and its classes are axis 1."),
            (
                lambda s: s.exp() / s.exp().sum(),
                "the whole table sums to 1. Every picture, a row, needs a sum of its own.",
            ),
            (
                lambda s: (s - s.amax(1, keepdim=True)).exp() / (s - s.amax(1, keepdim=True)).exp().sum(),
                "the whole table sums to 1. Every picture, a row, needs a sum of its own.",
            ),
            (
                lambda s: s.exp() / s.exp().sum(1, keepdim=True),
                "right until exp overflows: exp(1000) is infinite, and inf / inf "
                "no number. What may you take away from a row without changing its probabilities?",
            ),
            (lambda s: s.log_softmax(1), "these are logarithms of the probabilities."),
            (
                lambda s: s / s.sum(1, keepdim=True),
                "divided by the sum, without exponentials: a score may be negative, a probability may not.",
            ),
            (lambda s: s.exp(), "exponentials, and not yet divided by their sum."),
        ),
    ),
    Exercise(
        "first_loss",
        first_loss_questions,
        "and for ten classes that is 2.303, the number to remember.",
        right=lambda classes: math.log(classes),
        mistakes=(
            (lambda n: -math.log(n), "negative. The loss is *minus* the logarithm of the probability 1/K."),
            (lambda n: math.log2(n), "a logarithm to base 2. Cross-entropy takes the natural one."),
            (lambda n: math.log10(n), "a logarithm to base 10. Cross-entropy takes the natural one."),
            (lambda n: 1 / n, "the probability of the right class. The loss is minus its logarithm."),
            (lambda n: 1 - 1 / n, "the share of pictures that a guess gets wrong. The loss is minus a logarithm."),
        ),
    ),
    Exercise(
        "gradient",
        gradient_questions,
        "the same as backward(): pictures, times how far each probability is off, over the number of pictures.",
        right=gradient,
        mistakes=(
            (
                lambda X, y, W: X.T @ ((X @ W).softmax(1) - one_hot(y, W)),
                "the gradient of the *sum*. The loss is a mean over the pictures: divide by their number.",
            ),
            (lambda X, y, W: -gradient(X, y, W), "downhill. The gradient points uphill; the step takes the minus."),
            (
                lambda X, y, W: X.T @ (X @ W).softmax(1) / len(X),
                "the right class is missing: its probability should be 1, so take "
                "1 off at the right class of each picture (`F.one_hot`).",
            ),
            (
                lambda X, y, W: X.T @ (X @ W - one_hot(y, W)) / len(X),
                "scores, where probabilities are needed: softmax first.",
            ),
            (
                lambda X, y, W: gradient(X, y, W) / W.shape[1],
                "divided by the number of classes, too; the mean is over the pictures only.",
            ),
            (
                lambda X, y, W: gradient(X, y, W).T,
                "transposed. The gradient has the shape of W: pixels first, then classes.",
            ),
        ),
    ),
]
