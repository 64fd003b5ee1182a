"""Does each part of recipe 92 earn its place, and what was tried and left out?

The recipe, and the recipe with one thing changed, on the same 50,000 training images, scored on the 10,000 that are
left. What others use to train fast stands among the changes: a whitening first layer and Muon (airbench, for
CIFAR-10), averaged weights, small pictures first. `time` is how many times the recipe's seconds a run takes. Run it
alone: other work on the machine changes that.
"""
import dataclasses
import statistics
from itertools import islice

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from course_lib import evaluate, fashion_mnist, fit
from course_lib.recipes import RECIPES, build, keep_memory
from course_tools.recorded import experiment

RECIPE = RECIPES["92"]
ROWS = [(row[0], row[1], dict(*row[2:])) for row in RECIPE.arch]


def wider(factor):
    return tuple((count, round(width * factor), options) for count, width, options in ROWS)


ARMS = {
    "recipe 92": {},
    "half as wide": {"arch": wider(0.5)},
    "two convolutions in the middle": {"arch": (ROWS[0], (2, *ROWS[1][1:]), (2, *ROWS[2][1:]), *ROWS[3:])},
    "batch norm in every block": {"arch": tuple(row[:2] for row in ROWS)},
    "pooling last, as in VGG": {"pool_first": False},
    "no mirror images": {"mirror": False},
    "shifted images, too": {"mirror": False, "augment": True},
    "no label smoothing": {"label_smoothing": 0.0},
    "batches of 512": {"batch_size": 512, "lr": RECIPE.lr * 1.4},
    "no Nesterov momentum": {"nesterov": False},
    "averaged weights": {"average": 0.98},
    "Muon": {"muon": 0.1},
    "whitened first layer": {"whitening": True},
    "whitened, three epochs": {"whitening": True, "epochs": 3},
    "learned, three epochs": {"epochs": 3},
    "frozen at random, three epochs": {"frozen": True, "epochs": 3},
    "small pictures first": {"small_first": 20},
    "ten epochs": {"epochs": 10},
    "ten epochs, no mirror images": {"epochs": 10, "mirror": False},
    "ten epochs, no label smoothing": {"epochs": 10, "label_smoothing": 0.0},
}
SETTINGS = {"validation_images": 10_000}


class Muon(torch.optim.SGD):
    """SGD with momentum whose steps for convolutions have all singular values near one (Keller Jordan, 2024)."""

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in (p for p in group["params"] if group["muon"] and p.grad is not None):
                velocity = self.state[p].setdefault("velocity", torch.zeros_like(p)).mul_(0.6).add_(p.grad)
                step = p.grad.add(velocity, alpha=0.6).flatten(1)
                step = step / step.norm()
                for _ in range(3):              # Newton and Schulz: towards the nearest matrix of that kind
                    square = step @ step.T
                    step = 3.4445 * step + (-4.7750 * square + 2.0315 * square @ square) @ step
                p.mul_(len(p) ** 0.5 / p.norm()).sub_(step.view_as(p), alpha=group["lr"])
                p.grad = None                   # the rest is SGD's
        super().step()


class SmallFirst:
    """The batches, in the first epochs with smaller pictures."""

    def __init__(self, batches, size, epochs):
        self.batches, self.size, self.epochs, self.epoch = batches, size, epochs, 0

    def __len__(self):
        return len(self.batches)

    def set_epoch(self, epoch):
        self.epoch = epoch
        self.batches.set_epoch(epoch)

    def __iter__(self):
        for X, y in self.batches:
            yield (F.interpolate(X, size=self.size, mode="bilinear", antialias=True)
                   if self.epoch < self.epochs else X), y


def whiten(conv, X):
    """Set a first layer to the main components of windows of pictures, each of size one, with both signs; freeze it."""
    windows = F.unfold(X, 3).transpose(1, 2).flatten(0, 1)
    squares, components = torch.linalg.eigh((windows.T @ windows / len(windows)).cpu())
    kernels = (components / (squares + 0.01).sqrt()).T.flip(0)[:conv.out_channels // 2].reshape(-1, 1, 3, 3)
    with torch.no_grad():
        conv.weight.copy_(torch.cat([kernels, -kernels]))
        conv.bias.zero_()
    conv.requires_grad_(False)


def optimizer_for(net, recipe, nesterov=True, muon=None):
    settings = {"momentum": 0.9, "weight_decay": 5e-4, "nesterov": nesterov}
    if muon is None:
        return torch.optim.SGD([p for p in net.parameters() if p.requires_grad], recipe.lr, **settings), recipe.lr
    deep = [p for p in net.parameters() if p.ndim == 4 and p.shape[1] > 1]
    rest = [p for p in net.parameters() if not any(p is other for other in deep)]
    groups = [{"params": deep, "lr": muon, "muon": True}, {"params": rest, "lr": recipe.lr, "muon": False}]
    return Muon(groups, recipe.lr, **settings), [muon, recipe.lr]


def few(batches, steps, epochs):
    """Take so many batches, half as in the first epoch, half as in the last."""
    taken = []
    for epoch in (0, epochs - 1):
        batches.set_epoch(epoch)
        taken += islice(batches, steps // 2)
    return taken


def trained(arm, seed, validation_images, steps=None):
    """Train by the recipe, changed as the arm says, or only so many steps of it; return net, validation set, history."""
    keep_memory()
    known = {field.name for field in dataclasses.fields(RECIPE)}
    recipe = dataclasses.replace(RECIPE, **{key: value for key, value in arm.items() if key in known})
    torch.manual_seed(seed)
    train, valid, _ = fashion_mnist(recipe.batch_size, valid=validation_images, augment=recipe.augment, seed=seed)
    net = build(recipe).to(train.images.device)
    first = next(layer for layer in net.modules() if isinstance(layer, nn.Conv2d))
    if "whitening" in arm:
        whiten(first, next(iter(train))[0])
    if "frozen" in arm:
        first.requires_grad_(False)
    optimizer, rates = optimizer_for(net, recipe, **{key: arm[key] for key in ("nesterov", "muon") if key in arm})
    averaged = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(arm.get("average", 0)), use_buffers=True)
    if "average" in arm:
        optimizer.register_step_post_hook(lambda *_: averaged.update_parameters(net))
    batches = SmallFirst(train, arm["small_first"], recipe.epochs // 2) if "small_first" in arm else train
    total = len(batches) * recipe.epochs
    history = fit(net, few(batches, steps, recipe.epochs) if steps else batches, epochs=1 if steps else recipe.epochs,
                  optimizer=optimizer, precision="auto", progress=False,
                  loss=lambda scores, y: F.cross_entropy(scores, y, label_smoothing=recipe.label_smoothing),
                  schedule=lambda optimizer, _: OneCycleLR(optimizer, rates, total_steps=total, pct_start=0.25,
                                                           cycle_momentum=False))
    return averaged.module if "average" in arm else net, valid, history


def times_the_recipe(arm, seed, validation_images):
    """How many times a run by the recipe the arm's run takes: some steps of each, in turns, the median of three."""
    ratios = []
    for turn in range(4):
        seconds = {}
        for name, settings in (("arm", arm), ("recipe", {}))[::-1 if turn % 2 else 1]:
            steps = 30 * RECIPE.batch_size // settings.get("batch_size", RECIPE.batch_size)
            rate = trained(settings, seed, validation_images, steps)[2].images_per_second[0]
            seconds[name] = settings.get("epochs", RECIPE.epochs) / rate
        ratios.append(seconds["arm"] / seconds["recipe"])
    return statistics.median(ratios[1:])        # the first turn prepares


def run(arm, seed, *, validation_images):
    net, valid, _ = trained(arm, seed, validation_images)
    return {"valid_accuracy": evaluate(net, valid)[1], "time": times_the_recipe(arm, seed, validation_images)}


if __name__ == "__main__":
    raise SystemExit(experiment("recipe_choices", __doc__, ARMS, range(3), run, SETTINGS, "valid_accuracy"))
