"""Pictures in class folders, ImageNet's layout, prepared as the VGG paper prepared them (sections 3.1 and 3.2).

    train, valid, test = image_folder("imagenet", 256)         # imagenet/train/n01440764/….JPEG, imagenet/val/…
    fit(vgg("D", in_channels=3, num_classes=len(train.classes)), train, valid, epochs=74, lr=0.01)

torchvision finds the files and resizes and crops, torch's DataLoader reads ahead in worker processes.
"""

import os
from numbers import Real
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader

from ._checks import check_count, check_whole
from .distributed import share

MEAN_OF = 500  # training images of which the mean colour is taken


def image_folder(root, batch_size, *, size=224, scale=(256, 512), valid=0.1, seed=0, workers=None):
    """Return the pictures under `root` as three `Pictures`: `(train, valid, test)`.

    `root/train/`, `root/val/` and `root/test/` hold a folder a class each; without `train/` the class folders lie in
    `root` itself. Without `val/` the share `valid` of each class's training pictures (never all) validates, drawn by
    `seed`; without `test/` the third is None, and so is the second with `valid=0`.

    A training picture's shorter side becomes S pixels, drawn from `scale` for each picture and epoch (one number: a
    fixed S); then come a random crop of `size` × `size` and a random mirror image. Others are scaled to the middle of
    `scale`, Q in the paper, and cropped at the centre. Pixels lie in [0, 1], less the mean colour of 500 training
    pictures. `workers` processes read ahead, by default one a core and four at most; 0 reads in this process.

    FileNotFoundError for a folder that is missing or has no picture, ValueError for arguments that make no sense,
    for classes that differ between the sets, and, as soon as it is met, for a file that is no whole picture.

    >>> import tempfile
    >>> from PIL import Image
    >>> root = Path(tempfile.mkdtemp())
    >>> for name in ("cat", "rocket"):
    ...     (root / name).mkdir()
    ...     for i in range(5):
    ...         Image.new("RGB", (40 + i, 30), name == "cat" and "grey" or "white").save(root / name / f"{i}.png")
    >>> train, valid, test = image_folder(root, 4, size=24, scale=(28, 32), valid=0.2, workers=0)
    >>> train, valid.num_images, test
    (Pictures(8 images, 2 classes, size 24, 2 batches of 4, augmented), 2, None)
    >>> X, y = next(iter(train))
    >>> X.shape, X.dtype, y.shape
    (torch.Size([4, 3, 24, 24]), torch.float32, torch.Size([4]))
    """
    low, high = _check_scale(scale, size)
    check_whole("seed", seed)
    if isinstance(valid, bool) or not isinstance(valid, Real) or not 0 <= valid < 1:
        raise ValueError(f"valid must be a share of at least 0 and below 1, got {valid!r}")
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f"there is no folder {root}: give the one that holds train/, or the class folders")
    whole = {name: root / name for name in ("train", "val", "test") if (root / name).is_dir()}
    if whole and "train" not in whole:
        raise FileNotFoundError(f"{root} has {' and '.join(f'{name}/' for name in whole)} but no train/")
    classes, samples = _find(whole.get("train", root))
    held_out = _drawn(samples, valid, seed) if "val" not in whole else []
    others = {name: _find(folder, classes)[1] for name, folder in whole.items() if name != "train"}
    training = [samples[i] for i in sorted(set(range(len(samples))) - set(held_out))]
    options = {"classes": classes, "mean": mean_colour(training, seed), "batch_size": batch_size, "size": size,
               "seed": seed, "workers": workers}

    def evaluated(samples):
        return Pictures(samples, scale=((low + high) // 2,) * 2, **options) if samples else None

    return (Pictures(training, scale=(low, high), augment=True, **options),
            evaluated(others.get("val", [samples[i] for i in held_out])), evaluated(others.get("test")))


class Pictures:
    """Batches `(X, y)` of colour pictures from files, to be iterated again and again.

    `samples` is a list of `(path, label)`, `mean` the RGB values to subtract, `(3,)`, `scale` the least and the
    greatest shorter side. A batch is `X`, float32 `(B, 3, size, size)`, and `y`, int64 `(B,)`, on the CPU. `len()`
    counts batches, `num_images` images. With `augment`, order, scale, crop and mirror image are drawn anew for each
    epoch that `set_epoch` names; they depend on seed, epoch and picture alone. After `shard(rank, world)` each
    iteration gives one process's share of every batch, which may be empty.
    """

    def __init__(self, samples, *, classes, mean, batch_size, size, scale, seed=0, augment=False, workers=None):
        check_count("batch_size", batch_size)
        self.samples, self.classes, self.mean, self.batch_size = samples, classes, mean, batch_size
        self.size, self.scale, self.seed, self.augment = size, scale, seed, augment
        self.workers = min(4, os.cpu_count() or 1) if workers is None else check_whole("workers", workers)
        self.epoch, self.place = 0, (0, 1)

    @property
    def num_images(self):
        """The number of images in the set, whoever's share they are."""
        return len(self.samples)

    def __len__(self):
        return -(-self.num_images // self.batch_size)

    def __repr__(self):
        return (f"Pictures({self.num_images} images, {len(self.classes)} classes, size {self.size}, {len(self)} batches "
                f"of {self.batch_size}{', augmented' if self.augment else ''})")

    def set_epoch(self, epoch):
        """Choose the order and the augmentation of the iterations that start from now on."""
        self.epoch = check_whole("epoch", epoch)

    def shard(self, rank, world):
        """Give process `rank` of `world` its share of every batch from now on; `shard(0, 1)` gives all back."""
        self.place = rank, world

    def __iter__(self):
        order = _random(self.seed, self.epoch).permutation(self.num_images) if self.augment else range(self.num_images)
        whole = [order[start:start + self.batch_size] for start in range(0, self.num_images, self.batch_size)]
        ours = [[(self.epoch, int(i)) for i in batch[share(len(batch), *self.place)]] for batch in whole]
        # A generator of its own, or each iteration would take a number out of torch's global one.
        loader = DataLoader(_Read(self), batch_sampler=ours, collate_fn=self._together, num_workers=self.workers,
                            generator=torch.Generator())
        for bytes_, y in loader:
            yield bytes_.float().div_(255).sub_(self.mean.view(3, 1, 1)), y

    def _together(self, pictures):  # a share may be empty
        X = torch.stack([X for X, _ in pictures]) if pictures else torch.empty(0, 3, self.size, self.size).byte()
        return X, torch.tensor([y for _, y in pictures], dtype=torch.int64)


class _Read(torch.utils.data.Dataset):
    """One picture by `(epoch, place)`: bytes `(3, size, size)` and its label."""

    def __init__(self, pictures):
        self.pictures = pictures

    def __getitem__(self, key):
        from torchvision.transforms.v2 import functional as transforms

        epoch, i = key
        path, label = self.pictures.samples[i]
        (low, high), size = self.pictures.scale, self.pictures.size
        draw = _random(self.pictures.seed, epoch, i)
        image = transforms.resize(read_image(path), [int(draw.integers(low, high + 1))])  # the shorter side
        if self.pictures.augment:
            top, left = (int(draw.integers(0, side - size + 1)) for side in (image.height, image.width))
            image = transforms.crop(image, top, left, size, size)
            image = transforms.hflip(image) if draw.random() < 0.5 else image
        else:
            image = transforms.center_crop(image, [size, size])
        return transforms.pil_to_tensor(image), label


def read_image(path):
    """Read a picture file as a PIL image in RGB; ValueError with its name for what is no whole picture."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} cannot be read as a picture ({error}): fetch it again, or delete it") from error


def mean_colour(samples, seed=0):
    """Return the mean colour `(3,)`, in [0, 1], of 500 of the pictures, each counting the same."""
    from PIL import ImageStat

    some = _random(seed).permutation(len(samples))[:MEAN_OF]
    means = [ImageStat.Stat(read_image(samples[i][0])).mean for i in sorted(some)]
    return torch.tensor(means, dtype=torch.float64).mean(0).div(255).float()


def _find(folder, expected=None):
    """Return the classes and the `(path, label)` pairs under a folder, as torchvision finds them."""
    from torchvision.datasets import ImageFolder

    try:
        found = ImageFolder(folder)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{folder} must hold one folder a class, with pictures in each: {error}") from error
    if expected is not None and found.classes != expected:
        odd = sorted(set(found.classes) ^ set(expected))
        raise ValueError(f"{folder} must have the classes of the training set, but one of them alone has "
                         f"{', '.join(odd[:3])}{f' and {len(odd) - 3} more' if len(odd) > 3 else ''}")
    return found.classes, found.samples


def _drawn(samples, part, seed):
    """Return the places of the share `part` of each class's samples, drawn by `seed`."""
    places = {}
    for i, (_, label) in enumerate(samples):
        places.setdefault(label, []).append(i)
    return [own[j] for label, own in places.items()
            for j in _random(seed, label).permutation(len(own))[:min(round(part * len(own)), len(own) - 1)]]


def _random(*keys):
    """Return a generator that the whole numbers `keys`, and nothing else, decide."""
    return np.random.default_rng(keys)


def _check_scale(scale, size):
    check_count("size", size)
    pair = tuple(scale) if isinstance(scale, (tuple, list)) else (scale, scale)
    if len(pair) != 2:
        raise ValueError(f"scale must be one number of pixels or (least, greatest), got {scale!r}")
    for side in pair:
        check_count("scale", side)
    if not size <= pair[0] <= pair[1]:
        raise ValueError(f"scale must be (least, greatest) with size <= least <= greatest, got scale {scale!r} for "
                         f"size {size}")
    return pair
