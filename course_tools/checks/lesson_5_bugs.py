"""Exercises of lesson 5: a net and a loop that run, raise nothing, and do not do what they should."""

import torch
import torch.nn.functional as F
from torch import nn

from course_tools.checks.exercise import Exercise


def classifier(hidden, num_classes, last=(), relu=True, zeros=False):
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, hidden), *[nn.ReLU()] * relu, nn.Linear(hidden, num_classes), *last)
    if zeros:
        for parameter in net.parameters():
            nn.init.zeros_(parameter)
    return net


def loop_questions(generator):
    questions = []
    for sizes in ((4, 4, 1), (5, 2)):
        X = [torch.randn(size, 6, generator=generator) for size in sizes]
        y = [torch.randint(3, (size,), generator=generator) for size in sizes]
        questions.append((torch.randn(3, 6, generator=generator), list(zip(X, y)), 0.5))
    return questions


def train_epoch(net, batches, lr, clear=True, softmax=False, by_batch=False, steps=True, counts=False):
    """One epoch, with the usual bugs as options."""
    results = []
    for X, y in batches:
        scores = net(X).softmax(1) if softmax else net(X)
        loss = F.cross_entropy(scores, y)
        loss.backward()
        with torch.no_grad():
            for parameter in net.parameters():
                if steps:
                    parameter -= lr * parameter.grad
                if clear:
                    parameter.grad = None
        results.append((loss.item(), (scores.argmax(1) == y).float().mean().item(), len(y)))
    weights = [1 if by_batch else size for _, _, size in results]
    mean = [sum(value * w for value, w in zip(values, weights)) / sum(weights) for values in list(zip(*results))[:2]]
    return (mean[0], mean[1] * sum(weights)) if counts else tuple(mean)


EXERCISES = [
    Exercise(
        "classifier",
        lambda generator: [(16, 10), (*torch.randint(4, 9, (2,), generator=generator).tolist(),)],
        "scores of any sign, and units that begin differently.",
        right=classifier,
        mistakes=(
            (
                lambda h, k: classifier(h, k, zeros=True),
                "stuck at ln K: with zeros everywhere every unit gets the same gradient, which "
                "is zero for all layers but the last bias. Leave PyTorch's initial weights alone.",
            ),
            (
                lambda h, k: classifier(h, k, last=[nn.ReLU()]),
                "ReLU on the scores: a class whose score is below zero gets no gradient.",
            ),
            (
                lambda h, k: classifier(h, k, last=[nn.Softmax(1)]),
                "a softmax in front of the loss, which does one itself: the loss cannot get near zero.",
            ),
            (
                lambda h, k: classifier(h, k, last=[nn.ReLU(), nn.Softmax(1)]),
                "two bugs are left, both behind the last linear layer.",
            ),
            (
                lambda h, k: classifier(h, k, last=[nn.ReLU()], zeros=True),
                "ReLU on the scores, and weights that begin at zero: two bugs are left.",
            ),
            (
                lambda h, k: classifier(h, k, last=[nn.Softmax(1)], zeros=True),
                "a softmax in front of the loss, and weights that begin at zero: two bugs are left.",
            ),
            (
                lambda h, k: classifier(h, k, relu=False),
                "the ReLU between the two layers is gone, too. That one was right: without it both are one linear "
                "layer.",
            ),
        ),
    ),
    Exercise(
        "train_epoch",
        loop_questions,
        "the weights of a right loop, and means over pictures.",
        right=train_epoch,
        mistakes=(
            (
                lambda *q: train_epoch(*q, clear=False),
                "the gradients are never cleared: `backward` adds to what is there, so that each step repeats "
                "all those before it.",
            ),
            (lambda *q: train_epoch(*q, softmax=True), "softmax before the loss: `F.cross_entropy` takes the scores."),
            (
                lambda *q: train_epoch(*q, by_batch=True),
                "the training is right and the report is not: a mean over batches gives each picture of a small "
                "batch too much weight. Count pictures.",
            ),
            (
                lambda *q: train_epoch(*q, clear=False, softmax=True),
                "two bugs are left in the step: one before the loss, one about gradients.",
            ),
            (
                lambda *q: train_epoch(*q, clear=False, by_batch=True),
                "two bugs are left: old gradients, and a mean over batches.",
            ),
            (
                lambda *q: train_epoch(*q, softmax=True, by_batch=True),
                "two bugs are left: what the loss is given, and a mean over batches.",
            ),
            (lambda *q: train_epoch(*q, clear=False, softmax=True, by_batch=True), "all three bugs are still there."),
            (lambda *q: train_epoch(*q, steps=False), "the weights have not moved: is a step missing?"),
            (lambda *q: train_epoch(*q, counts=True), "the number of hits. Divide by the number of pictures."),
        ),
    ),
]
