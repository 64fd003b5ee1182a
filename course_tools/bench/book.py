"""The book's recipe beside ours: d2l's Trainer on VGG-A with a quarter of the channels, at 224 pixels, batch 128.

Ten epochs would take hours, so a few batches are measured, each beside a few of recipe 92, and the rest is projected.
Both sides train in a process of their own, and take turns: one works while the other waits for its turn.
"""

import statistics
import subprocess
import sys
import time
from itertools import islice

import torch

from course_lib import VGG_CONFIGS, fashion_mnist, fit, vgg
from course_lib.device import pick_device
from course_lib.recipes import RECIPES, build, keep_memory

from .measure import D2L, REPOSITORY, optional, wait_for_device

BATCH_SIZE, EPOCHS, STEPS = 128, 10, 469  # 60,000 images in batches of 128
OURS = 40  # batches of recipe 92 beside each of the book's


def book(quick):
    """Measure batches in turns, the first of each side left out; project ten epochs from the median."""
    if not optional("d2l.torch", "book", D2L):
        return {}
    rounds, times = 3 if quick else 9, {"theirs": [], "ours": []}
    sides = {name: subprocess.Popen([sys.executable, "-c", f"from course_tools.bench.book import {name} as train; "
                                     f"train({rounds})"], text=True, cwd=REPOSITORY, stdin=subprocess.PIPE,
                                    stdout=subprocess.PIPE) for name in times}
    try:
        for turn in range(rounds):
            for name, side in sides.items():
                side.stdin.write("go\n")
                side.stdin.flush()
                line = side.stdout.readline()
                if not line:
                    raise RuntimeError(f"the measuring process of side {name!r} ended with {side.wait()}; what it "
                                       "printed stands above")
                times[name].append(float(line))
            print(f"  turn {turn + 1} of {rounds}: a batch of the book's {times['theirs'][-1]:.2f} s", flush=True)
    finally:
        for side in sides.values():
            side.kill()
            side.communicate()
    theirs, ours = (statistics.median(values[1:]) for values in times.values())
    return {"book.seconds_per_batch": theirs, "book.batches": rounds - 1, "book.ours_seconds_per_batch": ours / OURS,
            "book.projected_seconds": theirs * STEPS * EPOCHS}


def in_turn(batches, at_once):
    """Yield the batches; wait for a line before each `at_once` of them, and print the seconds that those took."""
    batches = iter(batches)
    while group := list(islice(batches, at_once)):
        input()
        start = time.perf_counter()
        yield from group
        wait_for_device()
        print(time.perf_counter() - start, flush=True)


class Turns:
    """Batches in turns, with the length that a trainer asks for."""

    def __init__(self, batches, at_once):
        self.batches, self.at_once = batches, at_once

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        return in_turn(self.batches, self.at_once)


def theirs(rounds):
    """Train by d2l's Trainer, as in the book's chapter on VGG."""
    from d2l import torch as d2l

    class Net(d2l.Classifier):
        def __init__(self):
            super().__init__()
            self.lr = 0.01
            self.net = vgg([(count, width // 4) for count, width in VGG_CONFIGS["A"]])

    class Data:
        def train_dataloader(self):
            return Turns(list(islice(fashion_mnist(BATCH_SIZE, size=224)[0], rounds)), 1)

        def val_dataloader(self):
            return None

    model = Net()
    model.board.display = False
    model.net.apply(d2l.init_cnn)
    d2l.Trainer(max_epochs=1, num_gpus=int(pick_device().type == "cuda")).fit(model, Data())


def ours(rounds):
    """Train by recipe 92's net and settings."""
    keep_memory()
    recipe = RECIPES["92"]
    torch.manual_seed(0)
    batches = list(islice(fashion_mnist(recipe.batch_size)[0], OURS)) * rounds
    fit(build(recipe), Turns(batches, OURS), epochs=1, lr=0.05, precision="auto", progress=False)
