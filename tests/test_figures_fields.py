"""The drawings of receptive fields put every frame, number and curve where the data says."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.patches import Rectangle

from course_tools.figures.fields import crops, growth, path_profiles, sensitivities, windows_on


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def rectangles(ax):
    return [patch for patch in ax.patches if isinstance(patch, Rectangle)]


def test_growth_draws_a_cell_a_unit_and_numbers_those_that_reach_the_top():
    ax, = growth([[0, 1, 2, 3, 2, 1, 0], [0, 1, 1, 1, 0], [0, 1, 0]], "title").axes
    assert len(rectangles(ax)) == 7 + 5 + 3
    numbers = [text.get_text() for text in ax.texts if text.get_text().isdigit()]
    assert numbers == ["1", "2", "3", "2", "1", "1", "1", "1", "1"]
    ends = sorted(line.get_xdata()[1] for line in ax.lines)
    assert ends == pytest.approx([-2.44, -1.44, 1.44, 2.44])  # windows of 5 and 3 cells, each 0.06 inside its cell


def test_windows_frame_whole_pixels_and_the_last_of_each_group_is_thick():
    picture = torch.zeros(3, 40, 40, dtype=torch.uint8)
    ax, = windows_on(picture, [("a", 18, 5), ("a", 17, 8), ("b", 10, 20)], "title").axes
    frames = [(frame.get_x(), frame.get_y(), frame.get_width()) for frame in rectangles(ax)]
    assert frames == [(17.5, 17.5, 5), (16.5, 16.5, 8), (9.5, 9.5, 20)]  # pixel i spans i - 0.5 to i + 0.5
    assert [frame.get_linewidth() > 2 for frame in rectangles(ax)] == [False, True, True]
    assert [text.get_text() for text in ax.texts] == ["20"]


def test_crops_show_what_lies_in_the_windows():
    picture = torch.arange(3 * 30 * 30).reshape(3, 30, 30).to(torch.uint8)
    axes = crops(picture, [("a", 4, 3), ("b", 2, 20)], "title").axes
    shown = axes[0].images[0].get_array()
    assert np.array_equal(shown, picture[:, 4:7, 4:7].permute(1, 2, 0).numpy())
    assert axes[1].images[0].get_array().shape == (20, 20, 3)


def test_profiles_are_relative_to_the_largest_and_centred():
    ax, = path_profiles({"two": [1, 2, 3, 2, 1]}, "title").axes
    assert ax.lines[0].get_xdata() == pytest.approx([0.1, 0.3, 0.5, 0.7, 0.9])
    assert ax.lines[0].get_ydata() == pytest.approx([1 / 3, 2 / 3, 1, 2 / 3, 1 / 3])


def test_sensitivities_frame_the_middle_pixels():
    axes = sensitivities({"a": np.ones((22, 22)), "b": 5 * np.eye(22)}, 10, "title").axes
    frame, = rectangles(axes[0])
    assert (frame.get_x(), frame.get_width()) == (5.5, 10)  # pixels 6 to 15 of 0 to 21
    assert [ax.images[0].get_array().max() for ax in axes[:2]] == [1, 1]
