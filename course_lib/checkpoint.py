"""A run of `fit` on disk: enough to go on after a kill as if nothing had happened.

The file holds plain types and tensors only, so `torch.load(path, weights_only=True)` reads it and no
code in it can run. It is written under another name, flushed to the disk and renamed, so that under
its own name there is always a whole checkpoint. Random state is torch's (CPU, accelerator, and the
generators of the training loader); data that draws from Python's or NumPy's generators is not covered.
"""

import dataclasses
import os
import zipfile
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from .history import History

FORMAT, VERSION = "course_lib.fit", 1


class Checkpoint:
    """The file `path` of one run: `save` after each epoch, `load` to go on."""

    def __init__(self, path, net, optimizer, scheduler, train, device, settings):
        self.path = Path(path)
        self.net, self.optimizer, self.scheduler = net, optimizer, scheduler
        self.generators, self.device = find_generators(train), device
        # at the start, for a schedule changes on the way; `settings` is a dict of what else tells runs apart
        self.identity = identify(net, optimizer, scheduler, settings | {"random generators": len(self.generators)})

    @contextmanager
    def held(self):
        """Keep other runs off this path; FileExistsError where one is at work. The system frees it if we are killed."""
        lock = FileLock(f"{self.path}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise FileExistsError(f"another run, still at work, writes its checkpoint to {self.path}: give another path, "
                                  "or end that run first") from None
        try:
            yield
        finally:
            with suppress(PermissionError):  # Windows deletes no open file; there, release does it
                Path(lock.lock_file).unlink(missing_ok=True)
            lock.release()

    def save(self, history, best):
        """Write the run as it is now; `best` is None or a dict of plain types and tensors."""
        write(self.path, {
            "format": FORMAT, "version": VERSION, "identity": self.identity,
            "epoch": len(history), "history": dataclasses.asdict(history), "best": best,
            "model": self.net.state_dict(), "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler and self.scheduler.state_dict(),
            "random": random_state(self.device),
            "generators": [generator.get_state() for generator in self.generators],
        })

    def load(self):
        """Put net, optimizer, scheduler and random state where the file left them; return `(history, best)`.

        Raises `ValueError`, and changes nothing, for a file that is damaged or belongs to another run.
        """
        state = read(self.path)
        for what in self.identity | state["identity"]:
            here, there = (run.get(what, "absent") for run in (self.identity, state["identity"]))
            if here != there:
                raise ValueError(f"{self.path} belongs to another run: {what} is {there} in the file and {here} here; "
                                 "resume with the net and the arguments it was made with, or give another path")
        self.net.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.scheduler:
            self.scheduler.load_state_dict(state["scheduler"])
        set_random_state(state["random"], self.device)
        for generator, saved in zip(self.generators, state["generators"], strict=True):
            generator.set_state(saved)
        return History(**state["history"]), state["best"]


def check_path(path, resume):
    """Refuse, before any training, a checkpoint that could not be written or that would replace another."""
    if path is None:
        if resume:
            raise ValueError("resume=True needs checkpoint=, the file to go on from")
        return
    path = Path(path)
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise ValueError(f"checkpoint must name a file in an existing folder that can be written to, got {path}")
    if path.exists() and not resume:
        raise FileExistsError(f"{path} exists: go on from it with resume=True, or delete it, or give another path")


def write(path, state):
    """Write `state` to `path`, whole or not at all; on failure the file that was there stays."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        with open(temporary, "wb") as file:
            torch.save(plain(state), file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, (OSError, RuntimeError)):  # torch wraps a full disk in a RuntimeError
            raise OSError(f"could not write the checkpoint {path}: {error}; the one before it is intact") from error
        raise


def read(path):
    """Return the state in `path`; raises `ValueError` for a file that is damaged or not a checkpoint."""
    advice = "delete it to start afresh, or give another path"
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()  # torch itself does not compare the checksums it writes
        state = None if damaged else torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise  # the disk's fault, not the file's
    except Exception as error:  # each kind of damage raises an error of its own
        raise ValueError(f"{path} is damaged or not a checkpoint ({type(error).__name__}); {advice}") from error
    if damaged:
        raise ValueError(f"{path} is damaged: {damaged} does not match its checksum; {advice}")
    if not isinstance(state, dict) or state.get("format") != FORMAT or state.get("version") != VERSION:
        raise ValueError(f"{path} is not a checkpoint of fit, version {VERSION}; {advice}")
    return state


def plain(value, name="state"):
    """Return `value` made of dicts, lists, tuples, numbers, strings, None and tensors; refuse the rest by name."""
    if isinstance(value, torch.Tensor):
        return value.detach()
    if hasattr(value, "item") and hasattr(value, "dtype"):  # a number of NumPy's, such as a learning rate
        return value.item()
    if isinstance(value, dict):
        return {plain(key): plain(part, f"{name}[{key!r}]") for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)([plain(part, f"{name}[{i}]") for i, part in enumerate(value)])
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"a checkpoint holds plain types and tensors only, but {name} is {value!r}")


def identify(net, optimizer, scheduler, settings):
    """Return what tells runs apart, as a flat dict of strings; load overwrites what is not in it."""
    identity = {f"the shape of {name}": str(list(value.shape)) for name, value in net.state_dict().items()}
    identity |= {"the optimizer": type(optimizer).__name__, "the schedule": type(scheduler).__name__}
    identity |= {name: str(value) for name, value in settings.items()}
    if scheduler:  # its settings; learning rates are the optimizer's, whose last state may still be in it
        identity |= {f"the schedule's {key}": str(plain(value)) for key, value in scheduler.state_dict().items()
                     if key not in ("base_lrs", "_last_lr")}
    return identity


def find_generators(train):
    """Return the generators that a DataLoader was given; one that was given none draws from torch's global one."""
    found = [getattr(part, "generator", None) for part in (train, getattr(train, "sampler", None))]
    return [generator for generator in found if isinstance(generator, torch.Generator)]


def random_state(device):
    """Return the state of torch's random generators: the CPU's and, where there is one, the accelerator's."""
    state = {"cpu": torch.get_rng_state()}
    if device.type != "cpu":
        state[device.type] = torch.get_device_module(device).get_rng_state(*_index(device))
    return state


def set_random_state(state, device):
    """Put torch's random generators back to `state`; a kind of device that it does not hold is left alone."""
    torch.set_rng_state(state["cpu"])
    if device.type in state and device.type != "cpu":
        torch.get_device_module(device).set_rng_state(state[device.type], *_index(device))


def _index(device):
    return () if device.type == "mps" else (device,)  # MPS has one device, and its functions take none
