"""Recipes: a net of VGG blocks and a fixed number of epochs that reach a stated test accuracy in seconds.

    python -m course_lib train 92

A recipe is named after the mean test accuracy, in per cent over five seeds, that it reaches. It was chosen on the
validation images; the test images are read once in a run, after the last epoch.
"""

import time
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from .data import fashion_mnist
from .train import evaluate, fit
from .vgg import vgg, vgg_blocks


@dataclass(frozen=True)
class Recipe:
    """What a run is made of. `hidden=None` puts one linear layer behind the blocks, as `slim_vgg` does.

    `lr` is the peak of a one-cycle schedule: up from nearly zero for the first quarter of the run, down to nearly
    zero at its end.
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


RECIPES = {
    # The first block goes without batch norm, which costs as much there as all its other layers together.
    "92": Recipe(arch=((1, 16, {"batch_norm": False}), (1, 32), (1, 64), (1, 128)), epochs=5, lr=0.2,
                 label_smoothing=0.05, mirror=True),
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
    net = Mirrored(net) if recipe.mirror else net
    return net.to(memory_format=torch.channels_last)


def run_recipe(recipe, *, seed=0, device=None, precision="auto", progress=True):
    """Train once by a `Recipe` or the name of one; return what came out as a dict of plain numbers and lists.

    `seconds` runs from the first batch to the end of the last epoch's validation, `test_accuracy` is measured after
    it. ValueError for an unknown name.
    """
    if isinstance(recipe, str):
        if recipe not in RECIPES:
            raise ValueError(f"unknown recipe {recipe!r}: allowed are {', '.join(RECIPES)}")
        recipe = RECIPES[recipe]
    torch.manual_seed(seed)
    train, valid, test = fashion_mnist(recipe.batch_size, size=recipe.size, device=device, augment=recipe.augment,
                                       seed=seed)
    net = build(recipe)
    start = time.perf_counter()
    history = fit(net, train, valid, epochs=recipe.epochs, lr=recipe.lr, device=device, precision=precision,
                  loss=lambda scores, y: F.cross_entropy(scores, y, label_smoothing=recipe.label_smoothing),
                  schedule=lambda optimizer, steps: torch.optim.lr_scheduler.OneCycleLR(
                      optimizer, recipe.lr, total_steps=steps, pct_start=0.25),
                  progress=progress)
    seconds = time.perf_counter() - start
    _, test_accuracy = evaluate(net, test, device=device)
    return {"seed": seed, "seconds": seconds, "test_accuracy": test_accuracy,
            "parameters": sum(p.numel() for p in net.parameters()),
            "train_loss": history.train_loss, "valid_accuracy": history.valid_accuracy}
