"""Measure this machine: each figure beside its yardstick, both in one run, in turns, as medians.

  time_to_92   the recipe "92" over five seeds: seconds of training, test accuracy
  same_work    fit against the same loop written plainly, on the same net and batches, in images a second
  data         fashion_mnist against d2l's loader with its four workers, at three sizes; the first load
  trace        trace against torchinfo, in seconds; the memory that trace takes beside the net
  import       importing course_lib against importing torch
  processes    two processes with one thread each against one with two threads, in images a second

Leave the machine alone meanwhile. `--quick` measures next to nothing, to see that every part works.
"""

import contextlib
import datetime
import importlib
import importlib.metadata
import json
import os
import platform
import tempfile
import time
import warnings
from pathlib import Path

import torch
import torch.nn.functional as F

import course_lib
from course_lib.device import pick_device
from course_lib.recipes import run_recipe

from .bench_table import print_table
from .measure import REPOSITORY, in_new_process, in_turns, megabytes, seconds, wait_for_device, with_ratio
from .processes import processes

def run(only=None, quick=False, json_path=None):
    """Measure the parts named in `only` (default: all), print a table, return the figures as a flat dict.

    With `json_path` they are also written there, with machine, versions and date. Raises `ValueError`
    for an unknown part.
    """
    only = list(PARTS) if only is None else only
    unknown = [name for name in only if name not in PARTS]
    if unknown:
        raise ValueError(f"unknown part {', '.join(unknown)}: allowed are {', '.join(PARTS)}")
    if json_path:  # found out now, not after ten minutes
        Path(json_path).parent.mkdir(parents=True, exist_ok=True)
    figures = {}
    for name in only:
        start = time.perf_counter()
        figures |= PARTS[name](quick)
        print(f"{name}: measured in {time.perf_counter() - start:.0f} s", flush=True)
    print_table(figures)
    if json_path:
        text = json.dumps({**figures, **_circumstances(quick)}, indent=1, ensure_ascii=False)
        Path(json_path).write_text(text + "\n", encoding="utf-8")
    return figures


def time_to_92(quick):
    """Train by the recipe, once a seed."""
    runs = [run_recipe("92", seed=seed, progress=False) for seed in range(1 if quick else 5)]
    return {f"time_to_92.{key}": [run[key] for run in runs] for key in ("seconds", "test_accuracy")}


def same_work(quick):
    """Train the same small net on the same batches, by `fit` and by hand."""
    device = pick_device()
    train, _, _ = course_lib.fashion_mnist(256, device=device)
    batches = [batch for batch, _ in zip(train, range(2 if quick else 60))]
    images = sum(len(y) for _, y in batches)

    def rate(train_epoch):
        torch.manual_seed(0)
        net = torch.nn.Sequential(course_lib.vgg_block(1, 1, 16), course_lib.vgg_block(1, 16, 32),
                                  torch.nn.Flatten(), torch.nn.Linear(32 * 7 * 7, 10)).to(device)
        return images / seconds(lambda: train_epoch(net))

    figures = in_turns("same_work", 1 if quick else 9, {
        "fit": lambda: rate(lambda net: course_lib.fit(net, batches, epochs=1, device=device, progress=False)),
        "plain": lambda: rate(lambda net: _plain_epoch(net, batches))})
    return with_ratio(figures, "same_work", "fit", "plain")


def _plain_epoch(net, batches):
    """Train an epoch as a student writes it, with the optimizer and the results of `fit`."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    loss_sum = correct = images = 0
    net.train()
    for X, y in batches:
        optimizer.zero_grad()
        scores = net(X)
        loss = F.cross_entropy(scores, y)
        loss.backward()
        optimizer.step()
        loss_sum += loss.detach() * len(y)  # stays on the device: one synchronisation an epoch, as in fit
        correct += (scores.argmax(1) == y).sum()
        images += len(y)
    return loss_sum.item() / images, correct.item() / images


def data(quick):
    """Draw training batches of 256 from both loaders; load the files in a new process."""
    d2l = _optional("d2l.torch", "data", "pip install --no-deps d2l==1.0.3")
    rounds, count, figures = (1, 2, {}) if quick else (5, 30, {})
    with _folder_for_d2l():
        for size in (28, 96, 224):
            sides = {"ours": course_lib.fashion_mnist(256, size=size)[0]}
            if d2l:
                sides["d2l"] = d2l.load_data_fashion_mnist(256, resize=None if size == 28 else size)[0]
            figures |= in_turns(f"data.{size}", rounds, {
                name: lambda batches=batches: _images_per_second(batches, count) for name, batches in sides.items()})
            figures = with_ratio(figures, f"data.{size}", "ours", "d2l")
    first_load = ("import time, course_lib; start = time.perf_counter(); "
                  "course_lib.fashion_mnist(256, device='cpu'); print(time.perf_counter() - start)")
    return figures | in_turns("data.first_load", rounds, {"ours": lambda: in_new_process(first_load)})


@contextlib.contextmanager
def _folder_for_d2l():
    """Work in a folder from which d2l finds the files as it does from notebooks/; what it unpacks goes with it."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This DataLoader will create 4 worker processes")
        raw = Path(folder, "data", "FashionMNIST", "raw")
        raw.mkdir(parents=True)
        for path in (REPOSITORY / "data" / "FashionMNIST" / "raw").glob("*.gz"):
            (raw / path.name).symlink_to(path)
        Path(folder, "notebooks").mkdir()
        with contextlib.chdir(Path(folder, "notebooks")):
            yield


def _images_per_second(batches, count):
    device, iterator = pick_device(), iter(batches)
    for _ in range(min(count, 9)):
        next(iterator)  # four workers start, and each keeps two batches ready before anyone asks
    images = 0
    start = time.perf_counter()
    for _ in range(count):
        X, y = (part.to(device) for part in next(iterator))
        images += len(y)
    wait_for_device()
    return images / (time.perf_counter() - start)


def trace(quick):
    """Trace large nets, each in a new process, whose memory then tells what tracing took."""
    beside = _optional("torchinfo", "trace", "pip install torchinfo") is not None
    figures = {}
    for name in ("VGG-E", "AlexNet"):
        figures |= in_new_process("import json; from course_tools.bench import trace_here; "
                                   f"print(json.dumps(trace_here({name!r}, {1 if quick else 5}, {beside})))")
        figures = with_ratio(figures, f"trace.{name}", "seconds", "torchinfo_seconds")
    return figures


def trace_here(name, rounds, beside):
    """Trace one net in this process; return its figures, with torchinfo's `beside` them."""
    course_lib.trace(torch.nn.Conv2d(1, 1, 1), (1, 1, 1, 1))  # what is imported or cached once
    if name == "VGG-E":
        net = course_lib.vgg("E", in_channels=3, num_classes=1000)
    else:
        net = course_lib.alexnet("torchvision", in_channels=3, num_classes=1000)
    shape = (1, 3, 224, 224)
    before = megabytes("VmRSS")
    course_lib.trace(net, shape)
    figures = {f"trace.{name}.megabytes": megabytes("VmHWM") - before}
    jobs = {"seconds": lambda: seconds(lambda: course_lib.trace(net, shape))}
    if beside:
        import torchinfo
        jobs["torchinfo_seconds"] = lambda: seconds(lambda: torchinfo.summary(net, input_size=shape, verbose=0))
    return figures | in_turns(f"trace.{name}", rounds, jobs)


def importing(quick):
    """Import both in new processes."""
    figures = in_turns("import", 1 if quick else 7, {
        module: lambda module=module: in_new_process(
            f"import time; start = time.perf_counter(); import {module}; print(time.perf_counter() - start)")
        for module in ("course_lib", "torch")})
    return with_ratio(figures, "import", "course_lib", "torch")


PARTS = {"time_to_92": time_to_92, "same_work": same_work, "data": data, "trace": trace, "import": importing,
         "processes": processes}


# How it is told

def _optional(module, part, install):
    try:
        return importlib.import_module(module)
    except ImportError as error:
        print(f"{part}: {module.partition('.')[0]} is left out, since it cannot be imported ({error}); {install}")
        return None


def _circumstances(quick):
    versions = {"python": platform.python_version()}
    for name in ("torch", "torchvision", "torchinfo", "d2l"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, device {pick_device()}"
    return {"machine": machine, "versions": versions, "date": datetime.date.today().isoformat(), "quick": quick}


def add_arguments(parser):
    """Add the options of `python -m course_tools bench` to an argparse parser."""
    parser.add_argument("--json", metavar="FILE", help="write the figures there too")
    parser.add_argument("--only", metavar="PART,…", type=lambda text: text.split(","), help="measure only these parts")
    parser.add_argument("--quick", action="store_true", help="measure next to nothing, to see that it works")


def main(args):
    """Run what the command line asked for; return the exit code."""
    run(only=args.only, quick=args.quick, json_path=args.json)
    return 0
