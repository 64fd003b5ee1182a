"""Exercises of lesson 6 that have more than one right reply: dropout, and an experiment of one's own."""

import math

import torch
import torch.nn.functional as F

from course_tools.checks.exercise import Exercise, show


def dropout_questions(generator):
    return [
        (1 + torch.rand(40, 100, generator=generator), p, training)
        for p, training in ((0.5, True), (0.2, True), (0.5, False))
    ]


def dropout_verdict(questions, replies):
    """None where `replies` are what dropout gives, else what came, what was expected and a hint."""
    for (X, p, training), (first, second) in zip(questions, replies):
        given = f"p = {p}, {'training' if training else 'not training'}"
        if not isinstance(first, torch.Tensor) or first.shape != X.shape:
            return (
                show(first),
                f"a tensor of shape {tuple(X.shape)}, for {given}",
                "dropout changes values and no shapes.",
            )
        kept = first != 0
        share = kept.float().mean().item()
        scale = (first[kept] / X[kept]).median().item() if kept.any() else math.nan
        came = f"{share:.0%} of the values kept, multiplied by {scale:.3g}, for {given}"
        if not training:
            if not torch.allclose(first, X):
                hint = "outside training nothing is dropped" + (
                    ", and nothing scaled: the kept values have been made larger in training." if share == 1 else "."
                )
                return came, "the input, unchanged", hint
            continue
        expected = f"about {1 - p:.0%} kept, multiplied by {1 / (1 - p):.3g}"
        spread = 6 * math.sqrt(p * (1 - p) / X.numel())
        if kept.all():
            return came, expected, "nothing is dropped while training."
        if any(torch.equal(kept.all(axis), kept.any(axis)) for axis in (0, 1)):
            return came, expected, "whole rows or columns drop out together. Every value has a chance of its own."
        if abs(share - (1 - p)) > spread and abs(share - p) < spread:
            return came, expected, "p is the chance to be *dropped*; you keep with it."
        if abs(share - (1 - p)) > spread:
            return came, expected, "the share of zeros is not p: compare `torch.rand(X.shape)` with p."
        if not torch.allclose(first[kept], X[kept] * scale, rtol=1e-3):
            return came, expected, "what is kept is to be multiplied by one number, the same for all."
        if not math.isclose(scale, 1 / (1 - p), rel_tol=1e-3):
            hint = (
                "what is kept is not made larger, so that the sum shrinks"
                if math.isclose(scale, 1, rel_tol=1e-3)
                else "wrong factor"
            )
            return came, expected, f"{hint}: divide by the chance to be kept, 1 − p."
        if torch.equal(first, second):
            return (
                "the same zeros in two calls",
                "other zeros each time",
                "draw anew in every call, and set no seed inside.",
            )
    return None


def dropout(X, p, training):
    """By PyTorch."""
    return F.dropout(X, p, training)


ARMS = [("with", 1), ("with", 1), ("with", 2), ("without", 1), ("without", 2)]


def experiment_verdict(questions, replies):
    """None where `replies` could come from a fair experiment, else what came, what was expected and a hint."""
    for question, reply in zip(questions, replies):
        if not (
            isinstance(reply, list) and len(reply) == 2 and all(isinstance(value, (int, float)) for value in reply)
        ):
            return (
                show(reply),
                "a pair (validation accuracy, pictures trained on)",
                "give back two plain numbers (`.item()` makes one of a tensor).",
            )
        if not 0 <= reply[0] <= 1:
            return f"an accuracy of {show(reply[0])}", "a number from 0 to 1", "a share, not per cent."
        if reply[1] < 100:
            return (
                f"{show(reply[1])} pictures",
                "at least 100",
                "count every picture in every epoch that the net was trained on.",
            )
    (first, _), (again, _), (other_seed, _), (without, _), (without_other, _) = replies
    accuracies = f"accuracies {show([reply[0] for reply in replies])} for {show(questions)}"
    if len({reply[1] for reply in replies}) > 1:
        return (
            f"pictures trained on: {show([reply[1] for reply in replies])}",
            "the same number in every run",
            ("an arm that trains longer is a comparison at unequal cost."),
        )
    if first != again:
        return (
            accuracies,
            "the first two equal",
            (
                "the same arm and seed give two results: call `torch.manual_seed(seed)` "
                "before the net is made, and give the seed to the data."
            ),
        )
    if first == other_seed and without == without_other:
        return accuracies, "other seeds, other results", "the seed changes nothing: where is it used?"
    if first == without and other_seed == without_other:
        return accuracies, "a difference between the arms", "both arms are the same run: does `arm` change anything?"
    return None


DROPOUT = Exercise(
    "dropout",
    dropout_questions,
    "zeros by chance, the sum kept on average, and nothing at all outside training.",
    right=dropout,
    verdict=dropout_verdict,
)

EXPERIMENT = Exercise(
    "experiment",
    lambda generator: ARMS,
    "repeatable, at equal budget, and seeds that differ. Now look at the spread before you believe the difference.",
    right=lambda arm, seed: [0.5 + 0.01 * seed + 0.1 * (arm == "with"), 1000],
    verdict=experiment_verdict,
)
