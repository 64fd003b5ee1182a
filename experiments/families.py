"""Which of five families learns most in the same seconds?

AlexNet, ZFNet, VGG-A, GoogLeNet and ResNet-18, each with a quarter of its channels, batch norm behind every
convolution, and pictures of 64 pixels. A net first trains a few batches to see how fast it is; then it gets as many
steps as fit into the seconds, on a one-cycle schedule of that length.
"""
import time

import torch
from torch import nn

from course_lib import fashion_mnist, fit, trace, vgg
from course_lib.alexnet import ALEXNET_CONFIGS
from course_lib.googlenet import GOOGLENET_STAGES, inception
from course_lib.resnet import residual_block
from course_lib.zfnet import ZFNET_CONFIG
from course_tools.recorded import experiment

ARMS = {name: {"family": name} for name in ("AlexNet", "ZFNet", "VGG-A", "GoogLeNet", "ResNet-18")}
SETTINGS = {"seconds": 20, "lr": 0.1, "batch_size": 128, "size": 64}


def conv(in_channels, out_channels, kernel, stride=1, padding=None):
    padding = kernel // 2 if padding is None else padding
    return [nn.Conv2d(in_channels, out_channels, kernel, stride, padding, bias=False), nn.BatchNorm2d(out_channels),
            nn.ReLU()]


def of_rows(rows, size, ceil_mode=False):
    """AlexNet or ZFNet from its table, with a quarter of the channels and of the hidden units."""
    layers, channels = [], 1
    for row in rows:
        layers += conv(channels, row.channels // 4, row.kernel, row.stride, row.padding)
        layers += [nn.MaxPool2d(3, stride=2, ceil_mode=ceil_mode)] if row.pool else []
        channels = row.channels // 4
    numbers = nn.Sequential(*layers).eval()(torch.zeros(1, 1, size, size)).numel()
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(numbers, 1024), nn.ReLU(), nn.Dropout(0.5),
                         nn.Linear(1024, 1024), nn.ReLU(), nn.Dropout(0.5), nn.Linear(1024, 10))


def narrow_googlenet():
    layers, channels = [*conv(1, 16, 7, 2), nn.MaxPool2d(3, 2, ceil_mode=True), *conv(16, 16, 1), *conv(16, 48, 3)], 48
    for rows in GOOGLENET_STAGES:
        layers.append(nn.MaxPool2d(3, 2, ceil_mode=True))
        for row in rows:
            row = type(row)(*(width // 4 for width in row))
            layers.append(inception("torchvision", channels, row))
            channels = row.conv1 + row.conv3 + row.conv5 + row.pool
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(channels, 10))


def narrow_resnet():
    layers, channels = [*conv(1, 16, 7, 2), nn.MaxPool2d(3, 2, padding=1)], 16
    for stage, width in enumerate((16, 32, 64, 128)):
        for number in range(2):
            layers.append(residual_block("basic", channels, width, stride=2 if stage and number == 0 else 1))
            channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))


def build(family, size=64):
    return {"AlexNet": lambda: of_rows(ALEXNET_CONFIGS["torchvision"], size),
            "ZFNet": lambda: of_rows(ZFNET_CONFIG, size, ceil_mode=True),
            "VGG-A": lambda: vgg([(n, width // 4) for n, width in ((1, 64), (1, 128), (2, 256), (2, 512), (2, 512))],
                                 input_size=size, hidden=1024, batch_norm=True),
            "GoogLeNet": narrow_googlenet,
            "ResNet-18": narrow_resnet}[family]().to(memory_format=torch.channels_last)


class Steps:
    """So many batches of `train`, epoch after epoch, as one epoch for `fit`."""

    def __init__(self, train, steps):
        self.train, self.steps = train, steps

    def __len__(self):
        return self.steps

    def __iter__(self):
        left, epoch = self.steps, 0
        while left:
            self.train.set_epoch(epoch)
            for _, batch in zip(range(left), self.train):
                yield batch
                left -= 1
            epoch += 1


def train_for(net, train, valid, steps, lr, precision="auto"):
    return fit(net, Steps(train, steps), valid, epochs=1, lr=lr, precision=precision, progress=False,
               schedule=lambda optimizer, steps: torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps))


def cost(net, size):
    """Weights, work a picture, and the window of a unit of the last map, before anything is averaged or flattened."""
    traced = trace(net, (1, 1, size, size))
    last = [row for row in traced if row.jump and row.jump[0]][-1]      # behind it no unit has a jump: each sees all
    return {"weights": traced.params, "multiply_adds": traced.macs, "receptive_field": last.receptive_field[0]}


def run(arm, seed, *, seconds, lr, batch_size, size):
    train, valid, _ = fashion_mnist(batch_size, size=size, seed=seed)
    trial = build(arm["family"], size)
    train_for(trial, train, None, 5, 1e-3)
    start = time.perf_counter()
    train_for(trial, train, None, 15, 1e-3)
    steps = max(20, round(15 * seconds / (time.perf_counter() - start)))
    torch.manual_seed(seed)
    net = build(arm["family"], size)
    history = train_for(net, train, valid, steps, lr)
    return {**cost(net.cpu(), size), "steps": steps, "seconds": history.seconds[0],
            "train_loss": history.train_loss[0], "valid_accuracy": history.valid_accuracy[0]}


if __name__ == "__main__":
    raise SystemExit(experiment("families", __doc__, ARMS, range(3), run, SETTINGS, "valid_accuracy"))
