"""Images a second of one process with two threads, and of two processes with one thread each, on the same net.

The bench starts this module, alone and under torchrun; both train by `fit` on the CPU, with gloo between two.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from course_lib import fashion_mnist, fit
from course_lib.distributed import rank_and_world
from course_lib.recipes import RECIPES, build

from .measure import REPOSITORY, in_turns, with_ratio


def processes(quick):
    """Train by the settings of recipe 92, in 32-bit floats, on one process and on two, in turns."""
    images = 2560 if quick else 10240
    figures = in_turns("processes", 1 if quick else 5, {
        "two": lambda: images_per_second(images, 2, threads=1), "one": lambda: images_per_second(images, 1, threads=2)})
    return with_ratio(figures, "processes", "two", "one")


def images_per_second(images, count, threads):
    """Train on so many images in `count` processes of so many threads; return what all of them do in a second."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m"]
        if count > 1:
            command += ["torch.distributed.run", "--standalone", f"--nproc-per-node={count}", "-m"]
        command += ["course_tools.bench.processes", str(images), f"{folder}/rate.json"]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
        return json.loads(Path(folder, "rate.json").read_text(encoding="utf-8"))


def main(images, path):
    """Train four epochs on so many images; rank 0 writes the median rate of the last three to `path`."""
    recipe = RECIPES["92"]
    train, _, _ = fashion_mnist(recipe.batch_size, device="cpu")
    train.images, train.labels = train.images[:int(images)], train.labels[:int(images)]
    torch.manual_seed(0)
    history = fit(build(recipe), train, epochs=4, lr=0.05, device="cpu", progress=False)
    if rank_and_world()[0] == 0:
        Path(path).write_text(json.dumps(statistics.median(history.images_per_second[1:])), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
