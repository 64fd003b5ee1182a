"""The drawings of lesson 7 show the numbers that they are given."""
import numpy as np
import pytest

from course_tools.figures.beyond import cost_and_accuracy, occlusion, sampled_stripes
from course_tools.recorded import Runs


def test_a_stride_keeps_every_so_manieth_sample_of_the_wave():
    x = np.arange(12)
    fig = sampled_stripes(x, np.cos(x), (4, 2))
    for ax, stride in zip(fig.axes, (4, 2)):
        wave, samples = ax.lines
        assert list(wave.get_ydata()) == list(np.cos(x))
        assert list(samples.get_xdata()) == list(range(0, 12, stride))
        assert list(samples.get_ydata()) == list(np.cos(x)[::stride])


def test_a_map_lies_under_the_places_of_its_squares():
    pictures, maps = np.zeros((2, 28, 28)), [np.full((11, 11), 0.25), np.eye(11)]
    fig = occlusion(pictures, maps, ["bag", "boot"])
    below = [ax.images[0] for ax in fig.axes if ax.images and ax.images[0].get_array().shape == (11, 11)]
    assert [image.get_array()[0, 1] for image in below] == [0.25, 0]
    # squares of 8 pixels in steps of 2: centres from 4 to 24, each drawn two pixels wide
    assert below[0].get_extent() == [3, 25, 25, 3]
    assert below[0].axes.get_xlim() == (0, 28) and below[0].axes.get_ylim() == (28, 0)
    assert all(image.get_clim() == (0, 1) for image in below)
    assert [ax.get_title() for ax in fig.axes][:2] == ["bag", "boot"]


def test_every_run_lies_over_the_cost_of_its_arm():
    runs = Runs("toy", "?", {}, {"a": {}, "b": {}}, [
        {"arm": arm, "seed": seed, "accuracy": value}
        for arm, values in {"a": (0.5, 0.7), "b": (0.9, 0.8)}.items() for seed, value in enumerate(values)], {})
    ax = cost_and_accuracy(runs, "accuracy", {"a": 4.0, "b": 40.0}, "Title", "cost").axes[0]
    a, a_mean, b, b_mean = ax.lines
    assert list(a.get_xdata()) == [4, 4] and list(a.get_ydata()) == [0.5, 0.7]
    assert list(b.get_xdata()) == [40, 40] and list(b.get_ydata()) == [0.9, 0.8]
    assert [a_mean.get_ydata()[0], b_mean.get_ydata()[0]] == pytest.approx([0.6, 0.85])
    assert ax.get_xscale() == "log" and [text.get_text() for text in ax.get_xticklabels()] == ["4", "40"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]
