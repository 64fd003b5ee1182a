"""Drawings of lesson 7: stripes seen too rarely, what covering a picture does to a score, accuracy against cost."""
import numpy as np

from course_lib.plots import COLOURS, subplots

from .training import MARKERS


def sampled_stripes(x, stripes, strides):
    """Draw a wave over its pixels, once for each stride, with the samples that the stride leaves, joined by a line."""
    fig, axes = subplots(len(strides), 1, height=1.7 * len(strides))
    for ax, stride in zip(np.ravel(axes), strides):
        ax.plot(x, stripes, color="#BBBBBB", linestyle="-", linewidth=1.2)
        ax.plot(x[::stride], stripes[::stride], "o-", color=COLOURS[0], markersize=5)
        ax.set(title=f"every {stride}{'nd' if stride == 2 else 'th'} pixel", ylabel="brightness")
    ax.set_xlabel("pixel")
    return fig


def occlusion(pictures, maps, names):
    """Draw pictures, (N, H, W), above maps of a probability by the centre of the square that covered the picture.

    The squares moved over the whole picture in equal steps, so a map covers its middle, and is drawn there.
    """
    fig, axes = subplots(2, len(pictures), height=4.6)
    for (above, below), picture, values, name in zip(np.asarray(axes).T, pictures, maps, names):
        above.imshow(np.asarray(picture), cmap="gray")
        above.set_title(name, fontsize=11)
        high, wide = np.shape(picture)
        edge = (wide - 2 * np.shape(values)[0]) / 2        # steps of two pixels
        shades = below.imshow(np.asarray(values), vmin=0, vmax=1, extent=(edge, wide - edge, high - edge, edge))
        below.set(xlim=(0, wide), ylim=(high, 0))
        for ax in (above, below):
            ax.axis("off")
    bar = fig.colorbar(shades, ax=axes[1], location="bottom", aspect=40, pad=0.04)
    bar.set_label("probability of the class, by the centre of the square")
    return fig


def cost_and_accuracy(runs, key, costs, title, xlabel):
    """Draw every run of a recorded experiment over the cost of its arm, with a bar at each arm's mean.

    `costs` maps an arm to its cost, drawn on a logarithmic axis.
    """
    fig, ax = subplots(height=3.8)
    for number, arm in enumerate(runs.arms):
        values = runs.final(arm, key)
        ax.plot([costs[arm]] * len(values), values, MARKERS[number], color=COLOURS[number], alpha=0.8, markersize=7,
                linestyle="none", label=arm)
        ax.plot(costs[arm], runs.mean(arm, key), "_", color=COLOURS[number], markersize=22, markeredgewidth=2.5)
    ax.set(xscale="log", title=title, xlabel=xlabel, ylabel="validation accuracy")
    ax.set_xticks([costs[arm] for arm in runs.arms], [f"{costs[arm]:.0f}" for arm in runs.arms])
    ax.minorticks_off()
    ax.legend(fontsize=10)
    return fig
