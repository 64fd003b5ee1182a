"""image_folder: pictures written here, read back; torchvision's own reading and plain arithmetic are the oracles."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import get_worker_info

from course_lib.folders import Pictures, image_folder, mean_colour, read_image
from course_lib.train import fit

OPTIONS = {"size": 16, "scale": (20, 28), "workers": 0}


def paint(path, height=40, width=60, colour=None, mode="RGB"):
    """Write a picture whose red rises to the right and green downwards, so that a crop tells where it was taken."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = np.linspace(0, 255, width)[None]
    pixels[..., 1] = np.linspace(0, 255, height)[:, None]
    pixels[..., 2] = 100
    if colour is not None:
        pixels[:] = colour
    Image.fromarray(pixels).convert(mode).save(path)


@pytest.fixture
def tree(tmp_path):
    """Ten pictures in each of two classes, without val/ and test/."""
    for name in ("cat", "dog"):
        for i in range(10):
            paint(tmp_path / "data" / "train" / name / f"{i}.png", width=60 + i)
    return tmp_path / "data"


def whole(batches):
    return [torch.cat(parts) for parts in zip(*batches)]


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(whole(a), whole(b), strict=True))


# The sets

def test_a_share_of_each_class_validates_and_no_picture_is_in_two_sets(tree):
    train, valid, test = image_folder(tree, 4, valid=0.2, **OPTIONS)
    assert (train.num_images, valid.num_images, test) == (16, 4, None)
    assert [label for _, label in valid.samples].count(0) == 2
    assert not {path for path, _ in train.samples} & {path for path, _ in valid.samples}
    assert len(train) == 4 and len(list(train)) == 4
    other = image_folder(tree, 4, valid=0.2, seed=1, **OPTIONS)[1]
    assert other.samples != valid.samples
    assert image_folder(tree, 4, valid=0.2, **OPTIONS)[1].samples == valid.samples


def test_val_and_test_are_used_where_present(tree):
    for part in ("val", "test"):
        for name in ("cat", "dog"):
            paint(tree / part / name / "one.png")
    train, valid, test = image_folder(tree, 4, **OPTIONS)
    assert (train.num_images, valid.num_images, test.num_images) == (20, 2, 2)
    assert train.classes == valid.classes == ["cat", "dog"]


def test_class_folders_may_lie_in_the_root_and_validation_may_be_left_out(tree):
    train, valid, test = image_folder(tree / "train", 4, valid=0, **OPTIONS)
    assert (train.num_images, valid, test) == (20, None, None)


@pytest.mark.parametrize("mode, suffix", [("L", "png"), ("RGBA", "png"), ("CMYK", "jpg"), ("P", "png"), ("RGB", "JPEG")])
def test_every_kind_of_picture_becomes_rgb(tmp_path, mode, suffix):
    for name in ("a", "b"):
        paint(tmp_path / name / f"1.{suffix}", mode=mode)
    X, y = next(iter(image_folder(tmp_path, 2, valid=0, **OPTIONS)[0]))
    assert X.shape == (2, 3, 16, 16) and X.dtype == torch.float32 and y.dtype == torch.int64
    assert sorted(y.tolist()) == [0, 1]


# A picture

def test_the_mean_colour_of_the_training_pictures_is_subtracted(tmp_path):
    for name, colour in (("dark", (10, 20, 30)), ("light", (250, 200, 90))):
        paint(tmp_path / "train" / name / "1.png", colour=colour)
        paint(tmp_path / "val" / name / "1.png", colour=(0, 0, 0))
    train, valid, _ = image_folder(tmp_path, 2, **OPTIONS)
    torch.testing.assert_close(train.mean, torch.tensor([130, 110, 60]) / 255)
    X, y = whole(train)
    torch.testing.assert_close(X[y == 0][0, :, 3, 3], torch.tensor([-120, -90, -30]) / 255)
    X, _ = whole(valid)
    torch.testing.assert_close(X[0, :, 3, 3], -torch.tensor([130, 110, 60]) / 255)


def test_the_mean_is_taken_of_no_more_pictures_than_it_needs(tree, monkeypatch):
    from course_lib import folders

    monkeypatch.setattr(folders, "MEAN_OF", 3)
    read = []
    monkeypatch.setattr(folders, "read_image", lambda path: read.append(path) or read_image(path))
    mean_colour([(str(path), 0) for path in sorted(tree.rglob("*.png"))])
    assert len(set(read)) == 3


def test_validation_pictures_are_scaled_to_the_middle_and_cropped_at_the_centre(tmp_path):
    for i in range(2):  # one of each class stays for training, however large a share is asked for
        paint(tmp_path / "a" / f"{i}.png", height=48, width=96)
        paint(tmp_path / "b" / f"{i}.png", height=96, width=48)
    train, valid, _ = image_folder(tmp_path, 1, size=16, scale=(20, 28), valid=0.99, workers=0)
    assert train.num_images == valid.num_images == 2
    for (X, _), size in zip(valid, [(48, 24), (24, 48)]):
        image = Image.open(valid.samples[0 if size[0] == 48 else 1][0]).resize(size, Image.BILINEAR)
        left, top = (size[0] - 16) // 2, (size[1] - 16) // 2
        expected = np.asarray(image.crop((left, top, left + 16, top + 16)), np.float32) / 255
        got = X[0] + valid.mean.view(3, 1, 1)
        assert np.abs(got.permute(1, 2, 0).numpy() - expected).max() < 1.5 / 255


def slope_and_start(X):
    """What a training picture of `paint` says of itself: pixels per pixel, left edge (0 to 1), mirrored or not."""
    red = X[0].mean(0)
    step = (red[-1] - red[0]) / (len(red) - 1)
    return abs(step.item()), red.min().item(), bool(step < 0)


def test_scales_crops_and_mirror_images_cover_their_range(tmp_path):
    paint(tmp_path / "train" / "a" / "1.png", height=60, width=80)
    paint(tmp_path / "train" / "b" / "1.png", height=60, width=80)
    train, _, _ = image_folder(tmp_path, 2, size=16, scale=(20, 40), valid=0, workers=0)
    seen = []
    for epoch in range(150):
        train.set_epoch(epoch)
        X, _ = whole(train)
        seen += [slope_and_start(x + train.mean.view(3, 1, 1)) for x in X]
    assert sum(a != b for a, b in zip(seen[::2], seen[1::2])) > 140  # two equal pictures are cut out differently
    # With the shorter side S the width is 80·S/60 pixels, over which red rises from 0 to 1.
    widths = [1 / slope for slope, _, _ in seen]
    assert 80 * 20 / 60 - 2 < min(widths) < 30 and 50 < max(widths) < 80 * 40 / 60 + 2
    assert 0.4 < sum(mirrored for _, _, mirrored in seen) / len(seen) < 0.6
    assert min(start for _, start, _ in seen) < 0.05 and max(start for _, start, _ in seen) > 0.5


# Order and epochs

@pytest.mark.parametrize("workers", [0, 2])
def test_an_epoch_is_the_same_again_and_another_one_is_new(tree, workers):
    train = image_folder(tree, 4, **{**OPTIONS, "workers": workers})[0]
    state = torch.get_rng_state()
    assert same(train, train)
    first = list(train)
    train.set_epoch(1)
    assert not same(first, train)
    train.set_epoch(0)
    assert same(first, train)
    assert torch.equal(state, torch.get_rng_state())  # torch's own random numbers are left alone


def test_neither_workers_nor_batch_size_nor_shares_change_a_picture(tree):
    def pictures(batch_size, workers, world=1):
        train, _, _ = image_folder(tree, batch_size, **{**OPTIONS, "workers": workers})
        train.set_epoch(3)
        parts = []
        for rank in range(world):
            train.shard(rank, world)
            parts.append(list(train))
        batches = [torch.cat([part[i][0] for part in parts]) for i in range(len(train))]
        return torch.cat(batches)

    expected = pictures(4, 0)
    for other in (pictures(7, 0), pictures(4, 2), pictures(5, 0, world=3), pictures(18, 0, world=2)):
        assert torch.equal(expected, other)


def test_a_share_may_be_empty_and_keeps_its_shape(tree):
    train = image_folder(tree, 17, **OPTIONS)[0]  # 18 pictures: the second batch has one
    train.shard(1, 2)
    shapes = [X.shape for X, y in train]
    assert [shape[0] for shape in shapes] == [8, 0] and shapes[1] == (0, 3, 16, 16)
    train.shard(0, 1)
    assert [len(y) for _, y in train] == [17, 1]


def test_pictures_are_read_in_as_many_processes_as_were_asked_for(tree, monkeypatch):
    from course_lib import folders

    def who(path):
        info = get_worker_info()
        return Image.new("RGB", (30, 30), (info.id + 1 if info else 0, info.num_workers if info else 0, 0))

    train = image_folder(tree, 4, **{**OPTIONS, "workers": 2})[0]
    monkeypatch.setattr(folders, "read_image", who)
    X, _ = whole(train)
    colours = ((X[:, :, 0, 0] + train.mean) * 255).round().int()
    assert {tuple(colour) for colour in colours[:, :2].tolist()} == {(1, 2), (2, 2)}


# What is refused

@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("spoil", [
    lambda path: path.write_bytes(path.read_bytes()[:-200]), lambda path: path.write_bytes(b""),
    lambda path: path.write_text("<html>404</html>")])
def test_a_file_that_is_no_whole_picture_is_named(tree, monkeypatch, workers, spoil):
    from course_lib import folders

    monkeypatch.setattr(folders, "mean_colour", lambda samples, seed: torch.zeros(3))  # it would meet the file first
    spoil(tree / "train" / "dog" / "3.png")
    train, _, _ = image_folder(tree, 4, valid=0, **{**OPTIONS, "workers": workers})
    with pytest.raises(ValueError, match=r"dog.3.png cannot be read as a picture .*: fetch it again, or delete it"):
        list(train)


def test_training_that_meets_a_damaged_file_keeps_the_checkpoint_of_the_epoch_before(tree, tmp_path):
    def train(epochs, resume):
        torch.manual_seed(0)
        net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))
        return fit(net, pictures, epochs=epochs, checkpoint=path, resume=resume, device="cpu", progress=False)

    path, victim = tmp_path / "run.pt", tree / "train" / "dog" / "3.png"
    pictures, whole_file = image_folder(tree, 4, valid=0, **OPTIONS)[0], victim.read_bytes()
    train(1, resume=False)
    written = path.read_bytes()
    victim.write_bytes(whole_file[:-200])
    with pytest.raises(ValueError, match=r"dog.3.png cannot be read as a picture .*: fetch it again, or delete it"):
        train(3, resume=True)
    assert path.read_bytes() == written and torch.load(path, weights_only=True)["epoch"] == 1
    assert [part.name for part in tmp_path.iterdir() if part.is_file()] == ["run.pt"]
    victim.write_bytes(whole_file)
    assert len(train(3, resume=True)) == 3  # with the file back, the run goes on


def test_the_mean_names_a_damaged_file_too(tree):
    (tree / "train" / "cat" / "0.png").write_bytes(b"")
    with pytest.raises(ValueError, match="cat.0.png cannot be read as a picture"):
        image_folder(tree, 4, valid=0, **OPTIONS)


def test_folders_that_are_not_there_or_empty_are_named(tree, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder .*nowhere"):
        image_folder(tmp_path / "nowhere", 4)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="empty must hold one folder a class, with pictures in each"):
        image_folder(tmp_path / "empty", 4)
    (tree / "train" / "bird").mkdir()
    with pytest.raises(FileNotFoundError, match="train must hold one folder a class.*bird"):
        image_folder(tree, 4)


def test_a_set_without_train_is_not_taken_for_classes(tmp_path):
    paint(tmp_path / "val" / "cat" / "1.png")
    with pytest.raises(FileNotFoundError, match="has val/ but no train/"):
        image_folder(tmp_path, 4)


def test_other_classes_in_val_are_named(tree):
    for name in ("cat", "horse"):
        paint(tree / "val" / name / "1.png")
    with pytest.raises(ValueError, match="val must have the classes of the training set, .*dog, horse"):
        image_folder(tree, 4, **OPTIONS)


@pytest.mark.parametrize("options, message", [
    ({"scale": (20, 18)}, "scale must be"), ({"scale": (12, 20)}, "size <= least"), ({"scale": (20,)}, "scale must be"),
    ({"scale": 2.5}, "scale must be"), ({"size": 0}, "size must be"), ({"valid": 1}, "valid must be a share"),
    ({"valid": True}, "valid must be a share"), ({"workers": -1}, "workers must be"), ({"seed": -1}, "seed must be"),
    ({"batch_size": 0}, "batch_size must be")])
def test_bad_arguments_are_refused_by_name(tree, options, message):
    with pytest.raises(ValueError, match=message):
        image_folder(tree, **{"batch_size": 4, **OPTIONS, **options})


@pytest.mark.parametrize("epoch", [-1, 1.5, True])
def test_bad_epochs_are_refused(epoch):
    pictures = Pictures([], classes=[], mean=torch.zeros(3), batch_size=1, size=1, scale=(1, 1))
    with pytest.raises(ValueError, match="epoch must be a whole number"):
        pictures.set_epoch(epoch)
