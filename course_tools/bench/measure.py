"""How the bench measures: in turns, in new processes, once the device has finished."""

import importlib
import json
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch

REPOSITORY = Path(__file__).resolve().parents[2]


def in_turns(prefix, rounds, jobs):
    """Call every job once a round and return the medians: a machine that slows down slows all of them.

    >>> in_turns("rain", 3, {"mm": iter([1, 9, 2]).__next__, "hours": iter([5, 5, 4]).__next__})
    {'rain.mm': 2, 'rain.hours': 5}
    """
    results = {name: [] for name in jobs}
    for turn in range(rounds):
        for name in list(jobs)[::-1 if turn % 2 else 1]:
            results[name].append(jobs[name]())
    return {f"{prefix}.{name}": statistics.median(values) for name, values in results.items()}


def with_ratio(figures, prefix, ours, theirs, name="ratio"):
    """Add `prefix.name`, ours over theirs, where theirs was measured.

    >>> with_ratio({"rain.here": 3, "rain.there": 2}, "rain", "here", "there")
    {'rain.here': 3, 'rain.there': 2, 'rain.ratio': 1.5}
    """
    if f"{prefix}.{theirs}" not in figures:
        return figures
    return {**figures, f"{prefix}.{name}": figures[f"{prefix}.{ours}"] / figures[f"{prefix}.{theirs}"]}


def seconds(job):
    """Call `job` and return the seconds until the device has finished it."""
    start = time.perf_counter()
    job()
    wait_for_device()
    return time.perf_counter() - start


def wait_for_device():
    """Wait until the accelerator, where there is one, has done what it was given."""
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()


def in_new_process(code, **environment):
    """Run Python code in a new process and return the JSON value that it prints last.

    >>> in_new_process("print('a line'); print([1, 2])")
    [1, 2]
    """
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True,
                          env={**os.environ, **environment})
    if done.returncode:
        raise RuntimeError(f"a measuring process failed:\n{code}\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def megabytes(field):
    """Return the memory of this process, now ("VmRSS") or at its peak ("VmHWM"); elsewhere than on Linux the peak."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count the peak of the process that started this one
        return int(re.search(rf"{field}:\s+(\d+)", status.read_text())[1]) / 2**10
    import resource
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # macOS counts bytes


def optional(module, part, install):
    """Import a library that stands beside ours; where it is missing, say so in a line and return None."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        print(f"{part}: {module.partition('.')[0]} is left out, since it cannot be imported ({error}); {install}")
        return None


D2L = "pip install --no-deps d2l==1.0.3"
BENCH = 'pip install -c constraints.txt -e ".[bench]"'
