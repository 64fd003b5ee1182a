"""Drawings of lesson 6: runs over their epochs, a crowd of thinned nets, where to stop, and who is taken for whom."""
import numpy as np
from matplotlib.ticker import MaxNLocator

from course_lib.plots import COLOURS, plot_mean_and_spread, subplots


def curves(runs, key, arms, title, ylabel, level=None):
    """Draw arms of a recorded experiment over the epochs: the mean of the seeds in a band from lowest to highest.

    `level` is a value to be marked by a thin line across.
    """
    fig, ax = subplots(height=3.4)
    for arm in arms:
        values = runs.of(arm, key)
        plot_mean_and_spread(ax, range(1, len(values[0]) + 1), values, arm)
    if level is not None:
        ax.axhline(level, color=COLOURS[2], linewidth=1, linestyle=":")
    _over_epochs(ax, title, ylabel)
    return fig


def loss_and_rate(losses, rates):
    """Draw the validation loss of each epoch above the learning rate that the epoch was trained with."""
    fig, axes = subplots(2, 1, height=4.6)
    epochs = range(1, len(losses) + 1)
    axes[0].plot(epochs, losses, "s-", color=COLOURS[4], markersize=4)
    axes[1].step(epochs, rates, where="mid", color=COLOURS[0])
    axes[1].set_yscale("log")
    for epoch in (epoch for epoch, (before, now) in enumerate(zip(rates, rates[1:]), 2) if now < before):
        for ax in axes:
            ax.axvline(epoch - 0.5, color=COLOURS[2], linewidth=1, linestyle=":")
    _over_epochs(axes[0], "Validation loss", "loss")
    _over_epochs(axes[1], "Learning rate", "rate")
    axes[0].set_xlabel("")
    return fig


def thinned_votes(votes, scaled, names):
    """Draw what thinned nets say of one picture: `votes` `(nets, classes)`, probabilities, each a dot.

    `scaled`, `(classes,)`, is what the whole net with scaled weights says. The mean of the votes is a bar.
    """
    votes, scaled = np.asarray(votes), np.asarray(scaled)
    fig, ax = subplots(height=4.0)
    for row, values in enumerate(votes.T):
        places = row + np.linspace(-0.22, 0.22, len(values))
        ax.plot(values, places, "o", color=COLOURS[3], markersize=4, alpha=0.7, linestyle="none",
                label="" if row else "one thinned net")
    rows = np.arange(len(names))
    ax.vlines(votes.mean(0), rows - 0.4, rows + 0.4, color=COLOURS[0], linewidth=3, label="mean of the thinned nets")
    ax.plot(scaled, rows, "D", color=COLOURS[4], markersize=6, linestyle="none", label="the whole net")
    ax.set_yticks(rows, names)
    ax.set(title="One picture, many thinned nets", xlabel="probability", xlim=(-0.02, 1.02),
           ylim=(len(names) - 0.5, -0.5))
    ax.grid(axis="y", visible=False)
    fig.legend(loc="outside lower center", ncols=3, fontsize=10, frameon=False, columnspacing=1.0, handletextpad=0.4)
    return fig


def crowd(counts, accuracies, scaled):
    """Draw the accuracy of the mean of `counts` thinned nets, and that of the net with scaled weights as a line."""
    fig, ax = subplots(height=3.2)
    ax.plot(counts, accuracies, "o-", color=COLOURS[0], label="mean of so many thinned nets")
    ax.axhline(scaled, color=COLOURS[4], linestyle="--", label="the whole net")
    ax.set(xscale="log", title="A crowd of thinned nets", xlabel="thinned nets", ylabel="validation accuracy")
    ax.set_xticks(counts, [str(count) for count in counts])
    ax.minorticks_off()
    ax.legend(loc="lower right")
    return fig


def stopping(history, best, stopped):
    """Draw training and validation loss, the epoch of the best weights and the epoch after which `patience` ended."""
    fig, ax = subplots(height=3.4)
    epochs = range(1, len(history) + 1)
    ax.plot(epochs, history.train_loss, "o-", color=COLOURS[0], markersize=4, label="training")
    ax.plot(epochs, history.valid_loss, "s--", color=COLOURS[4], markersize=4, label="validation")
    top = max(history.train_loss + history.valid_loss)
    for epoch, name in ((best, "lowest"), (stopped, "stop")):
        ax.axvline(epoch, color=COLOURS[2], linewidth=1.2, linestyle=":")
        ax.text(epoch, 1.06 * top, f" {name}", fontsize=10, va="top")
    _over_epochs(ax, "Training and validation loss", "loss")
    ax.set_ylim(0, 1.08 * top)
    ax.legend(loc="upper right")
    return fig


def confusion(matrix, names):
    """Draw a confusion matrix, `(K, K)` counts with the true class in rows; each cell shaded by its share of a row."""
    matrix = np.asarray(matrix)
    shares = matrix / matrix.sum(1, keepdims=True)
    fig, ax = subplots(height=5.4)
    ax.imshow(shares ** 0.5, cmap="viridis", vmin=0, vmax=1)     # the root makes rare confusions visible
    for row, column in np.ndindex(*matrix.shape):
        if matrix[row, column]:
            ax.text(column, row, matrix[row, column], ha="center", va="center", fontsize=10,
                    color="black" if shares[row, column] > 0.45 else "white")
    ax.set_xticks(range(len(names)), names, rotation=60, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(names)), names)
    ax.set(title="Taken for what? (counts)", xlabel="the net says", ylabel="it is")
    ax.grid(visible=False)
    return fig


def _over_epochs(ax, title, ylabel):
    ax.set(title=title, xlabel="epoch", ylabel=ylabel)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if len(ax.get_legend_handles_labels()[0]) > 1:
        ax.legend()


def down_to_seconds(names, seconds, mine=None):
    """Draw what changes, one after the other, leave of a run's `seconds`, one bar a change, on a logarithmic axis.

    `mine`, seconds, is what the last of them takes on the reader's machine: a bar of its own.
    """
    fig, ax = subplots(height=4.6)
    colours = [COLOURS[0]] * len(names)
    if mine is not None:
        names, seconds, colours = [*names, "the last one, on this machine"], [*seconds, mine], [*colours, COLOURS[1]]
    ax.barh(range(len(names)), seconds, color=colours, height=0.7)
    for row, value in enumerate(seconds):
        ax.text(value * 1.12, row, f"{value:,.0f} s" if value < 7200 else f"{value / 3600:.1f} h", va="center", fontsize=10)
    ax.set_yticks(range(len(names)), names)
    ax.set(title="One change at a time", xlabel="seconds, each step of the axis ten times as many", xscale="log",
           xlim=(1, max(seconds) * 6), ylim=(len(names) - 0.5, -0.5))
    ax.grid(axis="y", visible=False)
    return fig
