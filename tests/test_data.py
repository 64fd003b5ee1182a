"""Fashion-MNIST: the published files, the right pixels in the right order, clear words where something is wrong."""

import functools
import gzip
import hashlib
import http.server
import socket
import struct
import threading
from pathlib import Path

import numpy as np
import pooch
import pytest
import torch
import torchvision.transforms.functional as VF

from course_lib import idx
from course_lib.data import Batches, fashion_mnist, mirror_and_shift

ROOT = Path(__file__).resolve().parents[1]
RAW = ROOT / "data" / "FashionMNIST" / "raw"
PUBLISHED = {  # as the data set's authors print them
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
}


@pytest.fixture(scope="module")
def sets():
    return fashion_mnist(256, device="cpu")


@pytest.fixture
def small():
    """Eleven images of noise, each a class of its own; options as for `Batches`."""
    images = torch.randint(0, 256, (11, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    return functools.partial(Batches, images, torch.arange(11))


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*address):
        raise OSError(f"a test wanted the network: {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def linked_files(root):
    """Lay out the four files under `root` as links, so that whatever is unpacked beside them stays there."""
    raw = root / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for name in PUBLISHED:
        (raw / name).symlink_to(RAW / name)
    return raw


def labels_of(batches):
    return torch.cat([y for _, y in batches])


# The files

def test_the_files_in_the_repository_are_the_published_ones():
    assert {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in RAW.glob("*.gz")} == PUBLISHED


def test_the_readme_prints_the_sum_of_every_file_beside_it():
    files = [path for path in (ROOT / "data").rglob("*") if path.suffix in (".gz", ".png", ".jpg")]
    rows = (ROOT / "data" / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(files) == 6
    for path in files:
        row = next(row for row in rows if row.startswith(f"| `{path.name}`"))
        assert row.endswith(f"`{hashlib.md5(path.read_bytes()).hexdigest()}` |")


def test_torchvision_finds_the_files_offline_and_reads_the_same_images_and_labels(tmp_path, sets, no_network):
    from torchvision.datasets import FashionMNIST
    linked_files(tmp_path)
    train, valid, test = sets
    theirs = FashionMNIST(root=tmp_path, train=True, download=True)
    assert torch.equal(torch.cat([train.images, valid.images]), theirs.data)
    assert torch.equal(torch.cat([train.labels, valid.labels]), theirs.targets)
    assert [name.lower() for name in train.classes] == [name.lower() for name in theirs.classes]
    theirs = FashionMNIST(root=tmp_path, train=False, download=True)
    assert torch.equal(test.images, theirs.data) and torch.equal(test.labels, theirs.targets)


@pytest.mark.filterwarnings("ignore:This DataLoader will create 4 worker processes")  # d2l always asks for four
def test_d2l_finds_the_files_from_the_notebooks_folder(tmp_path, monkeypatch, sets, no_network):
    from d2l import torch as d2l
    linked_files(tmp_path / "data")
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    train, test = d2l.load_data_fashion_mnist(256)
    assert torch.equal(train.dataset.data[:55000], sets[0].images) and torch.equal(test.dataset.data, sets[2].images)


def test_reading_writes_nothing_and_ignores_what_others_unpacked_beside_the_files(tmp_path, sets):
    raw = linked_files(tmp_path)
    (raw / "train-images-idx3-ubyte").write_bytes(b"unpacked by somebody, and broken")
    before = sorted(tmp_path.rglob("*"))
    train, valid, test = fashion_mnist(256, root=str(tmp_path), device="cpu")
    assert sorted(tmp_path.rglob("*")) == before
    assert torch.equal(train.images, sets[0].images)


def test_classes_are_balanced_and_pixels_have_the_published_mean_and_deviation(sets):
    train, valid, test = sets
    assert torch.cat([train.labels, valid.labels]).bincount().tolist() == [6000] * 10
    assert test.labels.bincount().tolist() == [1000] * 10
    pixels = np.concatenate([train.images.numpy(), valid.images.numpy()])
    assert (round(pixels.mean() / 255, 4), round(pixels.std() / 255, 4)) == (0.2860, 0.3530)


@pytest.mark.parametrize("fault, error, words", [
    ("missing", FileNotFoundError, "is missing"),
    ("cut short", ValueError, "1000 bytes with the MD5 sum"),
    ("one bit flipped", ValueError, "26421880 bytes with the MD5 sum"),
])
def test_a_missing_or_damaged_file_is_named_with_the_ways_to_mend_it(tmp_path, fault, error, words):
    path = linked_files(tmp_path) / "train-images-idx3-ubyte.gz"
    content = bytearray(path.read_bytes())
    content[13_000_000] ^= 1
    path.unlink()
    if fault != "missing":
        path.write_bytes(content[:1000] if fault == "cut short" else content)
    with pytest.raises(error, match=words) as caught:
        fashion_mnist(256, root=tmp_path, device="cpu")
    for part in (str(path), "git checkout", "copy it", "download http://fashion-mnist."):
        assert part in str(caught.value)


def idx_file(*header, count):
    return gzip.compress(struct.pack(f">{len(header)}I", *header) + bytes(count))


@pytest.mark.parametrize("content, words", [
    (idx_file(0x0D02, 2, 3, count=6), r"magic number 0x0d02 and shape \(2, 3\), expected 0x0802 and \(2, 3\)"),
    (idx_file(0x0802, 3, 2, count=6), r"shape \(3, 2\), expected 0x0802 and \(2, 3\)"),
    (idx_file(0x0802, 2, 3, count=5), "fewer bytes than the 6"),
    (idx_file(0x0802, 2, 3, count=7), "more bytes than the 6"),
    (idx_file(0x0802, count=0), "no whole gzipped IDX file"),
    (idx_file(0x0802, 2, 3, count=6)[:-9], "no whole gzipped IDX file"),
    (b"not packed at all", "no whole gzipped IDX file"),
], ids=["magic", "axes", "short", "long", "header cut", "packing cut", "not packed"])
def test_an_idx_file_with_another_header_or_length_is_refused_by_name(tmp_path, content, words):
    (tmp_path / "odd.gz").write_bytes(content)
    with pytest.raises(ValueError, match=words) as caught:
        idx.read_idx(tmp_path / "odd.gz", (2, 3))
    assert str(tmp_path / "odd.gz") in str(caught.value)


# The library installed alone

@pytest.fixture
def alone(tmp_path, monkeypatch):
    """course_lib without the repository around it, an empty cache, and a mirror of the files on this machine."""
    monkeypatch.setattr(idx, "__file__", str(tmp_path / "site" / "course_lib" / "idx.py"))
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "cache")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    (tmp_path / "mirror").mkdir()
    for name in PUBLISHED:
        (tmp_path / "mirror" / name).symlink_to(RAW / name)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=tmp_path / "mirror"))
    threading.Thread(target=server.serve_forever, kwargs=dict(poll_interval=0.02), daemon=True).start()
    monkeypatch.setenv("COURSE_DATA_URL", f"http://127.0.0.1:{server.server_port}")
    yield tmp_path
    server.shutdown()
    server.server_close()


def test_without_the_folder_the_files_are_downloaded_once_into_the_cache(alone, sets):
    assert torch.equal(fashion_mnist(256, device="cpu")[2].images, sets[2].images)
    cached = alone / "cache" / "FashionMNIST" / "raw"
    assert {path.name for path in cached.iterdir()} == set(PUBLISHED)
    for path in (alone / "mirror").iterdir():
        path.unlink()  # what is cached needs no mirror
    assert torch.equal(fashion_mnist(256, device="cpu")[0].images, sets[0].images)


def test_without_the_folder_a_root_is_read_in_place_all_the_same(alone, sets):
    linked_files(alone / "mine")
    assert torch.equal(fashion_mnist(256, root=alone / "mine", device="cpu")[0].images, sets[0].images)
    assert not (alone / "cache").exists()


def test_a_corrupt_download_is_refused_and_leaves_nothing_behind(alone):
    (alone / "mirror" / "train-images-idx3-ubyte.gz").unlink()
    (alone / "mirror" / "train-images-idx3-ubyte.gz").write_bytes(b"a login page of the hotel's Wi-Fi")
    with pytest.raises(ValueError, match="train-images-idx3-ubyte.gz could not be downloaded from http://127.0.0.1"):
        fashion_mnist(256, device="cpu")
    assert not [path for path in (alone / "cache").rglob("*") if path.is_file()]


def test_offline_the_error_says_what_to_do(alone, monkeypatch):
    monkeypatch.setenv("COURSE_DATA_URL", "http://127.0.0.1:9")  # nobody listens on the discard port
    with pytest.raises(OSError, match="could not be downloaded") as caught:
        fashion_mnist(256, device="cpu")
    for part in ("Connect to the network", "COURSE_DATA_URL", str(alone / "cache" / "FashionMNIST" / "raw")):
        assert part in str(caught.value)


def test_without_a_mirror_the_files_come_from_their_published_address(alone, monkeypatch):
    asked = []

    def refuse(url, **options):
        asked.append(url)
        raise OSError("offline")

    monkeypatch.delenv("COURSE_DATA_URL")
    monkeypatch.setattr(pooch, "retrieve", refuse)
    with pytest.raises(OSError, match="offline"):
        fashion_mnist(256, device="cpu")
    assert asked == ["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/train-images-idx3-ubyte.gz"]


# Pixels

@pytest.mark.parametrize("size", [28, 9, 14, 32, 96, 224])
def test_pixels_are_those_of_torchvisions_resize_and_normalize(sets, size):
    _, valid, _ = fashion_mnist(64, size=size, device="cpu")
    X, y = next(iter(valid))
    expected = valid.images[:64, None] / 255
    expected = VF.normalize(VF.resize(expected, [size, size], antialias=True), (0.2860,), (0.3530,))
    assert X.shape == (64, 1, size, size) and X.dtype == torch.float32 and X.is_contiguous()
    torch.testing.assert_close(X, expected, rtol=0, atol=5e-6)
    assert y.dtype == torch.int64 and torch.equal(y, valid.labels[:64])


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("down", [-2, -1, 0, 1, 2])
@pytest.mark.parametrize("right", [-2, -1, 0, 1, 2])
def test_mirroring_and_shifting_agrees_with_torchvision(small, mirrored, down, right):
    image = small(1).images[0]
    ours = mirror_and_shift(image[None], torch.tensor([mirrored]), torch.tensor([[down, right]]))[0]
    expected = VF.hflip(image[None]) if mirrored else image[None]
    expected = VF.affine(expected, angle=0, translate=[right, down], scale=1, shear=[0], fill=[0])[0]
    assert torch.equal(ours, expected)


def test_augmentation_mirrors_half_the_images_and_shifts_by_up_to_two_pixels_each_by_itself(small):
    # One bright pixel off centre tells what happened to its image.
    images = torch.zeros(4000, 28, 28, dtype=torch.uint8)
    images[:, 10, 5] = 255
    batches = Batches(images, torch.zeros(4000, dtype=torch.int64), 4000, augment=True)
    X, _ = next(iter(batches))
    _, _, rows, columns = (X > 0).nonzero(as_tuple=True)
    assert len(rows) == 4000
    mirrored = columns > 14
    shifts = torch.stack([rows - 10, torch.where(mirrored, columns - 22, columns - 5)])
    assert 0.46 < mirrored.float().mean() < 0.54  # five standard deviations
    outcomes, counts = torch.cat([shifts, mirrored[None].long()]).unique(dim=1, return_counts=True)
    assert shifts.abs().max() == 2 and len(counts) == 50 and counts.min() > 35 and counts.max() < 125  # 80 expected


def test_only_training_images_are_augmented(sets):
    train, valid, test = fashion_mnist(500, device="cpu", augment=True)
    for changed, plain, same in zip((train, valid, test), sets, (False, True, True)):
        X, y = next(iter(changed))
        plain = Batches(plain.images, plain.labels, 500, shuffle=plain.shuffle)
        expected, labels = next(iter(plain))
        assert torch.equal(y, labels) and torch.equal(X, expected) == same


# Order

def test_an_epoch_is_the_training_set_each_image_once_in_batches_of_the_size_asked_for(sets):
    train, valid, test = sets
    sizes, sums = zip(*((len(y), X.double().sum((1, 2, 3))) for X, y in train))
    assert list(sizes) == [256] * 214 + [55000 - 214 * 256] and len(train) == 215
    # The sums of an image's pixels, sorted, stand for the set of images.
    expected = (train.images.double() - 255 * 0.2860).sum((1, 2)) / (255 * 0.3530)
    torch.testing.assert_close(torch.cat(sums).sort().values, expected.sort().values, rtol=0, atol=1e-3)
    assert torch.equal(labels_of(train).bincount(), train.labels.bincount())
    assert not torch.equal(labels_of(train), train.labels)


def test_validation_is_the_last_images_and_comes_in_order_as_does_the_test_set(sets):
    train, valid, test = sets
    _, labels, _, test_labels = idx.load_fashion_mnist()
    assert torch.equal(train.labels, labels[:55000]) and torch.equal(labels_of(valid), labels[55000:].long())
    assert torch.equal(labels_of(test), test_labels.long())
    assert (valid.num_images, len(valid), test.num_images, len(test)) == (5000, 20, 10000, 40)


def test_training_and_validation_share_one_copy_of_the_images(sets):
    train, valid, _ = sets
    held = train.images.untyped_storage().nbytes()  # by itself: pytest would print a storage of 47 million bytes
    distance = valid.images.data_ptr() - train.images.data_ptr()
    assert (train.images.dtype, held, distance) == (torch.uint8, 60000 * 784, 55000 * 784)


@pytest.mark.parametrize("size", [28, 20, 40])
def test_pixels_keep_their_precision_in_a_loop_under_autocast(small, size):
    expected, _ = next(iter(small(4, size=size)))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        X, _ = next(iter(small(4, size=size)))
    assert X.dtype == torch.float32 and torch.equal(X, expected)


def test_a_batch_is_the_consumers_own(small):
    batches = small(4)
    for X, y in batches:
        X.zero_(), y.zero_()
    assert labels_of(batches).tolist() == list(range(11)) and next(iter(batches))[0].std() > 0


def test_order_and_augmentation_depend_on_seed_and_epoch_alone(small):
    def epoch(batch_size=4, seed=0, number=0):
        batches = small(batch_size, shuffle=True, augment=True, seed=seed)
        batches.set_epoch(number)
        X, y = zip(*batches)
        return torch.cat(X), torch.cat(y)

    X, y = epoch()
    torch.manual_seed(17)
    torch.rand(3)
    again, bigger = epoch(), epoch(batch_size=7)
    assert torch.equal(X, again[0]) and torch.equal(y, again[1])
    assert torch.equal(X, bigger[0]) and torch.equal(y, bigger[1])
    # Neighbours, and pairs that a sum or a product of seed and epoch would confuse.
    pairs = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 1), (1, 2), (0, 2), (2, 0), (3, 0), (0, 3)]
    orders = {tuple(epoch(seed=seed, number=number)[1].tolist()) for seed, number in pairs}
    assert len(orders) == len(pairs)


def test_drawing_batches_leaves_the_global_random_state_alone(small):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    list(small(4, shuffle=True, augment=True))
    assert torch.equal(torch.rand(4), expected)


def test_iterating_does_not_advance_the_epoch_and_set_epoch_goes_back(small):
    batches = small(4, shuffle=True)
    first = labels_of(batches)
    assert torch.equal(labels_of(batches), first)
    batches.set_epoch(1)
    assert not torch.equal(labels_of(batches), first)
    batches.set_epoch(0)
    assert torch.equal(labels_of(batches), first)


def test_an_iteration_under_way_is_not_touched_by_set_epoch_or_a_second_iteration(small):
    batches = small(4, shuffle=True)
    expected = labels_of(batches)
    iterator = iter(batches)
    batches.set_epoch(1)
    labels = [next(iterator)[1]]
    other = labels_of(batches)
    labels += [y for _, y in iterator]
    assert torch.equal(torch.cat(labels), expected) and not torch.equal(other, expected)


# Arguments

def test_valid_may_be_nothing_or_nearly_everything():
    train, valid, test = fashion_mnist(256, valid=0, device="cpu")
    assert (train.num_images, len(valid), list(valid)) == (60000, 0, [])
    train, valid, test = fashion_mnist(256, valid=59999, device="cpu")
    assert (len(train), valid.num_images, len(list(train))) == (1, 59999, 1)


@pytest.mark.parametrize("options, words", [
    (dict(batch_size=0), "batch_size must be a whole number of at least 1, got 0"),
    (dict(batch_size=2.5), "batch_size must be a whole number of at least 1, got 2.5"),
    (dict(size=0), "size must be a whole number of at least 1, got 0"),
    (dict(size=(28, 28)), r"size must be a whole number of at least 1, got \(28, 28\)"),
    (dict(valid=-1), "valid must be a whole number from 0 to 59999, got -1"),
    (dict(valid=60000), "valid must be a whole number from 0 to 59999, got 60000"),
    (dict(valid=0.1), "valid must be a whole number from 0 to 59999, got 0.1"),
    (dict(seed=-1), "seed must be a whole number of at least 0, got -1"),
    (dict(device="gpu"), "device must be one that torch can use on this machine.*got 'gpu'"),
    (dict(device="cuda:99"), "device must be one that torch can use on this machine.*got 'cuda:99'"),
])
def test_arguments_that_make_no_sense_are_refused_before_anything_is_read(monkeypatch, options, words):
    monkeypatch.setattr("course_lib.data.load_fashion_mnist", lambda root: pytest.fail("read all the same"))
    with pytest.raises(ValueError, match=words):
        fashion_mnist(**{"batch_size": 256, **options})


def test_an_epoch_that_is_no_whole_number_is_refused(small):
    with pytest.raises(ValueError, match="epoch must be a whole number of at least 0, got -1"):
        small(4).set_epoch(-1)


# Shares

@pytest.mark.parametrize("world", [2, 3])
def test_the_shares_of_all_processes_are_the_batches_in_order(world):
    images = torch.randint(0, 256, (37, 28, 28), dtype=torch.uint8)
    for batch_size in (8, 36, 64):  # the last batch has 5, 1 and 37 pictures
        batches = Batches(images, torch.arange(37), batch_size, size=32, shuffle=True, augment=True)
        expected, parts = list(batches), []
        for rank in range(world):
            batches.shard(rank, world)
            parts.append(list(batches))
            assert len(parts[-1]) == len(batches) == len(expected)
        for i, (X, y) in enumerate(expected):
            assert torch.equal(torch.cat([part[i][0] for part in parts]), X)
            assert torch.equal(torch.cat([part[i][1] for part in parts]), y)
            sizes = [len(part[i][1]) for part in parts]
            assert max(sizes) - min(sizes) <= 1
        batches.shard(0, 1)
        assert all(torch.equal(a, b) for one, two in zip(batches, expected, strict=True) for a, b in zip(one, two))
