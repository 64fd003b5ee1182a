"""Which beginnings let a deep, narrow VGG out of ten per cent?

Fifteen layers (three blocks of four convolutions, no dropout); the same pictures, order, learning rate and number of
epochs. Only the first weights differ, but for two arms: "batch norm" has a normalisation after each convolution, and
"from net A" has first trained a net of seven layers for as many epochs, at a learning rate that suits that net.
"""
from itertools import islice

import torch

from course_lib import evaluate, fashion_mnist, fit, initialise, preinitialise, vgg
from course_lib.train import DivergedError
from course_tools.recorded import experiment

ARMS = {
    "default": {"scheme": "default"},
    "normal 0.01": {"scheme": "normal", "std": 0.01},
    "normal 0.1": {"scheme": "normal", "std": 0.1},
    "Glorot": {"scheme": "xavier"},
    "Kaiming": {"scheme": "kaiming"},
    "batch norm": {"scheme": "default", "batch_norm": True},
    "from net A": {"scheme": "default", "a_lr": 0.05},
}
SETTINGS = {"images": 20_000, "epochs": 2, "lr": 0.01, "batch_size": 128, "hidden": 64}
DEEP, NET_A = [(4, 16), (4, 32), (4, 64)], [(1, 16), (1, 32), (2, 64)]


def run(arm, seed, *, images, epochs, lr, batch_size, hidden):
    torch.manual_seed(seed)
    train, others, _ = fashion_mnist(batch_size, valid=60_000 - images, seed=seed)
    valid = list(islice(others, 5000 // batch_size))

    def build(conv_arch, **options):
        net = vgg(conv_arch, input_size=28, hidden=hidden, dropout=0, **options)
        return net.to(memory_format=torch.channels_last)

    def train_net(net, lr=lr):
        return fit(net, train, valid, epochs=epochs, lr=lr, precision="auto", progress=False)

    net = initialise(build(DEEP, batch_norm=arm.get("batch_norm", False)), arm["scheme"], std=arm.get("std"))
    measured = {}
    if "a_lr" in arm:
        shallow = build(NET_A)
        measured["a_accuracy"] = train_net(shallow, arm["a_lr"]).valid_accuracy[-1]
        preinitialise(net, shallow)
    try:
        history = train_net(net)
    except DivergedError as error:                # what the net still says is measured; a loss there is none
        history = error.history
        missing = epochs - len(history)
        history.train_loss += [None] * missing
        history.valid_accuracy += [evaluate(net, valid)[1]] * missing
    return {"train_loss": history.train_loss, "valid_accuracy": history.valid_accuracy,
            "seconds": sum(history.seconds), **measured}


if __name__ == "__main__":
    raise SystemExit(experiment("initialisation", __doc__, ARMS, range(3), run, SETTINGS, "valid_accuracy"))
