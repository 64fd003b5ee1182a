"""What is each part of the VGG paper's recipe worth to a small net?

One narrow VGG of six layers with Kaiming's first weights, trained by the recipe of section 3.1 (momentum, weight
decay, dropout, a learning rate divided by 10 when validation stops improving), and again with one part switched off.
Same pictures, order, batch size and number of epochs. The learning rate follows some validation pictures, so accuracy
is measured on others, also out of the training file. Momentum 0.9 makes steps about ten times as long, so "no
momentum" comes twice: at the recipe's learning rate, and at ten times that.
"""
from itertools import islice

import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

from course_lib import evaluate, fashion_mnist, fit, initialise, vgg
from course_tools.recorded import experiment

RECIPE = {"lr": 0.01, "momentum": 0.9, "weight_decay": 5e-4, "dropout": 0.5, "plateau": True}
OFF = {"momentum": 0, "weight_decay": 0, "dropout": 0, "plateau": False}
ARMS = {
    "the recipe": RECIPE,
    "no momentum": RECIPE | {"momentum": 0},
    "no momentum, rate × 10": RECIPE | {"momentum": 0, "lr": 0.1},
    "no weight decay": RECIPE | {"weight_decay": 0},
    "no dropout": RECIPE | {"dropout": 0},
    "no plateau": RECIPE | {"plateau": False},
    "none of the four": RECIPE | OFF,
}
SETTINGS = {"images": 3000, "epochs": 24, "batch_size": 64, "hidden": 256, "patience": 2}


def run(arm, seed, *, images, epochs, batch_size, hidden, patience):
    torch.manual_seed(seed)
    train, others, _ = fashion_mnist(batch_size, valid=60_000 - images, seed=seed)
    others = iter(others)
    valid, fresh = list(islice(others, 1024 // batch_size)), list(islice(others, 10_240 // batch_size))
    net = vgg([(1, 8), (1, 16), (1, 32)], input_size=28, hidden=hidden, dropout=arm["dropout"])
    net = initialise(net, "kaiming").to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(net.parameters(), arm["lr"], arm["momentum"], weight_decay=arm["weight_decay"])
    def plateau(optimizer, steps):
        return ReduceLROnPlateau(optimizer, factor=0.1, patience=patience)

    rates = []
    history = fit(net, train, valid, epochs=epochs, optimizer=optimizer, schedule=plateau if arm["plateau"] else None,
                  callback=lambda *_: rates.append(optimizer.param_groups[0]["lr"]), precision="auto", progress=False)
    return {"train_loss": history.train_loss, "train_accuracy": history.train_accuracy,
            "valid_loss": history.valid_loss, "valid_accuracy": history.valid_accuracy,
            "rate_after": rates, "fresh_accuracy": evaluate(net, fresh)[1], "seconds": sum(history.seconds)}


if __name__ == "__main__":
    raise SystemExit(experiment("recipe_parts", __doc__, ARMS, range(3), run, SETTINGS, "fresh_accuracy"))
