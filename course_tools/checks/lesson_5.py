"""Exercises of lesson 5: the bug hunts (lesson_5_bugs.py), a schedule, initial weights, layers out of another net."""

import math

import torch
from torch import nn

from course_lib import preinitialise
from course_tools.checks import lesson_5_bugs
from course_tools.checks.exercise import Exercise


def plateau_questions(generator):
    falling = [2.0, 1.5, 1.2, 1.3, 1.25, 1.21, 1.1, 1.2, 1.2, 1.2, 1.2, 1.2]
    noisy = torch.rand(14, generator=generator).tolist()
    return [
        (falling, 0.1, 0.1, 2),
        (noisy, 1.0, 0.5, 1),
        ([1.0, 1.1, 1.2, 1.15, 1.1, 1.05, 1.02, 1.3, 1.2], 0.01, 0.1, 2),
    ]


def plateau(losses, lr, factor, patience, early=0, reset=True, previous=False, forget=False, before=False):
    best, bad, rates = math.inf, 0, []
    for number, loss in enumerate(losses):
        if before:
            rates.append(lr)
        if loss < (losses[number - 1] if previous and number else best):
            best, bad = loss, 0
        else:
            bad += 1
        if bad > patience - early:
            lr *= factor
            bad = 0 if reset else bad
            best = math.inf if forget else best
        if not before:
            rates.append(lr)
    return rates


def std_questions(generator):
    drawn = torch.randint(2, 200, (3, 2), generator=generator).tolist()
    return [([64, 3, 3, 3],), ([8, 4, 3, 5],), ([96, 3, 11, 11],), ([4096, 25088],), *(([*channels, 5, 5],) for channels in drawn)]


def std(shape, kernel=True, gain=2):
    return math.sqrt(gain / math.prod(shape[1:] if kernel else shape[1:2]))


PLACES = [(0, 0), (1, 0), (2, 0), (2, 2), (3, 0), (3, 2)]  # block and place in it


def copy_layers(net, source, head=True, convolutions=4, biases=True, fourth=(2, 2), from_=(2, 2)):
    """Copies by block and place, with the usual omissions as options."""
    pairs = list(zip(PLACES, PLACES))[:convolutions]
    pairs[3:4] = [(fourth, from_)] * len(pairs[3:4])
    layers = [(net[b][place], source[c][other]) for (b, place), (c, other) in pairs]
    if head:
        layers += [(ours, theirs) for ours, theirs in zip(net, source) if isinstance(ours, nn.Linear)]
    with torch.no_grad():
        for ours, theirs in layers:
            ours.weight.copy_(theirs.weight)
            if biases:
                ours.bias.copy_(theirs.bias)
    return net


EXERCISES = [
    *lesson_5_bugs.EXERCISES,
    Exercise(
        "plateau",
        plateau_questions,
        "the same rates as ReduceLROnPlateau with a threshold of 0.",
        right=plateau,
        mistakes=(
            (
                lambda *q: plateau(*q, early=1),
                "one epoch too early: `patience` epochs without progress are allowed, the next one divides.",
            ),
            (
                lambda *q: plateau(*q, reset=False),
                "after a division the count must begin again, else every further bad epoch divides.",
            ),
            (
                lambda *q: plateau(*q, previous=True),
                "compared with the epoch before. Progress means lower than the *best* so far.",
            ),
            (lambda *q: plateau(*q, forget=True), "the best loss is forgotten at each division; it stays."),
            (
                lambda *q: plateau(*q, before=True),
                "these are the rates *during* each epoch. Report the rate after it, as the schedule leaves it.",
            ),
            (lambda losses, lr, factor, patience: [lr] * len(losses), "the rate never changes."),
            (
                lambda *q: plateau(*q, early=-1),
                "one epoch too late: when the count exceeds `patience`, divide at once.",
            ),
        ),
    ),
    Exercise(
        "weight_std",
        std_questions,
        "the fan-in counts the whole window, and the 2 makes up for the half that ReLU takes away.",
        right=std,
        mistakes=(
            (
                lambda shape: std(shape, kernel=False),
                "the channels alone. Each output adds up channels × height × width of the kernel.",
            ),
            (
                lambda shape: math.sqrt(2 / (shape[1] * (shape[-1] ** 2 if len(shape) == 4 else 1))),
                "the last axis is squared. A kernel need not be square: take its height and its width.",
            ),
            (lambda shape: std(shape, gain=1), "without the 2, ReLU halves the mean square at every layer."),
            (lambda shape: std(shape) ** 2, "this is the variance. The standard deviation is its root."),
            (
                lambda shape: (
                    math.sqrt(2 * shape[1] / math.prod(shape))
                    if len(shape) == 2
                    else math.sqrt(2 / (shape[0] * math.prod(shape[2:])))
                ),
                "that is the fan-*out*. What one output adds up is the fan-in: everything but axis 0.",
            ),
            (
                lambda shape: math.sqrt(2 / math.prod(shape)),
                "divided by all weights. One output sees only its own kernel: leave axis 0 out.",
            ),
            (
                lambda shape: math.sqrt(2 / ((shape[0] + shape[1]) * math.prod(shape[2:]))),
                "Glorot's mean of fan-in and fan-out. Kaiming's takes the fan-in.",
            ),
        ),
    ),
    Exercise(
        "borrow",
        lambda generator: [(1,), (2,)],
        "by block and place; everything else is as it was.",
        right=preinitialise,
        mistakes=(
            (
                lambda net, source: copy_layers(net, source, head=False),
                "the convolutions are there, the three linear layers are missing.",
            ),
            (
                lambda net, source: copy_layers(net, source, convolutions=0),
                "the linear layers are there, the four convolutions are missing.",
            ),
            (
                lambda net, source: copy_layers(net, source, convolutions=6),
                "all convolutions of the shallow net. The paper copies the first four.",
            ),
            (
                lambda net, source: copy_layers(net, source, biases=False),
                "weights without biases. Both belong to a layer.",
            ),
            (
                lambda net, source: copy_layers(net, source, convolutions=3),
                "three convolutions of four: the third block of the source has two.",
            ),
            (
                lambda net, source: copy_layers(net, source, from_=(3, 2)),
                "the fourth convolution got another layer's weights, which have the same shape: it is the second of the "
                "source's third block.",
            ),
            (
                lambda net, source: copy_layers(net, source, fourth=(2, 4)),
                "the fourth convolution's weights lie in the third place of their block; they belong into the second.",
            ),
            (lambda net, source: net, "nothing was copied."),
            (
                lambda net, source: copy_layers(source, net) and net,
                "the wrong way round: the shallow net was overwritten.",
            ),
        ),
    ),
]
