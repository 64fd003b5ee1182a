"""What is each part of AlexNet worth on Fashion-MNIST?

AlexNet at an eighth: the paper's channels and hidden units divided by eight, pictures of 31×31, so that with either
pooling the maps are 15, 7, 3 and 1 wide. Every part is trained at several learning rates, and the lesson compares the
best of each; where the best was the first or the last of the list, the list was made longer. Dropout and augmentation
are for a net that sees few pictures often: a fifth of the pictures, five times the epochs, one rate.
"""
from itertools import islice

import torch
from torch import nn

from course_lib import evaluate, fashion_mnist, fit, initialise
from course_lib.train import DivergedError
from course_tools.recorded import experiment

RATES = (0.003, 0.01, 0.03, 0.1)
PARTS = {
    "ReLU": ({}, RATES),
    "tanh": ({"activation": "Tanh"}, RATES),
    "pooling 2×2": ({"window": 2}, RATES[:3]),
    "two towers": ({"towers": 2}, RATES[:3]),
    "one tower": ({"width": 0.5}, (0.001, *RATES[:3])),
    "no momentum": ({"momentum": 0.0}, (*RATES[1:], 0.3)),
}
MANY, FEW = {"images": 10_000, "epochs": 4}, {"images": 2_000, "epochs": 20}
ARMS = {f"{part}, lr {lr:g}": {**change, **MANY, "lr": lr} for part, (change, rates) in PARTS.items() for lr in rates}
ARMS |= {f"{label}, 2,000 pictures": {"dropout": dropout, "augment": augment, **FEW, "lr": 0.01}
         for label, dropout, augment in (("neither", 0.0, False), ("dropout", 0.5, False),
                                         ("augmentation", 0.0, True), ("both", 0.5, True))}
SETTINGS = {"batch_size": 128, "size": 31}


def build(activation="ReLU", window=3, towers=1, width=1.0, dropout=0.0):
    """Five convolutions, pooling behind the first, second and fifth, three linear layers."""
    layers, channels, active = [], 1, getattr(nn, activation)
    for number, (out_channels, kernel, stride, padding, groups, pool) in enumerate((
            (12, 5, 2, 1, 1, True), (32, 5, 1, 2, towers, True), (48, 3, 1, 1, 1, False),
            (48, 3, 1, 1, towers, False), (32, 3, 1, 1, towers, True))):
        out_channels = int(out_channels * width)
        layers += [nn.Conv2d(channels, out_channels, kernel, stride, padding, groups=groups), active()]
        if pool:
            layers.append(nn.MaxPool2d(window, stride=2))
        channels = out_channels
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels, 512), active(), nn.Dropout(dropout),
                         nn.Linear(512, 512), active(), nn.Dropout(dropout), nn.Linear(512, 10))


def run(arm, seed, *, batch_size, size):
    arm = {"activation": "ReLU", "momentum": 0.9, "augment": False, **arm}
    images, epochs, lr, momentum, augment = (arm.pop(key) for key in ("images", "epochs", "lr", "momentum", "augment"))
    torch.manual_seed(seed)
    train, others, _ = fashion_mnist(batch_size, size=size, valid=60_000 - images, augment=augment, seed=seed)
    valid = list(islice(others, 20))
    net = initialise(build(**arm), "kaiming" if arm["activation"] == "ReLU" else "xavier")
    net = net.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(net.parameters(), lr=lr, momentum=momentum, weight_decay=5e-4)
    try:
        history = fit(net, train, valid, epochs=epochs, optimizer=optimizer, precision="auto", progress=False)
    except DivergedError as error:                # what the net still says is measured; a loss there is none
        history = error.history
        missing = epochs - len(history)
        history.train_loss += [None] * missing
        history.valid_accuracy += [evaluate(net, valid)[1]] * missing
        history.train_accuracy += [history.valid_accuracy[-1]] * missing
    measured = {"train_loss": history.train_loss, "train_accuracy": history.train_accuracy,
                "valid_accuracy": history.valid_accuracy, "seconds": sum(history.seconds)}
    if images == FEW["images"]:                   # the training pictures unaltered, dropout off
        known, _, _ = fashion_mnist(batch_size, size=size, valid=60_000 - images, seed=seed)
        measured["known_accuracy"] = evaluate(net, known)[1]
    return measured


if __name__ == "__main__":
    raise SystemExit(experiment("alexnet_parts", __doc__, ARMS, range(3), run, SETTINGS, "valid_accuracy"))
