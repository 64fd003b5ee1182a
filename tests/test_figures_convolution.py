"""Each drawing of lesson 1 shows the numbers it was given, where they belong."""

import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb

from course_lib.plots import COLOURS
from course_tools.figures import convolution as draw



@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def texts(ax):
    return [text.get_text() for text in ax.texts]


def frames(ax, colour):
    """Corner and size of each framed rectangle in this colour, insets rounded away."""
    return [tuple(round(value) for value in (*patch.get_xy(), patch.get_width(), patch.get_height()))
            for patch in ax.patches if patch.get_edgecolor()[:3] == to_rgb(colour) and patch.get_linewidth() > 2]


def test_sliding_window_writes_out_the_sum_of_the_framed_window():
    torch.manual_seed(0)
    picture, kernel = torch.randint(0, 5, (4, 6)), torch.randint(-3, 4, (3, 3))
    output = F.conv2d(picture[None, None], kernel[None, None])[0, 0]
    for at in np.ndindex(2, 4):
        ax = draw.sliding_window(picture, kernel, output, at).axes[0]
        left, right = next(text for text in texts(ax) if re.search(r"\d =|0 =", text)).split("=")
        value = eval(left.replace("·", "*").replace("−", "-"))
        assert value == output[at].item() == int(right.replace("−", "-"))
        assert frames(ax, COLOURS[0]) == [(at[1], at[0], 3, 3)]


def test_im2col_frames_each_window_and_its_column():
    picture = torch.arange(20.0).reshape(4, 5)
    columns = F.unfold(picture[None, None], 3)[0]
    ax = draw.im2col(picture, columns, marked=(0, 4)).axes[0]
    (window, column) = frames(ax, COLOURS[4])  # number 4 of 2 rows of 3: row 1, column 1
    assert window == (1, round((9 - 4) / 2 + 1), 3, 3)
    assert column[2:] == (1, 9)
    numbers = [text for text in texts(ax) if text.isdigit()]
    assert numbers == [f"{value:g}" for value in (*picture.flatten().tolist(), *columns.flatten().tolist())]


def test_toeplitz_writes_what_is_not_zero():
    matrix = torch.tensor([[1.0, 2, 0], [0, 1, 2]])
    ax = draw.toeplitz(matrix, "two rows").axes[0]
    assert [(t.get_position(), t.get_text()) for t in ax.texts] == [
        ((0, 0), "1"), ((1, 0), "2"), ((1, 1), "1"), ((2, 1), "2")]


@pytest.mark.parametrize("k, s, p, d", [(3, 2, 1, 1), (2, 1, 0, 3), (5, 3, 2, 1)])
def test_windows_draws_the_pixels_that_gradients_name(k, s, p, d):
    x = torch.zeros(1, 1, 12, requires_grad=True)
    y = F.conv1d(x, torch.ones(1, 1, k), stride=s, padding=p, dilation=d)[0, 0]
    ax = draw.windows(12, k, s, p, d, len(y)).axes[0]
    for output in range(len(y)):
        slope, = torch.autograd.grad(y[output], x, retain_graph=True)
        touched = slope[0, 0].nonzero().flatten().tolist()
        drawn = [patch.get_x() for patch in ax.patches if patch.get_y() == output + 0.3]
        assert len(drawn) == k and [x for x in drawn if 0 <= x < 12] == touched


def test_number_maps_share_a_scale():
    first, second = draw.number_maps([torch.tensor([[4, 9]]), torch.tensor([[1, 9]])], ["a", "b"]).axes
    assert texts(first) == ["4", "9"] and first.get_title() == "a"
    assert first.patches[1].get_facecolor() == second.patches[1].get_facecolor() == (1, 1, 1, 1)
    assert first.patches[0].get_facecolor() > second.patches[0].get_facecolor()


def test_pictures_keep_their_ranges_and_colours():
    rgb, grey = torch.rand(3, 4, 6), torch.tensor([[-1.0, 0.0], [1.0, 3.0]])
    axes = draw.pictures([rgb, grey], ["colour", "grey"], ranges={0: (0, 1), 1: (-1, 1)}).axes
    np.testing.assert_allclose(axes[0].images[0].get_array(), rgb.permute(1, 2, 0))
    np.testing.assert_allclose(axes[1].images[0].get_array(), [[0, 0.5], [1, 1]])


def test_kernel_table_has_a_row_for_each_output_and_grey_for_zero():
    weight = torch.zeros(2, 3, 2, 2)
    weight[1, 2] = torch.tensor([[1.0, -1.0], [0.0, 0.5]])
    ax = draw.kernel_table(weight, ["red", "green", "blue"], ["one", "two"]).axes[0]
    shades = [patch.get_facecolor()[0] for patch in ax.patches]
    assert shades[:20] == [0.5] * 20 and shades[20:] == [1, 0, 0.5, 0.75]
    assert texts(ax).count("+") == 4 and {"red", "→ one", "→ two"} <= set(texts(ax))


def test_activations_draws_values_and_slopes():
    x = torch.linspace(-1, 1, 3)
    values, slopes = draw.activations(x, {"ReLU": (x.relu(), (x > 0).float())}).axes
    assert values.lines[0].get_ydata().tolist() == [0, 0, 1] and slopes.lines[0].get_ydata().tolist() == [0, 0, 1]


def test_accuracy_by_shift_draws_the_mean():
    ax = draw.accuracy_by_shift(range(2), {"net": torch.tensor([[0.8, 0.2], [0.6, 0.4]])}, "title").axes[0]
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [0.7, 0.3], rtol=1e-6)
    assert ax.get_ylim() == (0, 1)
