"""Checkpoints: killed runs go on bit for bit, and every file that does not fit is refused.

Run as a script, this file is the process that is killed, alone or with a worker of its own, or the new one that goes on:
`python test_checkpoint.py killed FOLDER`, the same with `orphaned`, and `python test_checkpoint.py resumed FOLDER`.
"""

import errno
import os
import pickle
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock
from torch import nn
from torch.optim.lr_scheduler import MultiStepLR, OneCycleLR, ReduceLROnPlateau, StepLR
from torch.utils.data import DataLoader, TensorDataset

from course_lib.data import fashion_mnist
from course_lib.train import DivergedError, fit

EPOCHS = 4


class Augmented:
    """Batches in an order and with noise that depend on the epoch alone."""

    def __init__(self):
        self.epoch = None
        generator = torch.Generator().manual_seed(0)
        self.X, self.y = torch.randn(20, 1, 6, 6, generator=generator), torch.arange(20) % 4

    def __len__(self):
        return 3

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __iter__(self):
        generator = torch.Generator().manual_seed(self.epoch)
        for rows in torch.randperm(20, generator=generator).split(8):
            yield self.X[rows] + 0.1 * torch.randn(self.X[rows].shape, generator=generator), self.y[rows]


def make_net(width=4, dropout=0.5):
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(1, width, 3), nn.BatchNorm2d(width), nn.ReLU(), nn.Dropout(dropout),
                         nn.AdaptiveMaxPool2d(4), nn.Flatten(), nn.Linear(16 * width, 10))


def shuffled(generator=None):
    data = Augmented()
    return DataLoader(TensorDataset(data.X, data.y), 8, shuffle=True, generator=generator)


def one_cycle(optimizer, steps):
    return OneCycleLR(optimizer, 0.2, total_steps=steps)


def adamw(net):
    return torch.optim.AdamW(net.parameters(), lr=0.01, weight_decay=0.1)


def run(name, path, wrap=lambda data: data, **options):
    """Train the case `name` of CASES with the checkpoint `path`."""
    torch.manual_seed(5)
    net = make_net()
    if name == "augmentation, dropout, one-cycle SGD":
        data, more = Augmented(), {"schedule": one_cycle}
    elif name == "AdamW, plateau, best weights":
        data = Augmented()
        wrong = [(data.X, data.y + 4)]  # classes that training never sees, so that an early epoch stays best
        more = {"optimizer": adamw(net), "valid": wrong, "patience": 9,
                "schedule": lambda optimizer, steps: ReduceLROnPlateau(optimizer, patience=0)}
    elif name == "DataLoader shuffled by torch's generator":
        data, more = shuffled(), {"lr": 0.01}
    elif name == "DataLoader shuffled by its own generator":
        data, more = shuffled(torch.Generator().manual_seed(3)), {"schedule": lambda o, s: MultiStepLR(o, [4, 7])}
    elif name == "Fashion-MNIST augmented":
        data, more = fashion_mnist(32, valid=59900, device="cpu", augment=True)[0], {"schedule": one_cycle}
    return fit(net, wrap(data), epochs=EPOCHS, checkpoint=path, device="cpu", progress=False, **more, **options)


CASES = ("augmentation, dropout, one-cycle SGD", "AdamW, plateau, best weights",
         "DataLoader shuffled by torch's generator", "DataLoader shuffled by its own generator",
         "Fashion-MNIST augmented")


class Killed:
    """The data, until the process is killed in the middle of the third epoch."""

    def __init__(self, data):
        self.data, self.epoch = data, -1

    def __getattr__(self, name):
        return getattr(self.data, name)

    def __len__(self):
        return len(self.data)

    def __iter__(self):
        self.epoch += 1
        for i, batch in enumerate(self.data):
            if (self.epoch, i) == (2, 1):
                os.kill(os.getpid(), signal.SIGKILL)
            yield batch


def orphan(path):
    """Train one epoch, start a process as a DataLoader starts its workers, and be killed, which that one outlives."""
    def fork(history, net):
        if os.fork() == 0:
            path.with_name("worker").write_text(str(os.getpid()))
            time.sleep(120)
            os._exit(0)
        while not path.with_name("worker").exists() or not path.with_name("worker").read_text():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGKILL)

    fit_here(path, callback=fork)


def main(what, folder):
    if what == "orphaned":
        return orphan(Path(folder) / "a.pt")
    adamw(make_net()).step()  # loads once, before the forks, what torch loads at the first step
    for i, name in enumerate(CASES):
        path = Path(folder) / f"{i}.pt"
        if what == "resumed":
            run(name, path, resume=True)
        elif os.fork() == 0:
            run(name, path, wrap=Killed)
            os._exit(0)
        else:
            assert os.wait()[1] == signal.SIGKILL, name
            assert torch.load(path, weights_only=True)["epoch"] == 2, name


@pytest.fixture(scope="module")
def resumed(tmp_path_factory):
    """The folder of checkpoints of runs that one process began and another ended."""
    folder = tmp_path_factory.mktemp("runs")
    for what in ("killed", "resumed"):
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        subprocess.run([sys.executable, __file__, what, folder], check=True, timeout=300, env=environment)
    return folder


def same(a, b, where=""):
    """Compare nested dicts and lists to the last bit, and name the first difference."""
    assert type(a) is type(b), where
    if isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a.keys() - {"seconds", "images_per_second"}:
            same(a[key], b[key], f"{where}/{key}")
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b)):
            same(x, y, f"{where}/{i}")
    else:
        assert torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b, where


@pytest.mark.parametrize("name", CASES)
def test_a_killed_run_goes_on_in_a_new_process_bit_for_bit(resumed, tmp_path, name):
    history = run(name, tmp_path / "unbroken.pt")
    assert len(history) == EPOCHS
    a, b = (torch.load(path, weights_only=True) for path in (tmp_path / "unbroken.pt",
                                                             resumed / f"{CASES.index(name)}.pt"))
    same(a, b)
    if name == "AdamW, plateau, best weights":
        assert a["best"]["epoch"] <= 2  # before the kill


def fit_here(path, net=None, epochs=2, **options):
    return fit(net or make_net(dropout=0), Augmented(), epochs=epochs, checkpoint=path,
               device="cpu", progress=False, **options)


# What is written

def test_the_file_holds_plain_types_and_tensors_only(tmp_path):
    net = make_net()
    optimizer = torch.optim.AdamW(net.parameters(), lr=np.float64(0.01))
    fit_here(tmp_path / "a.pt", net, optimizer=optimizer, schedule=lambda o, s: MultiStepLR(o, [np.int64(3), 5]))
    state = torch.load(tmp_path / "a.pt", weights_only=True)

    def check(value):
        assert type(value) in (dict, list, tuple, torch.Tensor, int, float, bool, str, type(None))
        for part in value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ():
            check(part)

    check(state)
    assert (state["format"], state["version"], state["epoch"]) == ("course_lib.fit", 1, 2)
    assert len(state["history"]["train_loss"]) == 2


def test_what_is_not_plain_is_refused_by_name(tmp_path):
    def schedule(optimizer, steps):
        scheduler = StepLR(optimizer, 3)
        scheduler.note = object()
        return scheduler

    with pytest.raises(TypeError, match="plain types.*object object"):
        fit_here(tmp_path / "a.pt", schedule=schedule)
    assert list(tmp_path.iterdir()) == []


def test_each_epoch_is_flushed_under_another_name_and_renamed(tmp_path, monkeypatch):
    events, replace, fsync = [], os.replace, os.fsync

    def spy(source, target):
        complete = torch.load(source, weights_only=True)["epoch"]
        events.append((complete, Path(source).parent == Path(target).parent, Path(target).exists()))
        replace(source, target)

    monkeypatch.setattr(os, "replace", spy)
    monkeypatch.setattr(os, "fsync", lambda number: events.append("flushed") or fsync(number))
    fit_here(tmp_path / "a.pt")
    assert events == ["flushed", (1, True, False), "flushed", (2, True, True)]
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]


def test_the_checkpoint_is_there_when_the_callback_is_called(tmp_path):
    def watch(history, net):
        assert torch.load(tmp_path / "a.pt", weights_only=True)["epoch"] == len(history)

    assert len(fit_here(tmp_path / "a.pt", callback=watch)) == 2


def test_a_failing_write_is_an_error_and_leaves_the_last_good_file(tmp_path):
    path, old = tmp_path / "a.pt", resource.getrlimit(resource.RLIMIT_FSIZE)
    fit_here(path, epochs=1)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, old[1]))  # the file becomes larger than may be written
        with pytest.raises(OSError, match="could not write the checkpoint .*a.pt.*the one before it is intact"):
            fit_here(path, resume=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]
    assert torch.load(path, weights_only=True)["epoch"] == 1


def test_a_full_disk_is_an_error_and_leaves_the_last_good_file(tmp_path, monkeypatch):
    path = tmp_path / "a.pt"
    fit_here(path, epochs=1)

    def full(number):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="could not write the checkpoint .*a.pt.*No space left.*before it is intact"):
            fit_here(path, resume=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]
    assert len(fit_here(path, resume=True)) == 2  # and the run goes on once there is room


def test_two_runs_on_one_path_are_told_apart_and_the_first_goes_on(tmp_path):
    refused = []

    def second(history, net):
        written = (tmp_path / "a.pt").read_bytes()
        for resume in (False, True):
            with pytest.raises(FileExistsError) as caught:
                fit_here(tmp_path / "a.pt", resume=resume)
            refused.append(str(caught.value))
        assert (tmp_path / "a.pt").read_bytes() == written

    assert len(fit_here(tmp_path / "a.pt", callback=second)) == 2
    assert "another run, still at work" in refused[1] and "resume=True" in refused[0]
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]


def test_two_processes_on_one_path_are_told_apart_before_the_first_has_written(tmp_path):
    first = FileLock(tmp_path / "a.pt.lock")
    with first, pytest.raises(FileExistsError, match="another run, still at work, writes its checkpoint to .*a.pt"):
        fit_here(tmp_path / "a.pt")
    assert not (tmp_path / "a.pt").exists()


def test_a_run_that_ended_on_the_path_after_the_first_look_is_not_taken_for_our_own(tmp_path):
    path, written = tmp_path / "a.pt", []

    def step(optimizer, steps):
        return StepLR(optimizer, 4)

    def slow(optimizer, steps):  # asked for after the arguments are checked and before the path is held
        fit_here(path, schedule=step)
        written.append(path.read_bytes())
        return step(optimizer, steps)

    net = make_net()
    with pytest.raises(FileExistsError, match="a.pt exists: go on from it with resume=True"):
        fit_here(path, net, schedule=slow)
    same(net.state_dict(), make_net().state_dict())
    assert [path.read_bytes()] == written and [path.name for path in tmp_path.iterdir()] == ["a.pt"]
    path.unlink()
    assert len(fit_here(path, epochs=3, schedule=slow, resume=True)) == 3  # who asks to go on goes on


def test_what_a_killed_run_leaves_running_does_not_keep_its_path(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    killed = subprocess.run([sys.executable, __file__, "orphaned", tmp_path], timeout=300, env=environment)
    worker = int((tmp_path / "worker").read_text())
    try:
        assert killed.returncode == -signal.SIGKILL
        os.kill(worker, 0)  # it is still there
        assert len(fit_here(tmp_path / "a.pt", resume=True)) == 2
    finally:
        os.kill(worker, signal.SIGKILL)


def test_stopping_by_hand_while_writing_leaves_the_last_good_file(tmp_path, monkeypatch):
    path = tmp_path / "a.pt"
    fit_here(path, epochs=1)

    def interrupt(number):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    fit_here(path, resume=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]
    assert torch.load(path, weights_only=True)["epoch"] == 1


def test_a_diverging_run_leaves_the_last_good_file(tmp_path):
    path, net = tmp_path / "a.pt", make_net()

    def poison(history, net):
        if len(history) == 2:
            net[0].weight.data.fill_(float("nan"))

    with pytest.raises(DivergedError, match="epoch 3 .*a.pt holds the last good epoch"):
        fit_here(path, net, epochs=5, callback=poison)
    state = torch.load(path, weights_only=True)
    assert state["epoch"] == 2
    assert all(value.isfinite().all() for value in state["model"].values())


# Going on

def test_a_missing_file_starts_afresh(tmp_path):
    a, b = make_net(), make_net()
    torch.manual_seed(0)
    fit_here(tmp_path / "a.pt", a, resume=True)
    torch.manual_seed(0)
    fit_here(tmp_path / "b.pt", b)
    same(a.state_dict(), b.state_dict())


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_finished_run_trains_nothing_more(tmp_path, epochs):
    trained, net = make_net(dropout=0), make_net(dropout=0)
    first = fit_here(tmp_path / "a.pt", trained)
    written = (tmp_path / "a.pt").read_bytes()
    history = fit_here(tmp_path / "a.pt", net, epochs=epochs, resume=True)
    assert history == first
    same(net.state_dict(), trained.state_dict())
    assert (tmp_path / "a.pt").read_bytes() == written


def test_a_run_without_a_horizon_can_be_lengthened(tmp_path):
    options = {"schedule": lambda optimizer, steps: StepLR(optimizer, 4)}
    fit_here(tmp_path / "a.pt", epochs=2, **options)
    fit_here(tmp_path / "a.pt", epochs=4, resume=True, **options)
    fit_here(tmp_path / "b.pt", epochs=4, **options)
    a, b = (torch.load(tmp_path / name, weights_only=True) for name in ("a.pt", "b.pt"))
    same({**a, "random": None}, {**b, "random": None})  # nets are made in between, with random weights


def test_a_one_cycle_run_cannot_be_lengthened(tmp_path):
    fit_here(tmp_path / "a.pt", epochs=2, schedule=one_cycle)
    with pytest.raises(ValueError, match="total_steps is 6 in the file and 12 here"):
        fit_here(tmp_path / "a.pt", epochs=4, schedule=one_cycle, resume=True)


def test_an_interrupted_run_goes_on_with_the_same_objects(tmp_path):
    """In a notebook the cell with fit is run again; the net and its optimizer are those of before."""
    def stop(history, net):
        if len(history) == 2:
            raise KeyboardInterrupt

    nets = [make_net(dropout=0), make_net(dropout=0)]
    for net, name, callback in zip(nets, "ab", (stop, None)):
        options = {"optimizer": adamw(net), "schedule": lambda optimizer, steps: StepLR(optimizer, 2)}
        history = fit_here(tmp_path / name, net, epochs=4, callback=callback, **options)
        if callback:
            assert len(history) == 2
            assert len(fit_here(tmp_path / name, net, epochs=4, resume=True, **options)) == 4
    same(nets[0].state_dict(), nets[1].state_dict())


def test_a_run_that_patience_ended_stays_ended(tmp_path):
    valid = [(X, (y + 1) % 4) for X, y in (next(iter(shuffled())),)]  # the better the training, the worse this
    net, again = make_net(dropout=0), make_net(dropout=0)
    history = fit_here(tmp_path / "a.pt", net, valid=valid, epochs=9, patience=1)
    assert len(history) < 9
    assert fit_here(tmp_path / "a.pt", again, valid=valid, epochs=9, patience=1, resume=True) == history
    same(net.state_dict(), again.state_dict())


# What is refused

def test_an_existing_file_is_not_replaced_without_resume(tmp_path):
    fit_here(tmp_path / "a.pt")
    written = (tmp_path / "a.pt").read_bytes()
    with pytest.raises(FileExistsError, match="a.pt exists: go on from it with resume=True"):
        fit_here(tmp_path / "a.pt")
    assert (tmp_path / "a.pt").read_bytes() == written


def test_places_that_cannot_be_written_are_refused_before_training(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "missing" / "a.pt", tmp_path / "file" / "a.pt", tmp_path):
        net = make_net()
        with pytest.raises(ValueError, match="checkpoint must name a file in an existing folder"):
            fit_here(path, net)
        same(net.state_dict(), make_net().state_dict())
    with pytest.raises(ValueError, match="resume=True needs checkpoint="):
        fit_here(None, resume=True)


def damage_cut(data):
    return data[:len(data) // 2]


def damage_bit(data):
    middle = data.index(b"/data/0") + 200  # in the weights, which torch reads without looking
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1:]


@pytest.mark.parametrize("damage", [damage_cut, damage_bit, lambda data: b"", lambda data: b"weights"])
def test_a_damaged_file_is_refused_by_name(tmp_path, damage):
    path, net = tmp_path / "a.pt", make_net()
    fit_here(path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match="a.pt is damaged.*delete it to start afresh"):
        fit_here(path, net, resume=True)
    same(net.state_dict(), make_net().state_dict())


class Malicious:
    def __reduce__(self):
        return os.mkdir, ("taken",)


def test_files_of_others_are_refused_and_their_code_does_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(make_net().state_dict(), "weights.pt")
    torch.save({"format": "course_lib.fit", "version": 99}, "newer.pt")
    torch.save({"format": "another", "version": 1}, "another.pt")
    for name in ("weights.pt", "newer.pt", "another.pt"):
        with pytest.raises(ValueError, match=f"{name} is not a checkpoint of fit, version 1"):
            fit_here(name, resume=True)
    torch.save(Malicious(), "malicious.pt")
    Path("pickle.pt").write_bytes(pickle.dumps(Malicious()))
    for name in ("malicious.pt", "pickle.pt"):
        with pytest.raises(ValueError, match=f"{name} is damaged or not a checkpoint"):
            fit_here(name, resume=True)
    assert not Path("taken").exists()


@pytest.mark.parametrize("net, options, message", [
    (make_net(width=5), {}, r"the shape of 0.weight is \[4, 1, 3, 3\] in the file and \[5, 1, 3, 3\] here"),
    (nn.Sequential(*make_net(), nn.Linear(10, 10)), {}, r"the shape of 7.weight is absent in the file"),
    (nn.Sequential(*list(make_net())[:2], *list(make_net())[4:]), {}, "the shape of 4.weight is absent in the file"),
    (None, {"lr": 0.1}, "lr is 0.05 in the file and 0.1 here"),
    (None, {"valid": [(torch.randn(2, 1, 6, 6), torch.zeros(2).long())]}, "validation is False in the file"),
    (None, {"schedule": one_cycle}, "the schedule is NoneType in the file and OneCycleLR here"),
])
def test_the_file_of_another_run_is_refused_by_name(tmp_path, net, options, message):
    fit_here(tmp_path / "a.pt")
    net = net or make_net()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    with pytest.raises(ValueError, match="a.pt belongs to another run: " + message):
        fit_here(tmp_path / "a.pt", net, epochs=4, resume=True, **options)
    same(dict(net.state_dict()), before)


def test_another_optimizer_is_refused_by_name(tmp_path):
    fit_here(tmp_path / "a.pt")
    net = make_net()
    with pytest.raises(ValueError, match="the optimizer is SGD in the file and AdamW here"):
        fit_here(tmp_path / "a.pt", net, resume=True, optimizer=adamw(net))


def test_an_error_of_the_disk_is_not_called_damage(tmp_path, monkeypatch):
    fit_here(tmp_path / "a.pt")

    def fail(*args, **options):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(torch, "load", fail)
    with pytest.raises(OSError, match="Input/output"):
        fit_here(tmp_path / "a.pt", resume=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
