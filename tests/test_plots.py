"""Figures: one look, alternative texts, data drawn as it is."""

import base64
import re

import IPython.display
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from course_lib import plots
from course_lib.history import History


@pytest.fixture(autouse=True)
def no_figure_left():
    plt.close("all")
    yield
    plt.close("all")


@pytest.fixture
def figures(monkeypatch):
    """The figures that were shown, kept instead."""
    shown = []
    monkeypatch.setattr(plots, "show", lambda fig, alt: shown.append((fig, alt)))
    return shown


# The look

def test_the_look_holds_inside_its_context_only():
    before = dict(matplotlib.rcParams)
    with plots.style():
        assert matplotlib.rcParams["figure.facecolor"] == "white"
        sizes = [matplotlib.rcParams[name] for name in ("font.size", "axes.titlesize", "axes.labelsize",
                                                        "xtick.labelsize", "ytick.labelsize", "legend.fontsize")]
        assert min(sizes) >= 10
        assert matplotlib.rcParams["figure.figsize"][0] <= 6.4
    plots.subplots()
    assert dict(matplotlib.rcParams) == before


def luminance(colour):
    """Relative luminance after WCAG 2: what grey print and most colour blindness leave of a colour."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in matplotlib.colors.to_rgb(colour)]
    return np.dot([0.2126, 0.7152, 0.0722], linear)


def test_curves_are_told_apart_without_colour():
    _, ax = plots.subplots()
    lines = [ax.plot([0, 1])[0] for _ in range(len(plots.COLOURS))]
    assert len({line.get_color() for line in lines}) == len(lines)
    assert len({str(line._unscaled_dash_pattern) for line in lines}) == len(lines)
    for one, other in zip(lines[:3], lines[1:4]):  # neighbours differ in brightness too
        assert abs(luminance(one.get_color()) - luminance(other.get_color())) > 0.1
    assert max(map(luminance, plots.COLOURS)) < 0.5  # none is faint on white


# Showing

@pytest.mark.parametrize("alt", ["", "  ", None, "figure.png", "loss-curve.JPEG", 3])
def test_texts_that_say_nothing_are_refused(alt):
    fig, _ = plots.subplots()
    with pytest.raises(ValueError, match="alt must be a sentence"):
        plots.show(fig, alt)
    with pytest.raises(ValueError, match="alt must be a sentence"):
        plots.show_images(np.zeros((1, 2, 2)), alt=alt)


def test_a_notebook_gets_a_picture_and_the_sentence_and_the_figure_is_closed(monkeypatch):
    outputs = []
    monkeypatch.setattr(plots, "in_notebook", lambda: True)
    monkeypatch.setattr(IPython.display, "display", lambda data, **options: outputs.append((data, options)))
    with plots.style():
        fig, ax = plt.subplots()  # as a lesson makes one
    ax.plot([1, 2])
    plots.show(fig, "A line rises from 1 to 2.")
    (data, options), = outputs
    assert data.keys() == {"image/png", "text/plain"} and data["text/plain"] == "A line rises from 1 to 2."
    assert options == {"raw": True, "metadata": {"image/png": {"alt": "A line rises from 1 to 2."}}}
    png = base64.b64decode(data["image/png"])
    width = int.from_bytes(png[16:20])  # where a PNG keeps it
    assert png.startswith(b"\x89PNG") and 500 < width <= 6.4 * 110 + 25  # tight: with a rim of a tenth of an inch
    assert plt.get_fignums() == []


def test_elsewhere_matplotlib_shows_it_and_it_is_closed(monkeypatch):
    open_figures = []
    monkeypatch.setattr(plt, "show", lambda: open_figures.extend(plt.get_fignums()))
    fig, _ = plots.subplots()
    plots.show(fig, "Empty axes.")
    assert open_figures == [fig.number] and plt.get_fignums() == []


def test_a_figure_made_in_a_notebook_is_shown_only_when_told(monkeypatch):
    monkeypatch.setattr(plots, "in_notebook", lambda: True)
    plots.subplots()
    assert plt.get_fignums() == []


def test_pytest_is_not_a_notebook_and_a_kernel_is(monkeypatch):
    assert not plots.in_notebook()
    monkeypatch.setattr("IPython.get_ipython", lambda: type("Shell", (), {"kernel": 1})())
    assert plots.in_notebook()
    monkeypatch.setattr("IPython.get_ipython", lambda: type("Terminal", (), {})())
    assert not plots.in_notebook()


# Pictures

def drawn(figures):
    (fig, _), = figures
    return [ax.images[0] for ax in fig.axes if ax.images]


def test_pictures_stand_in_a_grid_with_their_titles(figures):
    plots.show_images(torch.rand(5, 1, 4, 6), list("abcde"), columns=3, alt="Five squares.")
    fig, alt = figures[0]
    assert alt == "Five squares." and len(fig.axes) == 6 and len(drawn(figures)) == 5
    assert [ax.get_title() for ax in fig.axes] == ["a", "b", "c", "d", "e", ""]
    assert fig.axes[0].get_subplotspec().get_gridspec().ncols == 3
    assert fig.get_figwidth() <= 6.4


@pytest.mark.parametrize("images, expected", [
    (torch.tensor([[[0, 128], [51, 0]]], dtype=torch.uint8), [[0, 128 / 255], [0.2, 0]]),
    (torch.tensor([[[[0.0, 0.5], [0.25, 0.0]]]]), [[0, 0.5], [0.25, 0]]),                # in [0, 1]: as it is
    (torch.tensor([[[[-1.0, 0.0], [3.0, 1.0]]]]), [[0, 0.25], [1, 0.5]]),                # from lowest to highest
    (torch.tensor([[[2.0, 4.0], [6.0, 4.0]]], dtype=torch.bfloat16), [[0, 0.5], [1, 0.5]]),
    (np.full((1, 2, 2), 7.0), [[0, 0], [0, 0]]),                                         # no spread, no division
    (torch.tensor([[[0.5, 0.5], [0.5, 1.0]]], requires_grad=True), [[0.5, 0.5], [0.5, 1]]),
])
def test_grey_pictures_are_black_at_nought_and_white_at_one(figures, images, expected):
    plots.show_images(images, alt="A square.")
    image, = drawn(figures)
    assert np.allclose(np.squeeze(np.asarray(image.get_array())), expected)
    assert image.get_clim() == (0, 1) and image.get_cmap().name == "gray"


def test_all_pictures_share_one_scale(figures):
    plots.show_images(np.array([[[-1.0]], [[1.0]], [[3.0]]]), alt="Three squares.")
    assert [image.get_array().item() for image in drawn(figures)] == [0, 0.5, 1]


def test_colours_stay_in_their_channels(figures):
    red = torch.zeros(1, 3, 2, 2)
    red[:, 0] = 1
    plots.show_images(red, alt="A red square.")
    assert drawn(figures)[0].get_array()[0, 0].tolist() == [1, 0, 0]


def test_what_is_no_set_of_pictures_is_refused():
    for shape in ((2, 2), (1, 2, 4, 4), (1, 1, 1, 2, 2), (0, 3, 3)):
        with pytest.raises(ValueError, match=re.escape(f"got {shape}")):
            plots.show_images(np.zeros(shape), alt="A square.")
    with pytest.raises(ValueError, match="titles must be one for each of the 2 images, got 1"):
        plots.show_images(np.zeros((2, 3, 3)), ["a"], alt="Two squares.")


# Curves

def test_a_history_is_drawn_over_whole_epochs():
    history = History(train_loss=[3.0, 2.0, 1.5], train_accuracy=[0.1, 0.2, 0.3],
                      valid_loss=[2.5, 2.2, 2.1], valid_accuracy=[0.2, 0.3, 0.2])
    fig = history.plot()
    loss, accuracy = fig.axes
    for ax, name, expected in ((loss, "Loss", [history.train_loss, history.valid_loss]),
                               (accuracy, "Accuracy", [history.train_accuracy, history.valid_accuracy])):
        assert ax.get_title() == name and ax.get_xlabel() == "epoch"
        assert [list(line.get_ydata()) for line in ax.lines] == expected
        assert all(list(line.get_xdata()) == [1, 2, 3] for line in ax.lines)
        assert [text.get_text() for text in ax.get_legend().get_texts()] == ["training", "validation"]
        assert len({line.get_linestyle() for line in ax.lines}) == len({line.get_marker() for line in ax.lines}) == 2
        assert all(tick == int(tick) for tick in ax.get_xticks())
    assert fig.get_figwidth() <= 6.4


def test_short_histories_are_drawn_as_points():
    fig = History(train_loss=[1.0], train_accuracy=[0.5]).plot()
    assert len(fig.axes[0].lines) == 1 and fig.axes[0].lines[0].get_marker() == "o"
    assert History().plot().axes[0].get_legend() is None


def test_a_history_is_drawn_where_it_is_told():
    _, axes = plt.subplots(2, 1)
    fig = History(train_loss=[1.0], train_accuracy=[0.5]).plot(axes)
    assert fig is axes[0].figure and axes[0].lines and axes[1].lines


def test_several_runs_are_a_mean_in_a_band():
    _, ax = plots.subplots()
    ax.plot([1, 2], [0, 0])[0].remove()  # the band takes the colour of its line, whatever was drawn before
    plots.plot_mean_and_spread(ax, [1, 2], [[1, 5], [2, 6], [6, 7]], "ReLU")
    plots.plot_mean_and_spread(ax, [1, 2], torch.tensor([[0, 1]]), "tanh")
    assert list(ax.lines[0].get_ydata()) == [3, 6] and list(ax.lines[1].get_ydata()) == [0, 1]
    corners = ax.collections[0].get_paths()[0].vertices
    assert {tuple(corner) for corner in corners} == {(1, 1), (1, 6), (2, 5), (2, 7)}
    assert [line.get_label() for line in ax.lines] == ["ReLU", "tanh"]
    assert ax.lines[0].get_linestyle() != ax.lines[1].get_linestyle()
    assert tuple(ax.collections[0].get_facecolor()[0][:3]) == matplotlib.colors.to_rgb(ax.lines[0].get_color())


def test_runs_that_do_not_fit_x_are_refused():
    _, ax = plots.subplots()
    for runs in ([1, 2], [[1, 2, 3]], np.zeros((0, 2))):
        with pytest.raises(ValueError, match=r"runs must be \(runs, 2\)"):
            plots.plot_mean_and_spread(ax, [1, 2], runs, "ReLU")
