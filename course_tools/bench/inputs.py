"""What stands before the first step: importing, loading the files, drawing batches."""

import contextlib
import os
import tempfile
import time
import warnings
from pathlib import Path

import course_lib
from course_lib.device import pick_device

from .measure import D2L, REPOSITORY, in_new_process, in_turns, optional, wait_for_device, with_ratio

RAW = REPOSITORY / "data" / "FashionMNIST" / "raw"
IMPORT = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"
LOAD = ("import time, course_lib; start = time.perf_counter(); "
        "course_lib.fashion_mnist(256, device='cpu'); print(time.perf_counter() - start)")


def data(quick):
    """Draw training batches of 256 from `fashion_mnist` and from d2l's loader with its four workers."""
    d2l = optional("d2l.torch", "data", D2L)
    rounds, count, figures = (1, 2, {}) if quick else (5, 30, {})
    with _folder_for_d2l():
        for size in (28, 96, 224):
            sides = {"ours": course_lib.fashion_mnist(256, size=size)[0]}
            if d2l:
                sides["d2l"] = d2l.load_data_fashion_mnist(256, resize=None if size == 28 else size)[0]
            figures |= in_turns(f"data.{size}", rounds, {
                name: lambda batches=batches: _images_per_second(batches, count) for name, batches in sides.items()})
            figures = with_ratio(figures, f"data.{size}", "ours", "d2l")
    return figures


@contextlib.contextmanager
def _folder_for_d2l():
    """Work in a folder from which d2l finds the files as it does from notebooks/; what it unpacks goes with it."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This DataLoader will create 4 worker processes")
        raw = Path(folder, "data", "FashionMNIST", "raw")
        raw.mkdir(parents=True)
        for path in RAW.glob("*.gz"):
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


def importing(quick):
    """Import in new processes: with everything compiled (warm), and with nothing, as after installing (cold)."""
    rounds = 1 if quick else 7
    figures = in_turns("import", rounds, {
        "course_lib": lambda: in_new_process(IMPORT.format("course_lib")),
        "torch": lambda: in_new_process(IMPORT.format("torch"))})
    figures |= in_turns("import", 1 if quick else 3, {"cold": _import_cold})
    return with_ratio(figures, "import", "course_lib", "torch")


def _import_cold():
    with tempfile.TemporaryDirectory() as nothing:
        return in_new_process(IMPORT.format("course_lib"), PYTHONPYCACHEPREFIX=nothing)


def first_load(quick):
    """Read, check and unpack the four files in new processes: from memory (warm), and from the disk (cold)."""
    rounds = 1 if quick else 5
    return in_turns("first_load", rounds, {"warm": lambda: in_new_process(LOAD), "cold": _load_cold})


def _load_cold():
    if hasattr(os, "posix_fadvise"):
        for path in RAW.glob("*.gz"):
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return in_new_process(LOAD)
