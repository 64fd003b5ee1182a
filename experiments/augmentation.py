"""What do mirror images and small shifts buy, with few pictures and with many?

The same narrow VGG on 2,000 and on 20,000 pictures, plain and augmented; as many pictures pass through each net, so the
few are seen ten times as often. Accuracy is measured on 10,240 pictures of the training file that were not used for
training, as they are and moved by two pixels to the right and down.
"""
from itertools import islice

import torch
from torch.optim.lr_scheduler import OneCycleLR

from course_lib import evaluate, fashion_mnist, fit, initialise, vgg
from course_lib.data import mirror_and_shift
from course_tools.recorded import experiment

ARMS = {f"{images:,} pictures, {kind}": {"images": images, "augment": kind == "augmented"}
        for images in (2000, 20_000) for kind in ("plain", "augmented")}
SETTINGS = {"seen": 60_000, "lr": 0.03, "batch_size": 64, "hidden": 64}


def moved(batches, pixels=2):
    for X, y in batches:
        shift = torch.full((len(X), 2), pixels, device=X.device)
        black = X.min()                            # normalised pixels: the background is not zero
        X = mirror_and_shift(X[:, 0] - black, torch.zeros(len(X), dtype=torch.bool, device=X.device), shift)
        yield X[:, None] + black, y


def run(arm, seed, *, seen, lr, batch_size, hidden):
    torch.manual_seed(seed)
    train, others, _ = fashion_mnist(batch_size, valid=60_000 - arm["images"], augment=arm["augment"], seed=seed)
    others = list(islice(others, 10_240 // batch_size))
    net = vgg([(1, 8), (1, 16), (1, 32)], input_size=28, hidden=hidden, dropout=0)
    net = initialise(net, "kaiming").to(memory_format=torch.channels_last)
    history = fit(net, train, epochs=seen // arm["images"], lr=lr, precision="auto", progress=False,
                  schedule=lambda optimizer, steps: OneCycleLR(optimizer, lr, total_steps=steps))
    return {"train_accuracy": history.train_accuracy, "fresh_accuracy": evaluate(net, others)[1],
            "moved_accuracy": evaluate(net, moved(others))[1], "seconds": sum(history.seconds)}


if __name__ == "__main__":
    raise SystemExit(experiment("augmentation", __doc__, ARMS, range(3), run, SETTINGS, "fresh_accuracy"))
