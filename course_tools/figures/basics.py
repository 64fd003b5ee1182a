"""Drawings of lesson 0: the weights of a linear layer as pictures, and what choosing does to a number."""
import numpy as np

from course_lib.plots import COLOURS, subplots


def templates(weights, names, columns=5):
    """Draw a picture of weights, (H, W), for each name; zero is mid-grey on all of them."""
    weights = np.asarray(weights)
    top = abs(weights).max()
    rows = -(-len(weights) // columns)
    fig, axes = subplots(rows, columns, height=1.55 * rows)
    for ax, picture, name in zip(np.ravel(axes), weights, names):
        ax.imshow(picture, cmap="gray", vmin=-top, vmax=top)
        ax.set_title(name, fontsize=11)
        ax.axis("off")
    return fig


def chosen_and_fresh(chosen_by, elsewhere, average):
    """Draw the accuracies of chosen nets, by which they were chosen and on fresh pictures, as joined pairs of dots.

    The two are as long as there were choices; `average` is the accuracy of a net that nobody chose.
    """
    fig, ax = subplots(height=3.2)
    aside = np.linspace(-0.1, 0.1, len(chosen_by))         # equal dots lie beside each other
    for x, before, after in zip(aside, chosen_by, elsewhere):
        ax.plot([x, 1 + x], [before, after], color="#BBBBBB", linewidth=0.6, linestyle="-")
    for x, values, colour in ((0, chosen_by, COLOURS[4]), (1, elsewhere, COLOURS[0])):
        ax.plot(x + aside, values, "o", color=colour, markersize=4, alpha=0.5)
        mean = np.mean(np.asarray(values))
        ax.hlines(mean, x - 0.16, x + 0.16, color=colour, linewidth=3)
        ax.text(x + (0.19 if x else -0.19), mean, "mean", ha="left" if x else "right", va="center", color=colour)
    ax.axhline(average, color="black", linestyle=":", linewidth=1.2)
    ax.text(0.5, average, "mean of all nets", ha="center", va="bottom", fontsize=10)
    ax.set_xticks([0, 1], ["on the hundred pictures\nit was chosen by", "on the other pictures"])
    ax.set(title="The best of 500 random nets", ylabel="accuracy", xlim=(-0.35, 1.35), ylim=(0, None))
    ax.grid(axis="x", visible=False)
    return fig
