"""Fashion-MNIST in batches that any training loop can take.

    train, valid, test = fashion_mnist(256)
    for epoch in range(5):
        train.set_epoch(epoch)              # a new order
        for X, y in train:                  # X (256, 1, 28, 28) float32, y (256,) int64
            ...

The whole set stays in memory as bytes (55 MB), on the device that trains. A batch is an index into
it; normalising, augmenting and resizing happen to one batch at a time, so an image of 224×224 exists
only while it is needed, and no worker processes are.
"""

from functools import partial

import numpy as np
import torch
import torch.nn.functional as F

from ._checks import check_count, check_whole
from .device import pick_device
from .distributed import share
from .idx import load_fashion_mnist

MEAN, STD = 0.2860, 0.3530  # of the training pixels, scaled to [0, 1]
MAX_SHIFT = 2  # pixels, along each axis
CLASSES = ("T-shirt/top", "trouser", "pullover", "dress", "coat",
           "sandal", "shirt", "sneaker", "bag", "ankle boot")


def fashion_mnist(batch_size, *, size=28, valid=5000, root=None, device=None, augment=False, seed=0):
    """Return Fashion-MNIST as three `Batches`: `(train, valid, test)`.

    The last `valid` of the 60,000 training images validate (0: none); the other two sets come in
    the files' order. Images are `size` × `size` pixels. `augment=True` mirrors and shifts the
    training images at random. `root` is the folder that holds `FashionMNIST/`, by default the
    course's own; `device=None` is the accelerator if there is one, else the CPU. Raises `ValueError`
    for arguments that make no sense, and what `load_fashion_mnist` raises for files that are missing
    or damaged.

    >>> train, valid, test = fashion_mnist(256, size=32, device="cpu")
    >>> len(train), train.num_images, valid.num_images, test.num_images
    (215, 55000, 5000, 10000)
    >>> X, y = next(iter(train))
    >>> X.shape, X.dtype, y.shape, y.dtype
    (torch.Size([256, 1, 32, 32]), torch.float32, torch.Size([256]), torch.int64)
    """
    check_whole("valid", valid, 59999)
    device = _check_device(device)
    options = dict(size=size, seed=seed)
    Batches(torch.empty(0, 28, 28), torch.empty(0), batch_size, **options)  # refuse bad options before reading
    images, labels, test_images, test_labels = (part.to(device) for part in load_fashion_mnist(root))
    labels, test_labels = labels.long(), test_labels.long()
    split = len(images) - valid  # slices of one tensor share its memory
    return (Batches(images[:split], labels[:split], batch_size, shuffle=True, augment=augment, **options),
            Batches(images[split:], labels[split:], batch_size, **options),
            Batches(test_images, test_labels, batch_size, **options))


class Batches:
    """Batches `(X, y)` of labelled grey images, to be iterated again and again.

    `images`, uint8 `(N, 28, 28)`, and `labels`, int64 `(N,)`, hold the set; `classes` names the
    labels. A batch is `X`, float32 `(B, 1, size, size)`, normalised, and `y`, int64 `(B,)`, on the
    device of `images`; the last may be smaller. `len()` counts batches, `num_images` images.
    With `shuffle` the order, with `augment` mirror images and shifts are drawn anew for each epoch
    that `set_epoch` names. They depend on seed and epoch alone, not on batch size or device. After
    `shard(rank, world)` each iteration gives one process's share of every batch, which may be empty.

    >>> images = torch.arange(5 * 784).reshape(5, 28, 28) % 256
    >>> batches = Batches(images.to(torch.uint8), torch.arange(5), batch_size=2, shuffle=True)
    >>> batches
    Batches(5 images, size 28, 3 batches of 2, shuffled)
    >>> [y.tolist() for X, y in batches] == [y.tolist() for X, y in batches]
    True
    >>> batches.set_epoch(1)
    >>> len(batches), sorted(label for X, y in batches for label in y.tolist())
    (3, [0, 1, 2, 3, 4])
    """

    classes = CLASSES

    def __init__(self, images, labels, batch_size, *, size=28, shuffle=False, augment=False, seed=0):
        check_count("batch_size", batch_size)
        check_count("size", size)
        self.images, self.labels, self.batch_size, self.size = images, labels, batch_size, size
        self.shuffle, self.augment, self.seed, self.epoch = shuffle, augment, check_whole("seed", seed), 0
        self.place = (0, 1)

    @property
    def num_images(self):
        """The number of images in the set, whoever's share they are."""
        return len(self.images)

    def __len__(self):
        return -(-self.num_images // self.batch_size)  # rounded up: the last, smaller batch counts

    def __repr__(self):
        how = ", shuffled" * bool(self.shuffle) + ", augmented" * bool(self.augment)
        return f"Batches({self.num_images} images, size {self.size}, {len(self)} batches of {self.batch_size}{how})"

    def set_epoch(self, epoch):
        """Choose the order and the augmentation of the iterations that start from now on."""
        self.epoch = check_whole("epoch", epoch)

    def shard(self, rank, world):
        """Give process `rank` of `world` its share of every batch from now on; `shard(0, 1)` gives all back."""
        self.place = rank, world

    def __iter__(self):
        return self._batches(*self._draw())  # drawn now: a later set_epoch leaves this iteration alone

    def _draw(self):
        n, device = self.num_images, self.images.device
        # Nearby seeds and epochs must give unrelated orders, so both are hashed into the generator's seed,
        # and it draws on the CPU, because every device's own generator draws something else.
        mixed = np.random.SeedSequence((self.seed, self.epoch)).generate_state(1).item()
        generator = torch.Generator().manual_seed(mixed)
        order = torch.randperm(n, generator=generator) if self.shuffle else torch.arange(n)
        mirror = torch.rand(n, generator=generator) < 0.5
        shift = torch.randint(-MAX_SHIFT, MAX_SHIFT + 1, (n, 2), generator=generator)
        return order.to(device), mirror.to(device), shift.to(device)

    def _batches(self, order, mirror, shift):
        for start in range(0, self.num_images, self.batch_size):
            ours = share(min(self.batch_size, self.num_images - start), *self.place)
            now = slice(start + ours.start, start + ours.stop)
            images = self.images.index_select(0, order[now])  # (B, 28, 28), bytes still
            if self.augment:
                images = mirror_and_shift(images, mirror[now], shift[now])
            yield _resize(_normalise(images), self.size), self.labels.index_select(0, order[now])


def mirror_and_shift(images, mirror, shift):
    """Mirror some images left to right, then move each by whole pixels, filling with zeros.

    `images` `(B, H, W)`; `mirror` bool `(B,)`; `shift` int64 `(B, 2)`, pixels down and to the right,
    from -2 to 2. Returns `(B, H, W)`.

    >>> image = torch.tensor([[[1, 2, 3], [4, 5, 6], [7, 8, 9]]])
    >>> mirror_and_shift(image, torch.tensor([True]), torch.tensor([[1, 0]]))
    tensor([[[0, 0, 0],
             [3, 2, 1],
             [6, 5, 4]]])
    """
    height, width = images.shape[1:]
    images = torch.where(mirror[:, None, None], images.flip(-1), images)
    padded = F.pad(images, [MAX_SHIFT] * 4)
    windows = padded.unfold(1, height, 1).unfold(2, width, 1)  # (B, 5, 5, H, W), a view: every possible shift
    down, right = (MAX_SHIFT - shift).unbind(1)  # to move the image down is to look from further up
    return windows[torch.arange(len(images), device=images.device), down, right]


def _normalise(images):  # bytes (B, H, W) -> float32 (B, 1, H, W); in place, since memory traffic is what costs
    return images[:, None].float().sub_(255 * MEAN).div_(255 * STD)


def _resize(images, size):  # bilinear, (B, 1, 28, 28) -> (B, 1, size, size)
    before = images.shape[-1]
    if size == before:
        return images
    # Without antialiasing a smaller image would skip pixels; a larger one skips none.
    interpolate = partial(F.interpolate, mode="bilinear", antialias=size < before)
    if images.device.type != "cpu":
        return interpolate(images, size=(size, size))
    # Twice as fast on a CPU, where fresh memory costs most: each new column is a mix of old ones, so the wide
    # image is a matrix product, written into NumPy's memory, which Linux hands out in huge pages.
    tall = interpolate(images, size=(size, before))
    columns = interpolate(torch.eye(before)[None, None], size=(before, size))[0, 0]  # (28, size)
    resized = torch.from_numpy(np.empty((len(images), 1, size, size), dtype=np.float32))
    return torch.matmul(tall, columns, out=resized)


def _check_device(device):
    try:
        return torch.empty(0, device=pick_device(device)).device
    except (RuntimeError, AssertionError) as error:  # a name torch does not know, or a device that is not there
        raise ValueError(f"device must be one that torch can use on this machine, 'cpu', or 'cuda' or 'mps' "
                         f"where there is one, got {str(device)!r}") from error
