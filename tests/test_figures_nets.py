"""The drawings of nets and of recorded runs show the numbers they are given."""

import matplotlib
import pytest
import torch

from course_lib import trace, vgg
from course_lib.photographs import photograph
from course_tools.figures.nets import shapes, shelf, where_the_cost_sits
from course_tools.figures.runs import runs_by_arm
from course_tools.recorded import Runs

matplotlib.use("Agg")


@pytest.fixture(scope="module")
def traced():
    with torch.device("meta"):
        return trace(vgg("D", in_channels=3, num_classes=1000), (1, 3, 224, 224))


def texts(fig):
    return [text.get_text() for ax in fig.axes for text in ax.texts]


def test_shapes_names_the_input_each_size_once_and_the_vectors(traced):
    assert texts(shapes(traced, "D")) == ["3\n224×224", "64\n224×224", "128\n112×112", "256\n56×56", "512\n28×28",
                                          "512\n14×14", "512\n7×7", "4096", "4096", "1000"]


def test_the_bars_of_the_cost_add_up_to_the_whole(traced):
    parameters, work = where_the_cost_sits(traced, "D").axes
    for ax, total in ((parameters, traced.params), (work, traced.macs)):
        assert sum(bar.get_width() for bar in ax.patches) == total
        assert len(ax.patches) == 8            # five blocks, three linear layers
    assert " 103 M" in texts(parameters.figure)


def test_every_run_is_a_dot_and_every_mean_a_bar():
    runs = Runs("toy", "?", {}, {"a": {}, "b": {}},
                [{"arm": arm, "seed": s, "x": v + s / 10} for arm, v in (("a", 0.1), ("b", 0.5)) for s in (0, 1, 2)], {})
    ax, = runs_by_arm(runs, "x", "title", "x").axes
    assert [list(line.get_ydata()) for line in ax.lines] == [pytest.approx([0.1, 0.2, 0.3]), pytest.approx([0.5, 0.6, 0.7])]
    assert [bar.get_segments()[0][0][1] for bar in ax.collections] == pytest.approx([0.2, 0.6])


def test_groups_share_the_axis_and_lose_their_label_there():
    runs = Runs("toy", "?", {}, {f"{n}, {kind}": {} for kind in "pq" for n in (1, 2)},
                [{"arm": f"{n}, {kind}", "seed": s, "x": n} for kind in "pq" for n in (1, 2) for s in range(3)], {})
    ax, = runs_by_arm(runs, "x", "title", "x", groups={"p": ["1, p", "2, p"], "q": ["1, q", "2, q"]}).axes
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "2"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["p", "q"]


def test_a_shelf_names_the_upper_row_above_it_and_the_lower_row_below():
    ax, = shelf(torch.zeros(64, 160), [f"n{i}" for i in range(10)], columns=5).axes
    places = {text.get_text(): text.get_position() for text in ax.texts}
    assert places["n0"] == (16, -1) and places["n7"] == (80, 65)


def test_photographs_are_rgb_bytes_and_other_names_are_refused():
    cat, rocket = photograph("chelsea.png"), photograph("rocket.jpg")
    assert cat.shape == (3, 300, 451) and rocket.shape == (3, 427, 640) and cat.dtype == torch.uint8
    with pytest.raises(ValueError, match="allowed are chelsea.png, rocket.jpg"):
        photograph("dog.png")
