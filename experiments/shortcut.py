"""Does a shortcut help a deep net to learn?

Nets of 6n + 2 layers, laid out as in section 4.2 of the ResNet paper but half as wide, with batch norm; each once with
shortcuts and once without, everything else equal: pictures, order, number of steps, learning rate.
"""
import torch
from torch import nn

from course_lib import fashion_mnist, fit
from course_lib.data import Batches
from course_lib.resnet import residual_block
from course_tools.recorded import experiment

ARMS = {f"{6 * n + 2} layers, {kind}": {"blocks": n, "shortcut": kind == "shortcut"}
        for n in (3, 9) for kind in ("plain", "shortcut")}
SETTINGS = {"images": 10_000, "epochs": 3, "lr": 0.1, "batch_size": 128, "widths": (8, 16, 32)}


def deep_net(blocks, shortcut, widths):
    """Three stages of so many blocks; without shortcuts a block is its branch and a ReLU."""
    layers, channels = [nn.Conv2d(1, widths[0], 3, padding=1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()], widths[0]
    for stage, width in enumerate(widths):
        for number in range(blocks):
            block = residual_block("basic", channels, width, stride=2 if stage and number == 0 else 1)
            layers.append(block if shortcut else nn.Sequential(block.branch, nn.ReLU()))
            channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))


def run(arm, seed, *, images, epochs, lr, batch_size, widths):
    torch.manual_seed(seed)
    train, valid, _ = fashion_mnist(batch_size)
    few = Batches(train.images[:images], train.labels[:images], batch_size, shuffle=True, seed=seed)
    net = deep_net(arm["blocks"], arm["shortcut"], widths).to(memory_format=torch.channels_last)
    history = fit(net, few, valid, epochs=epochs, precision="auto", progress=False, lr=lr,
                  schedule=lambda optimizer, steps: torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps))
    return {"train_loss": history.train_loss, "valid_accuracy": history.valid_accuracy,
            "seconds": sum(history.seconds)}


if __name__ == "__main__":
    raise SystemExit(experiment("shortcut", __doc__, ARMS, range(3), run, SETTINGS, "valid_accuracy"))
