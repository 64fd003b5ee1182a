"""What does the ReLU between two 3×3 convolutions buy?

Two pairs of 3×3 convolutions behind a first layer, with and without a ReLU inside the pairs. Everything else is the same
in both arms: weights, batch norm and ReLU behind each pair, pictures, order, number of epochs.
"""
import torch
from torch import nn

from course_lib import fashion_mnist, fit
from course_tools.recorded import experiment

ARMS = {"with ReLU": {"relu": True}, "without": {"relu": False}}
SETTINGS = {"epochs": 2, "lr": 0.05, "batch_size": 128, "width": 32}


def conv(in_channels, out_channels):
    return nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)


def pair(width, relu):
    """Two 3×3 convolutions that halve the picture at their end; `relu` is the one between them."""
    between = [nn.ReLU()] if relu else []
    return [conv(width, width), *between, conv(width, width), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)]


def build(relu, width):
    first = [conv(1, width), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*first, *pair(width, relu), *pair(width, relu), nn.Flatten(), nn.Linear(width * 3 * 3, 10))


def run(arm, seed, *, epochs, lr, batch_size, width):
    torch.manual_seed(seed)
    train, valid, _ = fashion_mnist(batch_size, seed=seed)
    net = build(arm["relu"], width).to(memory_format=torch.channels_last)
    history = fit(net, train, valid, epochs=epochs, lr=lr, precision="auto", progress=False)
    return {"train_loss": history.train_loss, "valid_accuracy": history.valid_accuracy,
            "seconds": sum(history.seconds)}


if __name__ == "__main__":
    raise SystemExit(experiment("relu_between", __doc__, ARMS, range(5), run, SETTINGS, "valid_accuracy"))
