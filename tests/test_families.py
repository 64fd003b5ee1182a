"""The nets of experiments/families.py, and what data/runs/families.json says of them without any training."""

import runpy
from pathlib import Path

import pytest

from course_tools.recorded import load_runs

FAMILIES = runpy.run_path(str(Path(__file__).parents[1] / "experiments" / "families.py"))

# (kernel, stride) along the path that sees furthest, up to the last map. In an Inception module that is its 3×3, the
# kernel that this GoogLeNet has in the place of 5×5; in a residual block it is the branch.
POOL = (3, 2)
PATHS = {
    "AlexNet": [(11, 4), POOL, (5, 1), POOL, *[(3, 1)] * 3, POOL],
    "ZFNet": [(7, 2), POOL, (5, 2), POOL, *[(3, 1)] * 3, POOL],
    "VGG-A": [layer for convs in (1, 1, 2, 2, 2) for layer in [*[(3, 1)] * convs, (2, 2)]],
    "GoogLeNet": [(7, 2), POOL, (1, 1), (3, 1), POOL, *[(3, 1)] * 2, POOL, *[(3, 1)] * 5, POOL, *[(3, 1)] * 2],
    "ResNet-18": [(7, 2), POOL, *[(3, 1)] * 4, *[(3, 2), *[(3, 1)] * 3] * 3],
}


def window(path):
    """Each layer widens the window by kernel − 1 steps of the layer before it."""
    size, jump = 1, 1
    for kernel, stride in path:
        size, jump = size + (kernel - 1) * jump, jump * stride
    return size


@pytest.mark.parametrize("family", FAMILIES["ARMS"])
def test_recorded_costs_are_those_of_the_nets_and_the_window_is_that_of_their_layers(family):
    size = load_runs("families").settings["size"]
    net = FAMILIES["build"](family, size)
    cost = FAMILIES["cost"](net, size)
    assert cost["receptive_field"] == window(PATHS[family])
    assert cost["weights"] == sum(p.numel() for p in net.parameters())
    for key, value in cost.items():
        assert set(load_runs("families").of(family, key)) == {value}, key
