"""How the cost of a training step grows with image size, depth, width, batch and processes.

Each is varied alone, on nets of VGG blocks without a head to speak of, in 32-bit floats. The exponent is the slope of
a straight line through the points, both axes logarithmic: 1 is twice as long for twice as much, 2 four times.
"""

import math
import statistics

import torch
import torch.nn.functional as F

from course_lib.device import pick_device
from course_lib.recipes import slim_vgg

from .measure import in_turns, seconds
from .processes import images_per_second

#        what is varied: its values, and a step with that value as (blocks, image size, batch)
STEPS = {
    "size": ((28, 56, 112, 224), lambda n: (((1, 16), (1, 32)), n, 16)),
    "depth": ((2, 4, 8, 16), lambda n: (((n, 32),), 28, 64)),
    "width": ((16, 32, 64, 128), lambda n: (((1, n), (1, n)), 28, 64)),
    "batch": ((32, 64, 128, 256), lambda n: (((1, 16), (1, 32)), 28, n)),
}
PROCESSES = (1, 2, 4)


def growth(quick):
    """Measure a training step for every value, in turns; fit the exponents."""
    figures = {}
    for what, (values, setting) in STEPS.items():
        steps = {str(n): step(*setting(n)) for n in (values[:2] if quick else values)}
        medians = in_turns(what, 1 if quick else 7, steps)
        figures |= _told(what, [int(n) for n in steps], list(medians.values()))
    images = 1024 if quick else 10_240
    rates = in_turns("processes", 1 if quick else 3, {
        str(n): lambda n=n: images_per_second(images, n, threads=1) for n in (PROCESSES[:2] if quick else PROCESSES)})
    return figures | _told("processes", [*PROCESSES[:len(rates)]], [images / rate for rate in rates.values()])


def _told(what, values, times):
    return {f"growth.{what}.values": values, f"growth.{what}.seconds": times,
            f"growth.{what}.exponent": exponent(values, times)}


def exponent(values, times):
    """Return the slope of log seconds over log values, by least squares.

    >>> round(exponent([1, 2, 4], [3, 12, 48]), 3)
    2.0
    """
    return statistics.linear_regression([math.log(n) for n in values], [math.log(t) for t in times]).slope


def step(blocks, size, batch):
    """Return a function that trains a few steps of such a net and returns the seconds of one."""
    device = pick_device()
    torch.manual_seed(0)
    net = slim_vgg(blocks).to(device, memory_format=torch.channels_last).train()
    X, y = torch.randn(batch, 1, size, size, device=device), torch.arange(batch, device=device) % 10
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)

    def train_once():
        optimizer.zero_grad()
        F.cross_entropy(net(X), y).backward()
        optimizer.step()

    train_once()  # the first prepares
    return lambda: seconds(lambda: [train_once() for _ in range(3)]) / 3
