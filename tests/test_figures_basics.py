"""Each drawing of lesson 0 shows the numbers it was given."""

import numpy as np
import torch
from matplotlib import pyplot as plt

from course_tools.figures import basics as draw



def test_templates_share_one_scale_with_zero_in_its_middle():
    fig = draw.templates(torch.tensor([[[1.0, 0.0]], [[0.5, -2.0]]]), ["first", "second"], columns=2)
    assert [ax.get_title() for ax in fig.axes] == ["first", "second"]
    assert all(ax.images[0].get_clim() == (-2, 2) for ax in fig.axes)
    plt.close(fig)


def test_chosen_and_fresh_joins_each_pair_and_marks_the_means():
    fig = draw.chosen_and_fresh(torch.tensor([0.2, 0.4]), torch.tensor([0.1, 0.2]), 0.1)
    ax = fig.axes[0]
    np.testing.assert_allclose([line.get_ydata() for line in ax.lines[:2]], [[0.2, 0.1], [0.4, 0.2]], rtol=1e-6)
    means = [bar.get_segments()[0][0][1] for bar in ax.collections]
    np.testing.assert_allclose(means, [0.3, 0.15], rtol=1e-6)
    plt.close(fig)
