"""The drawings of AlexNet show the numbers they are given."""

import matplotlib
import numpy as np
import pytest
import torch

from course_lib import alexnet, trace
from course_tools.figures.alexnet import cost_by_layer, filters, train_and_valid
from course_tools.recorded import Runs

matplotlib.use("Agg")


def test_the_bars_of_the_layers_add_up_to_the_net():
    with torch.device("meta"):
        traced = trace(alexnet("paper", in_channels=3, num_classes=1000), (1, 3, 227, 227))
    parameters, work = cost_by_layer(traced, "AlexNet").axes
    for ax, total in ((parameters, traced.params), (work, traced.macs)):
        assert sum(bar.get_width() for bar in ax.patches) == pytest.approx(total / 1e6)
    assert [label.get_text() for label in parameters.get_yticklabels()] == [
        "conv 1", "conv 2", "conv 3", "conv 4", "conv 5", "linear 1", "linear 2", "linear 3"]


def test_each_filter_has_its_place_and_its_own_scale():
    kernels = torch.zeros(3, 1, 2, 2)
    kernels[0, 0, 0, 0], kernels[1, 0, 0, 1], kernels[2, 0, 1, 0] = 5.0, -0.1, 2.0
    ax, = filters({"one": kernels[:1], "all": kernels}, "title", columns=2).axes
    sheet = np.ma.filled(ax.images[0].get_array(), np.nan)[-5:]
    assert [text.get_text() for text in ax.texts] == ["one", "all"]
    assert sheet.shape == (5, 5) and np.isnan(sheet[2]).all() and np.isnan(sheet[:, 2]).all()
    assert (sheet[0, 0], sheet[0, 4], sheet[4, 0]) == (1.0, -1.0, 1.0)
    assert np.isnan(sheet[3:, 3:]).all()                  # no fourth filter


def test_training_and_validation_stand_side_by_side():
    runs = Runs("toy", "?", {}, {"a": {}, "b": {}},
                [{"arm": arm, "seed": s, "known_accuracy": [0.1, t + s / 10], "valid_accuracy": [0.1, 0.5]}
                 for arm, t in (("a", 0.6), ("b", 0.7)) for s in (0, 1)], {})
    ax, = train_and_valid(runs, {"first": "a", "second": "b"}, "title").axes
    assert [list(line.get_ydata()) for line in ax.lines] == [
        pytest.approx([0.6, 0.7]), pytest.approx([0.7, 0.8]), [0.5, 0.5], [0.5, 0.5]]
    assert [bar.get_segments()[0][0][1] for bar in ax.collections] == pytest.approx([0.65, 0.75, 0.5, 0.5])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["first", "second"]
