"""How large a learning rate does a small VGG bear, without batch norm and with it?

The same net of six layers, no dropout, at seven learning rates, half a power of ten apart; same first weights in each seed, same
10,000 pictures, order and number of epochs. A run whose loss is no number any more ends there: its losses are null
from then on, and its accuracies what the broken net still gets right.
"""
from itertools import islice

import torch

from course_lib import evaluate, fashion_mnist, fit, initialise, vgg
from course_lib.train import DivergedError
from course_tools.recorded import experiment

RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
ARMS = {f"lr {lr:g}, {kind}": {"lr": lr, "batch_norm": kind == "batch norm"}
        for kind in ("plain", "batch norm") for lr in RATES}
SETTINGS = {"images": 10_000, "epochs": 4, "batch_size": 128, "hidden": 64}


def run(arm, seed, *, images, epochs, batch_size, hidden):
    torch.manual_seed(seed)
    train, others, _ = fashion_mnist(batch_size, valid=60_000 - images, seed=seed)
    valid = list(islice(others, 5000 // batch_size))
    net = vgg([(1, 16), (1, 32), (1, 64)], input_size=28, hidden=hidden, dropout=0, batch_norm=arm["batch_norm"])
    net = initialise(net, "kaiming").to(memory_format=torch.channels_last)
    try:
        history = fit(net, train, valid, epochs=epochs, lr=arm["lr"], precision="auto", progress=False)
    except DivergedError as error:
        history = error.history
        missing = epochs - len(history)
        history.train_loss += [None] * missing
        history.valid_accuracy += [evaluate(net, valid)[1]] * missing
    return {"train_loss": history.train_loss, "valid_accuracy": history.valid_accuracy,
            "seconds": sum(history.seconds)}


if __name__ == "__main__":
    raise SystemExit(experiment("learning_rate", __doc__, ARMS, range(3), run, SETTINGS, "valid_accuracy"))
