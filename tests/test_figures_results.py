"""Each drawing of lesson 6 shows the numbers it was given."""

import numpy as np
import pytest
from matplotlib import pyplot as plt

from course_lib.history import History
from course_tools.figures import results as draw
from course_tools.recorded import Runs

RUNS = Runs("toy", "?", {}, {"a": {}, "b": {}}, [
    {"arm": "a", "seed": 0, "loss": [3, 1]}, {"arm": "a", "seed": 1, "loss": [5, 2]},
    {"arm": "b", "seed": 0, "loss": [2, 2]}, {"arm": "b", "seed": 1, "loss": [2, 4]}], {})


@pytest.fixture(autouse=True)
def figures_are_closed():
    yield
    plt.close("all")


def test_curves_draws_the_mean_of_each_arm_and_marks_the_level():
    ax = draw.curves(RUNS, "loss", ["a", "b"], "Loss", "loss", level=2.5).axes[0]
    assert [list(line.get_ydata()) for line in ax.lines] == [[4, 1.5], [2, 3], [2.5, 2.5]]
    assert [line.get_label() for line in ax.lines[:2]] == ["a", "b"]


def test_loss_and_rate_marks_each_division():
    top, bottom = draw.loss_and_rate([3, 2, 2, 2, 1], [0.1, 0.1, 0.01, 0.01, 0.001]).axes
    for ax in (top, bottom):
        assert [line.get_xdata()[0] for line in ax.lines[1:]] == [2.5, 4.5]
    assert bottom.get_yscale() == "log"


def test_thinned_votes_has_a_dot_a_net_and_a_bar_at_the_mean():
    fig = draw.thinned_votes([[0.9, 0.1], [0.5, 0.5]], [0.8, 0.2], ["bag", "coat"])
    ax = fig.axes[0]
    assert [list(line.get_xdata()) for line in ax.lines] == [[0.9, 0.5], [0.1, 0.5], [0.8, 0.2]]
    np.testing.assert_allclose([segment[0][0] for segment in ax.collections[0].get_segments()], [0.7, 0.3])


def test_crowd_draws_accuracies_and_the_scaled_net():
    ax = draw.crowd([1, 10], [0.7, 0.8], 0.81).axes[0]
    assert list(ax.lines[0].get_ydata()) == [0.7, 0.8] and ax.lines[1].get_ydata()[0] == 0.81
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "10"]


def test_stopping_marks_both_epochs():
    history = History(train_loss=[2, 1, 0.5], valid_loss=[2, 1.5, 1.8])
    ax = draw.stopping(history, 2, 3).axes[0]
    assert [line.get_xdata()[0] for line in ax.lines[2:]] == [2, 3]
    assert [text.get_text().strip() for text in ax.texts] == ["lowest", "stop"]


def test_confusion_writes_every_count_but_zero():
    ax = draw.confusion([[8, 2], [0, 5]], ["bag", "coat"]).axes[0]
    written = {text.get_position(): text.get_text() for text in ax.texts}
    assert written == {(0, 0): "8", (1, 0): "2", (1, 1): "5"}
    np.testing.assert_allclose(ax.images[0].get_array() ** 2, [[0.8, 0.2], [0, 1]])


def test_down_to_seconds_has_a_bar_for_each_change_and_one_for_this_machine():
    fig = draw.down_to_seconds(["start", "end"], [10_800, 12.0], mine=15.2)
    ax = fig.axes[0]
    assert [bar.get_width() for bar in ax.patches] == [10_800, 12.0, 15.2]
    assert [text.get_text() for text in ax.texts] == ["3.0 h", "12 s", "15 s"]
    assert [label.get_text() for label in ax.get_yticklabels()][-1] == "the last one, on this machine"
    assert len(draw.down_to_seconds(["start", "end"], [10_800, 12.0]).axes[0].patches) == 2
