"""Which changes take Fashion-MNIST from three hours to seconds?

The book's recipe (VGG-A with a quarter of the channels, pictures blown up to 224 pixels, batches of 128, ten epochs),
and then one change at a time. Each arm is timed beside the arm before it, in turns, a few batches each in a process of
its own: `factor` is how many times faster it is, `projected_seconds` what its epochs take. Arms of minutes are also
trained to their end, and scored on images kept from the training file; those of hours are not, nor is the one that
changes no number. Run it alone: other work on the machine changes its figures.
"""
import time

import torch
import torch.nn.functional as F
from torch.optim.lr_scheduler import OneCycleLR

from course_lib import VGG_CONFIGS, fashion_mnist, fit, initialise, vgg
from course_lib.recipes import RECIPES, Mirrored, keep_memory, pool_first, slim_vgg
from course_tools.bench.measure import in_new_process, in_turns
from course_tools.recorded import experiment

QUARTER = tuple((count, width // 4) for count, width in VGG_CONFIGS["A"])
NARROW = tuple(row[:2] for row in RECIPES["92"].arch)
BOOK = {"blocks": QUARTER, "size": 224, "head": 4096, "precision": "fp32", "channels_last": False, "batch_norm": False,
        "batch_size": 128, "epochs": 10, "lr": 0.05, "nesterov": False, "label_smoothing": 0.0, "mirror": False,
        "initialise": "xavier", "pool_first": False, "keep_memory": False, "trained": False}
CHANGES = {  # what is changed, in this order
    "the book's recipe": {},
    "pictures of 32 pixels": {"size": 32},
    "one linear layer as head": {"head": None},
    "16 bits, channels last": {"precision": "auto", "channels_last": True, "trained": True},
    "batch norm, five epochs": {"batch_norm": True, "epochs": 5, "batch_size": 256, "lr": 0.2, "nesterov": True,
                                "label_smoothing": 0.05, "mirror": True, "initialise": None},
    "four narrow blocks, 28 pixels": {"blocks": NARROW, "size": 28},
    "pooling before ReLU": {"pool_first": True},
    "memory kept": {"keep_memory": True, "trained": False},
    "no batch norm in the first block": {"blocks": ((*NARROW[0], {"batch_norm": False}), *NARROW[1:]), "trained": True},
    "an epoch less": {"epochs": RECIPES["92"].epochs},
}
ARMS, _arm = {}, BOOK
for _name, _change in CHANGES.items():
    ARMS[_name] = _arm = {**_arm, **_change}
SETTINGS = {"validation_images": 10_000}


def build(arm):
    if arm["head"]:
        net = vgg(arm["blocks"], input_size=arm["size"], hidden=arm["head"])
    else:
        net = slim_vgg(arm["blocks"], batch_norm=arm["batch_norm"])
    if arm["pool_first"]:
        net = torch.nn.Sequential(*(pool_first(child) if isinstance(child, torch.nn.Sequential) else child
                                    for child in net))
    net = initialise(net, arm["initialise"]) if arm["initialise"] else net      # else PyTorch's own
    net = Mirrored(net) if arm["mirror"] else net
    return net.to(memory_format=torch.channels_last) if arm["channels_last"] else net


def train(arm, net, batches, valid, epochs):
    optimizer = torch.optim.SGD(net.parameters(), arm["lr"], momentum=0.9, weight_decay=5e-4, nesterov=arm["nesterov"])
    return fit(net, batches, valid, epochs=epochs, optimizer=optimizer, precision=arm["precision"], progress=False,
               loss=lambda scores, y: F.cross_entropy(scores, y, label_smoothing=arm["label_smoothing"]),
               schedule=lambda optimizer, steps: OneCycleLR(optimizer, arm["lr"], total_steps=steps, pct_start=0.25,
                                                            cycle_momentum=False))


def seconds(name):
    """What all epochs of an arm take, from a few batches, of which the first count for nothing."""
    arm = ARMS[name]
    if arm["keep_memory"]:
        keep_memory()
    train_images, _, _ = fashion_mnist(arm["batch_size"], size=arm["size"], valid=0)
    net, marks = build(arm), []
    count = 4 if arm["size"] == 224 else 45

    class Clocked(list):
        def __iter__(self):
            for _, batch in zip(range(count), train_images):
                marks.append(time.perf_counter())
                yield batch

    train(arm, net, Clocked(range(100)), None, 1)  # the schedule of a longer run
    warm = min(5, count // 4)
    return (marks[-1] - marks[warm]) / (count - 1 - warm) * len(train_images) * arm["epochs"]


def run(arm, seed, *, validation_images):
    names = list(ARMS)
    name = next(name for name in names if ARMS[name] == arm)
    pair = names[max(0, names.index(name) - 1):names.index(name) + 1]
    pair = pair[::-1] if seed % 2 else pair
    timed = in_turns("timed", 1, {
        other: lambda other=other: in_new_process(f"from experiments.three_hours import seconds; print(seconds({other!r}))")
        for other in pair})
    before, now = timed[f"timed.{names[max(0, names.index(name) - 1)]}"], timed[f"timed.{name}"]
    result = {"factor": before / now, "projected_seconds": now}
    if arm["trained"]:
        torch.manual_seed(seed)
        train_images, valid, _ = fashion_mnist(arm["batch_size"], size=arm["size"], valid=validation_images, seed=seed)
        result["valid_accuracy"] = train(arm, build(arm), train_images, valid, arm["epochs"]).valid_accuracy
    return result


if __name__ == "__main__":
    raise SystemExit(experiment("three_hours", __doc__, ARMS, range(3), run, SETTINGS, "factor"))
