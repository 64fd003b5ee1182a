"""How deep can a plain VGG be before it stops learning?

Nets of three blocks that differ in one number, the convolutions in a block, with PyTorch's own initial weights; each
once plain and once with batch norm. Same widths, pictures, order and number of epochs.
"""
import torch

from course_lib import fashion_mnist, fit, vgg
from course_tools.recorded import experiment

ARMS = {f"{3 * n + 3} layers, {kind}": {"num_convs": n, "batch_norm": kind == "batch norm"}
        for kind in ("plain", "batch norm") for n in (1, 2, 3, 4)}
SETTINGS = {"epochs": 2, "lr": 0.05, "batch_size": 256, "hidden": 64}


def run(arm, seed, *, epochs, lr, batch_size, hidden):
    torch.manual_seed(seed)
    train, valid, _ = fashion_mnist(batch_size, seed=seed)
    conv_arch = [(arm["num_convs"], width) for width in (8, 16, 32)]
    net = vgg(conv_arch, input_size=28, hidden=hidden, batch_norm=arm["batch_norm"])
    net = net.to(memory_format=torch.channels_last)
    history = fit(net, train, valid, epochs=epochs, lr=lr, precision="auto", progress=False)
    return {"train_loss": history.train_loss, "valid_accuracy": history.valid_accuracy,
            "seconds": sum(history.seconds)}


if __name__ == "__main__":
    raise SystemExit(experiment("depth", __doc__, ARMS, range(3), run, SETTINGS, "valid_accuracy"))
