"""fit, evaluate and the command in two processes, against one process, the whole batch and torch's own sums.

Run as a script under torchrun, this file is one of the processes: `torchrun … test_distributed.py CASES FOLDER`.
"""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.data import DataLoader, TensorDataset

from course_lib.checkpoint import Checkpoint
from course_lib.data import fashion_mnist
from course_lib.distributed import rank_and_world, share
from course_lib.folders import image_folder
from course_lib.train import evaluate, fit


def images(n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 1, 6, 6, generator=generator), torch.randint(0, 4, (n,), generator=generator)


def batches_of(sizes):
    return list(zip(*(part.split(sizes) for part in images(sum(sizes)))))


def make_net(batch_norm=False, dropout=0.0):
    torch.manual_seed(1)
    norm = [nn.BatchNorm2d(4)] if batch_norm else []
    return nn.Sequential(nn.Conv2d(1, 4, 3), *norm, nn.ReLU(), nn.Dropout(dropout), nn.Flatten(), nn.Linear(64, 4))


class Uneven:
    """Batches of which rank 0 takes three quarters, by a `shard` of its own."""

    def __init__(self):
        self.whole, self.place, self.asked = batches_of([8, 8]), (0, 1), []

    def __len__(self):
        return 2

    def shard(self, rank, world):
        self.asked.append((rank, world))
        self.place = rank, world

    def __iter__(self):
        for X, y in self.whole:
            yield (X, y) if self.place[1] == 1 else (X[:6], y[:6]) if self.place[0] == 0 else (X[6:], y[6:])


class Order:
    """A net that notes which images it was trained on: the first pixel of each is its number."""

    def __init__(self, net):
        self.seen = []
        net[0].register_forward_pre_hook(lambda layer, X: self.seen.extend(X[0][:, 0, 0, 0].tolist())
                                         if net.training else None)


def numbered():
    X = torch.zeros(37, 1, 6, 6)
    X[:, 0, 0, 0] = torch.arange(37)
    return TensorDataset(X, torch.arange(37) % 4)


# What is trained, by name; each returns a net and what else is to be compared.

def sliced(epochs=3, sizes=(256, 256, 256, 231), **options):  # 999 images
    net = make_net()
    return net, fit(net, batches_of(sizes), batches_of((7, 2)), epochs=epochs, **options)


def one_step():
    return sliced(epochs=1, sizes=(64,))


def one_step_with_batch_norm():
    net = make_net(batch_norm=True)
    return net, fit(net, batches_of((64,)), epochs=1)


def empty_share(batch_norm=True):
    net = make_net(batch_norm)
    return net, fit(net, batches_of((8, 1)), batches_of((1,)), epochs=2)


def empty_share_plain():
    return empty_share(batch_norm=False)


def uneven():
    data, net = Uneven(), make_net()
    history = fit(net, data, epochs=2)
    return net, {"history": history.train_loss, "asked": data.asked, "images": len(next(iter(data))[1])}


def fashion():
    train, valid, _ = fashion_mnist(256, valid=59001, seed=3, augment=True, device="cpu")  # 999 images: 3·256 + 231
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 4, 5, stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
    valid.images, valid.labels = valid.images[:333], valid.labels[:333]
    order = Order(net)
    return net, numbers(fit(net, train, valid, epochs=2)) | {"images": len(order.seen)}


def loader():
    net = make_net(dropout=0.5)
    order = Order(net)
    torch.manual_seed(7 + rank_and_world()[0])  # the processes' own random numbers must not matter
    fit(net, DataLoader(numbered(), 5, shuffle=True), epochs=2)
    return net, {"seen": order.seen}


def dropout_masks():
    masks = []
    net = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(36, 4))
    net[1].register_forward_hook(lambda layer, X, Y: masks.append((Y == 0).tolist()))
    torch.manual_seed(0)
    nn.init.ones_(net[2].weight)
    fit(net, [(torch.ones(4, 1, 6, 6), torch.arange(4))], epochs=2)
    return net, {"masks": masks}


def plateau():
    net = make_net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    history = fit(net, batches_of((9, 9)), batches_of((5, 4)), epochs=8, optimizer=optimizer, patience=3,
                  schedule=lambda optimizer, steps: ReduceLROnPlateau(optimizer, patience=0))
    return net, {"history": history.valid_loss, "lr": optimizer.param_groups[0]["lr"]}


def disagreement(folder):
    """Each rank has a checkpoint of its own; rank 0 alone writes one, and then the run is to go on."""
    net, path = make_net(), folder / f"own {rank_and_world()[0]}.pt"
    fit(net, batches_of((8,)), epochs=1, checkpoint=path)
    try:
        fit(net, batches_of((8,)), epochs=2, checkpoint=path, resume=True)
    except ValueError as error:
        return net, {"error": str(error)}


def overtaken(folder):
    """Another run ends on the path while rank 0 is on its way to hold it, and rank 1 has been there for a while."""
    data, net, path = batches_of((8, 8)), make_net(), folder / "overtaken.pt"
    fit(make_net(), data, epochs=1, checkpoint=folder / "rival.pt")
    held = Checkpoint.held

    @contextmanager
    def late(keeper):
        time.sleep(1)
        os.replace(folder / "rival.pt", path)
        with held(keeper):
            yield

    Checkpoint.held = late
    try:
        return net, fit(net, data, epochs=2, checkpoint=path, resume=True)
    finally:
        Checkpoint.held = held


def plant(folder):
    """Write eight pictures of one class and seven of another; the red of each, everywhere in it, is its number."""
    noise = np.random.default_rng(0)
    for number in range(15):
        pixels = noise.integers(0, 256, (20, 16, 3), np.uint8)
        pixels[..., 0] = number
        path = folder / "tree" / ("cat" if number < 8 else "dog") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)


def pictures_of(folder):
    """11 pictures to train on, so that the last batch of an epoch is one picture; 4 to validate."""
    return image_folder(folder / "tree", 5, size=8, scale=(8, 12), valid=0.25, workers=0)[:2]


def pictures(folder):
    train, valid = pictures_of(folder)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 5), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2))
    order = Order(net)
    history = fit(net, train, valid, epochs=2)
    return net, numbers(history) | {"seen": [round(255 * (red + train.mean[0].item())) for red in order.seen]}


def evaluated():
    net = make_net(batch_norm=True)
    return net, {"result": evaluate(net, batches_of((13, 4, 1)))}


CASES = {case.__name__: case for case in (sliced, one_step, one_step_with_batch_norm, empty_share, empty_share_plain,
                                          uneven, fashion, loader, dropout_masks, plateau, evaluated)}


class KilledOnce:
    """Batches; in the first life of the run, the rank DIES is killed in the middle of the third epoch."""

    def __init__(self):
        self.batches, self.epoch = batches_of((16, 16, 5)), 0

    def __len__(self):
        return 3

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __iter__(self):
        for i, batch in enumerate(self.batches):
            first_life = os.environ["TORCHELASTIC_RESTART_COUNT"] == "0"
            if first_life and (self.epoch, i) == (2, 1) and os.environ["RANK"] == os.environ.get("DIES"):
                os.kill(os.getpid(), signal.SIGKILL)
            yield batch


def survivor(folder):
    """A run with dropout that a kill interrupts; what it has seen of the checkpoint is written beside it."""
    net, path = make_net(dropout=0.5), folder / "run.pt"
    rank, _ = rank_and_world()
    done = torch.load(path, weights_only=True)["epoch"] if path.exists() else 0
    (folder / f"life {os.environ['TORCHELASTIC_RESTART_COUNT']} rank {rank}").write_text(str(done))
    history = fit(net, KilledOnce(), epochs=4, checkpoint=path, resume=True)
    return net, history


WITH_FILES = {"survivor": survivor, "disagreement": disagreement, "overtaken": overtaken, "pictures": pictures}


def numbers(more):
    """Turn a history into a dict of its numbers; leave a dict as it is."""
    if isinstance(more, dict):
        return more
    return {"loss": more.train_loss, "valid": more.valid_loss, "accuracy": more.train_accuracy}


def main(names, folder):
    for name in names.split(","):
        net, more = CASES[name]() if name in CASES else WITH_FILES[name](Path(folder))
        rank, _ = rank_and_world()
        torch.save({"weights": net.state_dict(), **numbers(more)}, Path(folder) / f"{name} {rank}.pt")
        print(f"printed by {rank}")


def torchrun(*arguments, **environment):
    """Start two processes and return what they printed together."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "OMP_NUM_THREADS": "1", **environment}
    run = subprocess.run([sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2",
                          *map(str, arguments)], env=environment, capture_output=True, text=True, timeout=240)
    assert run.returncode == 0, run.stderr[-3000:]
    return run


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """What two processes had after every case: {name: (rank 0's, rank 1's)}, and what was printed."""
    folder = tmp_path_factory.mktemp("two")
    names = [*CASES, "disagreement", "overtaken", "pictures"]
    plant(folder)
    run = torchrun(__file__, ",".join(names), folder)
    results = {name: [torch.load(folder / f"{name} {rank}.pt") for rank in (0, 1)] for name in names}
    return results | {"stderr": run.stderr, "folder": folder}


def apart(a, b):
    """Return the largest difference between two nets' weights."""
    return max((a[name].double() - b[name].double()).abs().max().item() for name in a)


def alone(name, *folder):
    net, more = (CASES | WITH_FILES)[name](*folder)
    return net.state_dict(), numbers(more)


@pytest.mark.parametrize("name", [*CASES, "overtaken", "pictures"])
def test_all_processes_end_with_the_same_weights_and_buffers(pairs, name):
    first, second = (result["weights"] for result in pairs[name])
    assert apart(first, second) == 0
    assert all(torch.isfinite(value).all() for value in first.values())


@pytest.mark.parametrize("name, tolerance", [
    ("one_step", 2e-7), ("sliced", 1e-5), ("empty_share_plain", 1e-6), ("uneven", 1e-6), ("fashion", 1e-5),
    ("plateau", 1e-5)])
def test_two_processes_take_the_steps_of_one(pairs, name, tolerance):
    weights, more = alone(name)
    assert apart(pairs[name][0]["weights"], weights) < tolerance


def test_a_step_moves_the_weights_much_further_than_processes_may_differ(pairs):
    assert apart(pairs["one_step"][0]["weights"], make_net().state_dict()) > 1e-3


def test_batch_norm_takes_the_statistics_of_each_share(pairs):
    weights, _ = alone("one_step_with_batch_norm")
    difference = apart(pairs["one_step_with_batch_norm"][0]["weights"], weights)
    assert 1e-5 < difference < 0.1
    # Rank 0's running mean is that of its own half of the 64 images.
    net = make_net(batch_norm=True)
    half = net[0](images(64)[0][:32]).mean((0, 2, 3))
    torch.testing.assert_close(pairs["one_step_with_batch_norm"][0]["weights"]["1.running_mean"], 0.1 * half)


@pytest.mark.parametrize("name", ["sliced", "empty_share_plain", "fashion"])
def test_losses_and_accuracies_are_means_over_all_images(pairs, name):
    _, expected = alone(name)
    for result in pairs[name]:
        for key in ("loss", "valid", "accuracy"):
            assert result[key] == pytest.approx(expected[key], abs=1e-5), key


def test_an_empty_share_under_batch_norm_gives_one_finite_loss(pairs):
    """The second batch has one image, which is rank 0's: rank 1 goes along with nothing."""
    first, second = pairs["empty_share"]
    assert first["loss"] == second["loss"] and first["valid"] == second["valid"]
    assert all(0 < value < 10 for value in first["loss"] + first["valid"])


def test_data_that_can_shard_is_asked_to_and_given_back_whole(pairs):
    for rank, result in enumerate(pairs["uneven"]):
        assert result["asked"] == [(rank, 2), (0, 1)] * 2
        assert result["images"] == 8


def test_fashion_mnist_is_shared_out_with_its_short_last_batch(pairs):
    # 256 = 128 + 128, and of the last 231 the first process takes the odd one: 3·128 + 116 and 3·128 + 115.
    assert [result["images"] for result in pairs["fashion"]] == [2 * 500, 2 * 499]


def test_pictures_in_folders_are_shared_out_and_trained_on_as_by_one_process(pairs):
    train, _ = pictures_of(pairs["folder"])
    everyone = sorted(int(Path(path).stem) for path, _ in train.samples)
    assert len(everyone) == 11
    first, second = (result["seen"] for result in pairs["pictures"])
    assert (len(first), len(second)) == (2 * (3 + 3 + 1), 2 * (2 + 2 + 0))  # of batches of 5, 5 and 1
    for epoch in range(2):
        assert sorted(first[7 * epoch:7 * epoch + 7] + second[4 * epoch:4 * epoch + 4]) == everyone
    weights, expected = alone("pictures", pairs["folder"])
    for result in pairs["pictures"]:
        assert apart(result["weights"], weights) < 1e-6
        for key in ("loss", "valid", "accuracy"):
            assert result[key] == pytest.approx(expected[key], abs=1e-5), key


def test_a_shuffling_loader_gives_each_image_to_one_process_each_epoch(pairs):
    seen = [result["seen"] for result in pairs["loader"]]
    for epoch in range(2):
        parts = []
        for rank in (0, 1):
            each = sum(len(range(n)[share(n, rank, 2)]) for n in [5] * 7 + [2])
            parts.append(seen[rank][epoch * each:(epoch + 1) * each])
        assert sorted(parts[0] + parts[1]) == list(range(37))
    assert seen[0][:19] != seen[0][19:38]  # a new order


def test_each_process_drops_units_of_its_own(pairs):
    first, second = (result["masks"] for result in pairs["dropout_masks"])
    assert first[0] != second[0] and first[0] != first[1]


def test_schedule_and_patience_follow_the_common_validation_loss(pairs):
    _, more = alone("plateau")
    for result in pairs["plateau"]:
        assert result["history"] == pytest.approx(more["history"], abs=1e-5)
        assert result["lr"] == more["lr"] < 0.5


def test_evaluate_is_exact_over_all_images_and_the_same_everywhere(pairs):
    net = make_net(batch_norm=True).double().eval()
    X, y = images(18)
    with torch.no_grad():
        scores = net(X.double())
    expected = F.cross_entropy(scores, y).item(), (scores.argmax(1) == y).double().mean().item()
    for result in pairs["evaluated"]:
        assert result["result"] == pytest.approx(expected, abs=1e-6)


def test_processes_that_see_different_checkpoints_refuse_to_go_on(pairs):
    for result in pairs["disagreement"]:
        assert "the processes disagree on the epochs that are done: [1, 0]" in result["error"]


def test_processes_read_the_checkpoint_only_once_rank_0_holds_it(pairs):
    net = make_net()
    expected = fit(net, batches_of((8, 8)), epochs=2, progress=False)
    for result in pairs["overtaken"]:
        assert result["loss"] == pytest.approx(expected.train_loss, abs=1e-6)
        assert apart(result["weights"], net.state_dict()) < 1e-6


def test_rank_0_alone_prints(pairs):
    lines = [line for line in pairs["stderr"].splitlines() if line.startswith("epoch ")]
    assert len([line for line in lines if line.startswith("epoch 1/1")]) == 4  # four cases of one epoch


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """What an undisturbed run of the survivor ends with."""
    folder = tmp_path_factory.mktemp("calm")
    torchrun(__file__, "survivor", folder)
    return torch.load(folder / "survivor 0.pt")


@pytest.mark.parametrize("rank", ["0", "1"])  # rank 0 writes the checkpoint and holds its lock
def test_a_killed_worker_is_started_again_and_ends_with_the_weights_of_an_undisturbed_run(calm, tmp_path, rank):
    torchrun("--max-restarts=1", __file__, "survivor", tmp_path, DIES=rank)
    for killed in (torch.load(tmp_path / f"survivor {rank}.pt") for rank in (0, 1)):
        assert apart(calm["weights"], killed["weights"]) == 0
        assert calm["loss"] == killed["loss"] and len(calm["loss"]) == 4
    lives = {path.name: path.read_text() for path in tmp_path.glob("life*")}
    assert lives == {"life 0 rank 0": "0", "life 0 rank 1": "0", "life 1 rank 0": "2", "life 1 rank 1": "2"}
    assert sorted(path.name for path in tmp_path.glob("run*")) == ["run.pt"]


def test_the_command_trains_in_two_processes_and_speaks_once(tmp_path):
    run = torchrun("-m", "course_lib", "train", "--arch", "1x2", "--size", "4", "--hidden", "8", "--batch-size", "1024",
                   "--epochs", "1", "--json", tmp_path / "run.json")
    (line,) = [line for line in run.stdout.splitlines() if "accuracy" in line]
    result = json.loads((tmp_path / "run.json").read_text())
    assert line.startswith(f"test accuracy {100 * result['test_accuracy']:.2f} % after 1 epochs")
    # 3·3·2 + 2 in the convolution; then 2·2·2 numbers, 8 and 8 hidden units, 10 classes
    assert result["parameters"] == 20 + (8 * 8 + 8) + (8 * 8 + 8) + (8 * 10 + 10)
    assert len(result["train_loss"]) == 1 and 0 < result["train_loss"][0] < 10
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


# Shares

@pytest.mark.parametrize("n", [0, 1, 2, 7, 256, 999])
@pytest.mark.parametrize("world", [1, 2, 3, 8])
def test_shares_are_the_whole_in_order_and_sizes_differ_by_one_at_most(n, world):
    parts = [list(range(n))[share(n, rank, world)] for rank in range(world)]
    assert sum(parts, []) == list(range(n))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_process_alone_is_rank_0_of_1():
    assert rank_and_world() == (0, 1)


if __name__ == "__main__":
    main(*sys.argv[1:])
