"""Is one 5×5 convolution as good as two 3×3 that see the same pixels?

One block with a single 3×3 convolution, the same in every arm, then two blocks of either two 3×3 convolutions, or one
5×5 of the same width (the same field, 25 C² weights against 18 C²), or one 5×5 narrowed until it holds as many
convolution weights as the two 3×3. Same pictures, same order, same number of epochs.
"""
import torch

from course_lib import fashion_mnist, fit, vgg
from course_tools.recorded import experiment

ONE_5x5 = {"last_kernel": 5}
ARMS = {
    "two 3×3": ((1, 16), (2, 16), (2, 16)),
    "one 5×5, same width": ((1, 16), (1, 16, ONE_5x5), (1, 16, ONE_5x5)),
    "one 5×5, same weights": ((1, 16), (1, 13, ONE_5x5), (1, 13, ONE_5x5)),
}
SETTINGS = {"epochs": 2, "lr": 0.05, "batch_size": 256, "hidden": 64}


def run(conv_arch, seed, *, epochs, lr, batch_size, hidden):
    torch.manual_seed(seed)
    train, valid, _ = fashion_mnist(batch_size, seed=seed)
    net = vgg(conv_arch, input_size=28, hidden=hidden, batch_norm=True)
    net = net.to(memory_format=torch.channels_last)
    history = fit(net, train, valid, epochs=epochs, lr=lr, precision="auto", progress=False)
    return {"valid_accuracy": history.valid_accuracy, "seconds": sum(history.seconds)}


if __name__ == "__main__":
    raise SystemExit(experiment("five_by_five", __doc__, ARMS, range(5), run, SETTINGS, "valid_accuracy"))
