"""Recipes: a net of VGG blocks and a fixed number of epochs that reach a stated test accuracy in seconds.

    python -m course_lib train 92

A recipe is named after the mean test accuracy, in per cent over five seeds, that it reaches. It was chosen on images
that validated; now that it is chosen they train, too. The test images are read once in a run, after the last epoch.
"""

import ctypes
import sys
import time
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from .data import fashion_mnist
from .device import pick_device
from .train import evaluate, fit
from .vgg import vgg, vgg_block, vgg_blocks


@dataclass(frozen=True)
class Recipe:
    """What a run is made of. `hidden=None` puts one linear layer behind the blocks, as `slim_vgg` does.

    `lr` is the peak of a one-cycle schedule: up from nearly zero for the first quarter of the run, down to nearly
    zero at its end. `valid` training images validate after each epoch.
    """
    arch: str | tuple
    epochs: int
    lr: float
    size: int = 28
    batch_size: int = 256
    batch_norm: bool = True
    hidden: int | None = None
    label_smoothing: float = 0.0
    augment: bool = False                       # `fashion_mnist`'s, mirror images and shifts
    mirror: bool = False                        # `Mirrored`
    pool_first: bool = False                    # `pool_first`
    valid: int = 5000


def _fast(arch, epochs):
    """Return what the three recipes have in common.

    The first block goes without batch norm, which costs as much there as all its other layers together.
    """
    (count, width), *others = arch
    return Recipe(arch=((count, width, {"batch_norm": False}), *others), epochs=epochs, lr=0.2, label_smoothing=0.05,
                  mirror=True, pool_first=True, valid=0)


RECIPES = {
    "92": _fast(((1, 16), (1, 32), (1, 64), (1, 128)), epochs=4),
    "93": _fast(((1, 16), (1, 32), (1, 64), (1, 128)), epochs=10),
    "94": _fast(((2, 32), (2, 64), (2, 128)), epochs=11),
}


def slim_vgg(conv_arch, *, in_channels=1, num_classes=10, batch_norm=True):
    """Build VGG blocks without VGG's heavy head: the largest response of each channel, then one linear layer.

    Maps (N, in_channels, H, W) to (N, num_classes), any H and W that survive the halvings.

    >>> slim_vgg(((1, 8), (2, 16)))(torch.ones(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    """
    blocks = vgg_blocks(conv_arch, in_channels=in_channels, batch_norm=batch_norm)
    out_channels = [layer for layer in blocks[-1] if isinstance(layer, nn.Conv2d)][-1].out_channels
    return nn.Sequential(*blocks, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(out_channels, num_classes))


def pool_first(block):
    """Return a VGG block of the same layers, with the pooling in front of what follows its last convolution.

    The largest of four numbers, cut off at zero, is the largest of the four cut off: with a ReLU alone between them
    the scores stay the same, and the ReLU has a quarter of the work. A batch norm that moves behind the pooling makes
    it another net.

    >>> _ = torch.manual_seed(0)
    >>> block, X = vgg_block(1, 1, 8), torch.randn(2, 1, 28, 28)
    >>> torch.equal(block(X), pool_first(block)(X))
    True
    """
    layers = list(block)
    last = max(place for place, layer in enumerate(layers) if isinstance(layer, nn.Conv2d))
    return nn.Sequential(*layers[:last + 1], layers[-1], *layers[last + 1:-1])


class Mirrored(nn.Module):
    """Mirror a random half of the images in training; else score image and mirror image, and average.

    A bag seen from the left is still a bag. Random numbers come from torch's global generator.
    """

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, X):
        if not self.training:
            return (self.net(X) + self.net(X.flip(3))) / 2
        half = torch.rand(len(X), 1, 1, 1, device=X.device) < 0.5
        return self.net(torch.where(half, X.flip(3), X))


def build(recipe):
    """Build a recipe's net, laid out channels-last, which convolutions on most hardware prefer."""
    if recipe.hidden is None:
        net = slim_vgg(recipe.arch, batch_norm=recipe.batch_norm)
    else:
        net = vgg(recipe.arch, input_size=recipe.size, hidden=recipe.hidden, batch_norm=recipe.batch_norm)
    if recipe.pool_first:
        net = nn.Sequential(*(pool_first(child) if isinstance(child, nn.Sequential) else child for child in net))
    net = Mirrored(net) if recipe.mirror else net
    return net.to(memory_format=torch.channels_last)


def keep_memory():
    """Let this process keep the memory that a batch frees, for the next one; on Linux with glibc, else do nothing.

    glibc gives large pieces back at once, and Linux hands out each page of the next batch anew, filled with zeros.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt:
        for option, size in ((-3, 2**25), (-1, 2**30)):  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD in bytes
            mallopt(option, size)


def run_recipe(recipe, *, seed=0, device=None, precision="auto", progress=True):
    """Train once by a `Recipe` or the name of one; return what came out as a dict of plain numbers and lists.

    `seconds` runs from the first batch to the end of the last epoch, validation included, `test_accuracy` is measured
    after it; `images` trained. The process keeps freed memory from then on (`keep_memory`). ValueError for an unknown
    name.
    """
    if isinstance(recipe, str):
        if recipe not in RECIPES:
            raise ValueError(f"unknown recipe {recipe!r}: allowed are {', '.join(RECIPES)}")
        recipe = RECIPES[recipe]
    torch.manual_seed(seed)
    train, valid, test = fashion_mnist(recipe.batch_size, size=recipe.size, valid=recipe.valid, device=device,
                                       augment=recipe.augment, seed=seed)
    net = build(recipe)
    keep_memory()
    start = time.perf_counter()
    optimizer = torch.optim.SGD(net.to(pick_device(device)).parameters(), recipe.lr, momentum=0.9, weight_decay=5e-4,
                                nesterov=True)
    history = fit(net, train, valid if recipe.valid else None, epochs=recipe.epochs, optimizer=optimizer, device=device,
                  precision=precision, loss=lambda scores, y: F.cross_entropy(scores, y, label_smoothing=recipe.label_smoothing),
                  schedule=lambda optimizer, steps: torch.optim.lr_scheduler.OneCycleLR(
                      optimizer, recipe.lr, total_steps=steps, pct_start=0.25, cycle_momentum=False),
                  progress=progress)
    seconds = time.perf_counter() - start
    _, test_accuracy = evaluate(net, test, device=device)
    return {"seed": seed, "seconds": seconds, "test_accuracy": test_accuracy,
            "images": train.num_images, "parameters": sum(p.numel() for p in net.parameters()),
            "train_loss": history.train_loss, "valid_accuracy": history.valid_accuracy}
