"""Exercises of lesson 6: a step of SGD, early stopping, a confusion matrix; those with chance in lesson_6_chance.py."""

import torch

from course_tools.checks import lesson_6_chance
from course_tools.checks.exercise import Exercise


def step_questions(generator):
    w, g, v = torch.randn(3, 4, generator=generator)
    return [
        (w, g, torch.zeros(4), 0.1, 0.9, 0.0),
        (w, g, v, 0.05, 0.9, 5e-2),
        (v, w, g, 0.01, 0.5, 0.1),
        (w, g, v, 0.1, 0.0, 0.0),
    ]


def sgd_step(w, g, v, lr, momentum, weight_decay):
    g = g + weight_decay * w
    v = momentum * v + g
    return [w - lr * v, v]


def decay_apart(w, g, v, lr, momentum, weight_decay):
    v = momentum * v + g
    return [w - lr * v - weight_decay * w, v]


def damped(w, g, v, lr, momentum, weight_decay):
    v = momentum * v + (1 - momentum) * (g + weight_decay * w)
    return [w - lr * v, v]


def shorter_velocity(w, g, v, lr, momentum, weight_decay):
    v = momentum * v + lr * (g + weight_decay * w)
    return [w - v, v]


def stopping_questions(generator):
    drawn = (torch.linspace(1, 0.5, 12) + 0.3 * torch.rand(12, generator=generator)).tolist()
    return [
        ([0.9, 0.7, 0.8, 0.6, 0.65, 0.7, 0.62, 0.61, 0.5], 3),
        ([0.9, 0.8, 0.8, 0.8, 0.7], 2),
        (drawn, 2),
        ([3.0, 2.0, 1.0], 2),
    ]


def early_stopping(losses, patience, late=0, previous=False, equal=False, first=1):
    best = 0
    for epoch, loss in enumerate(losses):
        against = losses[epoch - 1] if previous else losses[best]
        if epoch and (loss < against or equal and loss == against):
            best = epoch
        if epoch - best >= patience + late:
            break
    return [best + first, epoch + first]


def confusion_questions(generator):
    questions = []
    for classes, count in ((3, 12), (5, 30), (10, 7)):
        true, found = torch.randint(classes - 1, (2, count), generator=generator)  # the last class never appears
        questions.append((true, found, classes))
    return questions


def confusion(true, found, classes):
    table = torch.zeros(classes, classes, dtype=torch.int64)
    return table.index_put_((true, found), torch.ones_like(true), accumulate=True)


EXERCISES = [
    Exercise(
        "sgd_step",
        step_questions,
        "the same weights and the same velocity as torch.optim.SGD.",
        right=sgd_step,
        mistakes=(
            (
                lambda w, g, v, lr, m, wd: sgd_step(w, g, v, lr, m, 0.0),
                "the weight decay is missing: the gradient is g + weight_decay · w.",
            ),
            (
                decay_apart,
                "weight decay is taken off the weights directly. In SGD it is part of the gradient, so that it, too, "
                "gathers momentum.",
            ),
            (damped, "the new gradient is multiplied by 1 − momentum. PyTorch's SGD adds all of it."),
            (
                shorter_velocity,
                "the learning rate is inside the velocity. The step multiplies by it at the end, so that a new rate "
                "works at once.",
            ),
            (
                lambda w, g, v, lr, m, wd: [w - lr * v, sgd_step(w, g, v, lr, m, wd)[1]],
                "the step uses the *old* velocity. First the velocity, then the step with it.",
            ),
            (
                lambda w, g, v, lr, m, wd: [w - lr * (g + wd * w), sgd_step(w, g, v, lr, m, wd)[1]],
                "the step uses the gradient and not the velocity.",
            ),
            (
                lambda w, g, v, lr, m, wd: [w + lr * sgd_step(w, g, v, lr, m, wd)[1], sgd_step(w, g, v, lr, m, wd)[1]],
                "uphill: take the step away from the weights.",
            ),
            (
                lambda w, g, v, lr, m, wd: [w - lr * (m * v + g - wd * w), m * v + g - wd * w],
                "the sign of the decay: it makes weights smaller.",
            ),
        ),
    ),
    lesson_6_chance.DROPOUT,
    Exercise(
        "early_stopping",
        stopping_questions,
        "the best epoch and the one in which you find out are not the same.",
        right=early_stopping,
        mistakes=(
            (
                lambda losses, patience: [losses.index(min(losses)) + 1, len(losses)],
                "this looks at the whole curve. While training, nobody knows what comes later.",
            ),
            (
                lambda *q: early_stopping(*q, late=1),
                "one epoch too late: after `patience` epochs without a lower loss, stop.",
            ),
            (lambda *q: early_stopping(*q, late=-1), "one epoch too early."),
            (
                lambda *q: early_stopping(*q, previous=True),
                "compared with the epoch before. Lower than the *best* so far is what counts.",
            ),
            (lambda *q: early_stopping(*q, equal=True), "an equal loss is no progress."),
            (lambda *q: early_stopping(*q, first=0), "epochs are counted from 1 here."),
            (
                lambda *q: [early_stopping(*q)[1]] * 2,
                "the weights to keep are those of the best epoch, not of the last.",
            ),
        ),
    ),
    Exercise(
        "confusion",
        confusion_questions,
        "a row for each true class, a column for each answer, and room for a class that never came.",
        right=confusion,
        mistakes=(
            (
                lambda true, found, k: confusion(found, true, k),
                "rows and columns are swapped: a row belongs to the *true* class.",
            ),
            (
                lambda true, found, k: confusion(true, found, k) / confusion(true, found, k).sum(1, keepdim=True),
                "shares of each row, and a division by zero where a class is missing. Count.",
            ),
            (
                lambda true, found, k: confusion(true, true, k),
                "only the diagonal: each picture is entered at its true class, whatever the net said.",
            ),
            (
                lambda true, found, k: confusion(true, found, k)[: int(true.max()) + 1, : int(true.max()) + 1],
                "as large as the largest label. A class that does not appear still has its row.",
            ),
            (
                lambda true, found, k: (confusion(true, found, k) > 0).long(),
                "ones where counts should be. `table[true, found] += 1` adds a pair that comes twice only once.",
            ),
            (
                lambda true, found, k: (true == found).float().mean(),
                "the accuracy. It is the diagonal of the table over its sum.",
            ),
        ),
    ),
    lesson_6_chance.EXPERIMENT,
]
