"""Measure this machine: each figure beside its yardstick, both in one run, in turns, as medians.

  time_to_92, time_to_93, time_to_94   the recipes over five seeds: seconds of training, test accuracy
  book         d2l's Trainer on the book's recipe at 224 pixels, a few batches beside ours, projected to ten epochs
  same_work    fit, the same loop written plainly, d2l's Trainer and Lightning's on one net, in images a second
  data         fashion_mnist against d2l's loader with its four workers, at three sizes
  import       importing course_lib against importing torch; with nothing compiled yet
  first_load   reading, checking and unpacking the four files, from memory and from the disk
  trace        trace against torchinfo and torchscan on 22 nets; its fields against measured ones
  growth       how a step's seconds grow with size, depth, width, batch and processes
  processes    two processes with one thread each against one with two threads, in images a second
  limit        multiply-adds a second in training, as a share of the machine's matrix products

Leave the machine alone meanwhile: 40 minutes on two cores. `--quick` measures next to nothing, to see that every part
works. A whole run into data/bench.json makes README's table and the site's page anew; `--pages` does it without
measuring. torchscan and Lightning serve the bench alone: `make bench` installs them.
"""

import contextlib
import datetime
import importlib.metadata
import json
import os
import platform
import re
import time
from pathlib import Path

import torch

from course_lib.device import pick_device

from . import book, growth, inputs, processes, recipes, tracing, work
from .measure import REPOSITORY
from .pages import write_pages
from .table import print_table, with_shares

PARTS = {**recipes.TIMES, "book": book.book, "same_work": work.same_work, "data": inputs.data,
         "import": inputs.importing, "first_load": inputs.first_load, "trace": tracing.trace, "growth": growth.growth,
         "processes": processes.processes, "limit": recipes.limit}
PUBLISHED = REPOSITORY / "data" / "bench.json"


def run(only=None, quick=False, json_path=None):
    """Measure the parts named in `only` (default: all), print a table, return the figures as a flat dict.

    With `json_path` they are also written there, with machine, versions and date; until the last part is measured,
    the finished ones lie beside it in a file that ends in `.unfinished`. Raises `ValueError` for an unknown part.
    """
    only = list(PARTS) if only is None else only
    unknown = [name for name in only if name not in PARTS]
    if unknown:
        raise ValueError(f"unknown part {', '.join(unknown)}: allowed are {', '.join(PARTS)}")
    if json_path:  # found out now, not after ten minutes
        json_path = Path(json_path)
        json_path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = json_path.with_name(json_path.name + ".unfinished")
    figures = {}
    for number, name in enumerate(only, 1):
        print(f"{name} ({number} of {len(only)})", flush=True)
        start = time.perf_counter()
        figures = with_shares({**figures, **PARTS[name](quick)})
        print(f"{name}: measured in {time.perf_counter() - start:.0f} s", flush=True)
        if json_path:
            text = json.dumps({**figures, **_circumstances(quick)}, indent=1, ensure_ascii=False)
            unfinished.write_text(text + "\n", encoding="utf-8")
    print_table(figures, judged=not quick)
    if json_path:
        os.replace(unfinished, json_path)
    return figures


def _circumstances(quick):
    versions = {"python": platform.python_version()}
    for name in ("torch", "torchvision", "torchinfo", "torchscan", "lightning", "d2l"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    machine = f"{_processor()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, device {pick_device()}"
    return {"machine": machine, "versions": versions, "date": datetime.date.today().isoformat(), "quick": quick}


def _processor():
    with contextlib.suppress(OSError):
        if name := re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8")):
            return f"{name[1]} ({platform.machine()})"
    return platform.processor() or platform.machine()


def add_arguments(parser):
    """Add the options of `python -m course_tools bench` to an argparse parser."""
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures there too")
    parser.add_argument("--only", metavar="PART,…", type=lambda text: text.split(","), help="measure only these parts")
    parser.add_argument("--quick", action="store_true", help="measure next to nothing, to see that it works")
    parser.add_argument("--pages", action="store_true", help="make README's table and the page from data/bench.json")


def main(args):
    """Run what the command line asked for; return the exit code."""
    publishes = args.json and args.json.resolve() == PUBLISHED
    if publishes and (args.only or args.quick):
        raise ValueError(f"{args.json} is what README and the site show: it takes a whole run, without --only and --quick")
    if not args.pages:
        run(only=args.only, quick=args.quick, json_path=args.json)
    if args.pages or publishes:
        write_pages(json.loads(PUBLISHED.read_text(encoding="utf-8")))
    return 0
