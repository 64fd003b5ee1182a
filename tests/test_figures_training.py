"""The drawings of the training lesson show the numbers that they are given."""
import math

import pytest

from course_tools.figures.training import arms_down, by_rate, loss_by_rate, through_depth
from course_tools.recorded import Runs


@pytest.fixture
def runs():
    arms = {"lr 0.1, plain": {"lr": 0.1}, "lr 1, plain": {"lr": 1.0}, "lr 0.1, norm": {"lr": 0.1}}
    accuracy = {"lr 0.1, plain": (0.6, 0.8), "lr 1, plain": (0.1, 0.1), "lr 0.1, norm": (0.9, 0.7)}
    made = [{"arm": arm, "seed": seed, "accuracy": [0.0, value]}
            for arm, values in accuracy.items() for seed, value in enumerate(values)]
    return Runs("toy", "?", {}, arms, made, {})


def test_every_net_is_a_line_in_both_panels():
    fig = through_depth({"one": ([1, 0.1, 0.01], [3, 2, 1]), "two": ([1, 1, 1], [2, 2, 2])}, "Through the depth")
    top, bottom = fig.axes
    assert [list(line.get_ydata()) for line in top.lines] == [[1, 0.1, 0.01], [1, 1, 1]]
    assert [list(line.get_ydata()) for line in bottom.lines] == [[3, 2, 1], [2, 2, 2]]
    assert list(top.lines[0].get_xdata()) == [1, 2, 3]
    assert top.get_yscale() == bottom.get_yscale() == "log"
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["one", "two"]


def test_every_run_is_a_dot_and_every_mean_a_bar(runs):
    ax = arms_down(runs, "accuracy", "Title", "accuracy", mark=(0.1, "chance")).axes[0]
    dots = [sorted(line.get_xdata()) for line in ax.lines[:3]]
    assert dots == [[0.6, 0.8], [0.1, 0.1], [0.7, 0.9]]
    bars = [collection.get_segments()[0][0][0] for collection in ax.collections]
    assert bars == pytest.approx([0.7, 0.1, 0.8])
    assert [label.get_text() for label in ax.get_yticklabels()] == list(runs.arms)
    assert ax.yaxis_inverted()                    # the first arm on top


def test_results_stand_over_their_rates(runs):
    kinds = {"plain": ["lr 0.1, plain", "lr 1, plain"], "norm": ["lr 0.1, norm"]}
    ax = by_rate(runs, "accuracy", kinds, "Title", "accuracy").axes[0]
    plain = ax.lines[0]
    assert list(plain.get_xdata()) == [0.1, 1.0] and list(plain.get_ydata()) == pytest.approx([0.7, 0.1])
    assert list(ax.lines[1].get_xdata()) == [0.1, 0.1] and list(ax.lines[1].get_ydata()) == [0.6, 0.8]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["plain", "norm"]


def test_a_loss_that_is_no_number_leaves_the_picture_upwards():
    ax = loss_by_rate({"plain": ([0.1, 1.0, 10.0], [2.0, 3.0, math.nan])}, "Title", start=2.3).axes[0]
    losses = list(ax.lines[0].get_ydata())
    assert losses[:2] == [2.0, 3.0] and losses[2] > ax.get_ylim()[1] == pytest.approx(4.6)
