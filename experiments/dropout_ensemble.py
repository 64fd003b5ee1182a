"""What does dropout cost in iterations, and what is the average of its thinned nets worth?

One narrow VGG with dropout of one half in its head, and without; same pictures, order, learning rate and number of
epochs. At the end of a run its thinned nets are drawn at random: the mean accuracy of single ones, the accuracy of the
mean of their probabilities, and that of the whole net with scaled weights, which is what `eval()` gives.
"""
from itertools import islice

import torch
from torch import nn

from course_lib import evaluate, fashion_mnist, fit, initialise, vgg
from course_tools.recorded import experiment

ARMS = {"no dropout": {"dropout": 0}, "dropout 0.5": {"dropout": 0.5}}
SETTINGS = {"images": 4000, "epochs": 15, "lr": 0.01, "batch_size": 64, "hidden": 256, "thinned": 50}


@torch.inference_mode()
def thinned_accuracies(net, batches, count):
    """Mean accuracy of `count` thinned nets, and accuracy of the mean of their probabilities."""
    net.eval()
    for layer in net.modules():
        if isinstance(layer, nn.Dropout):
            layer.train()                          # dropout goes on drawing
    single = together = images = 0
    for X, y in batches:
        flat = net[:4](X)                          # blocks and Flatten hold no dropout: once is enough
        votes = torch.stack([net[4:](flat).softmax(1) for _ in range(count)])
        single += (votes.argmax(2) == y).float().mean(0).sum().item()
        together += (votes.mean(0).argmax(1) == y).sum().item()
        images += len(y)
    return single / images, together / images


def run(arm, seed, *, images, epochs, lr, batch_size, hidden, thinned):
    torch.manual_seed(seed)
    train, others, _ = fashion_mnist(batch_size, valid=60_000 - images, seed=seed)
    valid = list(islice(others, 2048 // batch_size))
    net = vgg([(1, 8), (1, 16), (1, 32)], input_size=28, hidden=hidden, dropout=arm["dropout"])
    net = initialise(net, "kaiming").to(memory_format=torch.channels_last)
    history = fit(net, train, valid, epochs=epochs, lr=lr, precision="auto", progress=False)
    single, together = thinned_accuracies(net, valid, thinned)
    return {"train_loss": history.train_loss, "valid_loss": history.valid_loss,
            "valid_accuracy": history.valid_accuracy, "one_thinned": single, "mean_of_thinned": together,
            "weight_scaling": evaluate(net, valid)[1], "seconds": sum(history.seconds)}


if __name__ == "__main__":
    raise SystemExit(experiment("dropout_ensemble", __doc__, ARMS, range(3), run, SETTINGS, "valid_accuracy"))
