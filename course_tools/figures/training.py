"""Drawings of training: signal and gradient through the depth, arms of a recorded experiment, learning rates."""
import math

from matplotlib.ticker import LogLocator, NullFormatter

from course_lib.plots import COLOURS, LINES, subplots

MARKERS = "osD^vPX"


def through_depth(measured, title):
    """Draw how signal and gradient change from layer to layer, on logarithmic axes, one line a net.

    `measured` maps a net's name to a pair of equally long lists, one value a layer: signal and gradient.
    """
    several = len(measured) > 1
    fig, axes = subplots(2, 1, height=6.4 if several else 4.8)
    for number, (name, both) in enumerate(measured.items()):
        for ax, values in zip(axes, both, strict=True):
            ax.plot(range(1, len(values) + 1), values, color=COLOURS[number], linestyle=LINES[number],
                    marker=MARKERS[number], markersize=5, label=name)
    for ax, what in zip(axes, ("Signal: what differs between pictures", "Gradient at the layer's output")):
        ax.set(yscale="log", title=what, ylabel="size")
        ax.yaxis.set_major_locator(LogLocator(base=10, numticks=6))
        ax.yaxis.set_minor_formatter(NullFormatter())
        ax.set_ylim(bottom=max(ax.get_ylim()[0], 1e-8))     # what falls further leaves the picture, the others stay apart
    axes[1].set_xlabel("layer, from the picture to the scores")
    fig.suptitle(title, fontsize=12)
    if several:
        fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=10,
                   frameon=False)
    return fig


def arms_down(runs, key, title, xlabel, mark=None):
    """Draw every run of a recorded experiment as a dot and each arm's mean as a bar, arms from top to bottom.

    `mark` is a pair (value, name) to be drawn as a thin upright line.
    """
    fig, ax = subplots(height=0.45 * len(runs.arms) + 1.2)
    for row, arm in enumerate(runs.arms):
        values = runs.final(arm, key)
        spread = [row + 0.16 * (i - (len(values) - 1) / 2) for i in range(len(values))]
        ax.plot(values, spread, "o", color=COLOURS[0], alpha=0.75, markersize=6, linestyle="none")
        ax.vlines(runs.mean(arm, key), row - 0.32, row + 0.32, color=COLOURS[4], linewidth=2.5)
    if mark:
        value, name = mark
        ax.axvline(value, color=COLOURS[2], linewidth=1, linestyle=":")
        ax.text(value, -0.75, f" {name}", fontsize=10, va="center")
    ax.set_yticks(range(len(runs.arms)), list(runs.arms))
    ax.set(title=title, xlabel=xlabel, ylim=(len(runs.arms) - 0.4, -1.1 if mark else -0.6))
    ax.grid(axis="y", visible=False)
    return fig


def by_rate(runs, key, kinds, title, ylabel):
    """Draw a result over the learning rate: every run as a dot, a line through the means, one colour a kind of net.

    `kinds` maps the name of a kind to its arms; an arm's settings hold its rate under "lr".
    """
    fig, ax = subplots(height=3.6)
    for (kind, arms), colour, line, marker in zip(kinds.items(), (COLOURS[0], COLOURS[4]), LINES, MARKERS):
        rates = [runs.arms[arm]["lr"] for arm in arms]
        ax.plot(rates, [runs.mean(arm, key) for arm in arms], color=colour, linestyle=line, label=kind)
        for rate, arm in zip(rates, arms):
            values = runs.final(arm, key)
            ax.plot([rate] * len(values), values, marker, color=colour, alpha=0.7, markersize=5, linestyle="none")
    ax.set(xscale="log", title=title, xlabel="learning rate", ylabel=ylabel)
    used = sorted({runs.arms[arm]["lr"] for arms in kinds.values() for arm in arms})
    ax.set_xticks(used, [f"{rate:g}" for rate in used])
    ax.minorticks_off()
    ax.legend(fontsize=10, frameon=False)
    return fig


def loss_by_rate(curves, title, start=None):
    """Draw the loss of each step of a range test over the rate of that step; `curves` maps a name to (rates, losses).

    `start` is the loss of a net that knows nothing; the axis ends at twice that.
    """
    fig, ax = subplots(height=3.4)
    for (name, (rates, losses)), colour, line in zip(curves.items(), (COLOURS[0], COLOURS[4]), LINES):
        ax.plot(rates, [min(loss, 1e6) if math.isfinite(loss) else 1e6 for loss in losses], color=colour,
                linestyle=line, label=name)
    if start:
        ax.axhline(start, color=COLOURS[2], linewidth=1, linestyle=":")
        ax.set_ylim(0, 2 * start)
    ax.set(xscale="log", title=title, xlabel="learning rate of the step", ylabel="loss of the step")
    ax.legend(fontsize=10, frameon=False)
    return fig
