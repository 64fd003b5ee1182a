"""Drawings of receptive fields: how a window grows, where it lies on a photograph, what in it counts."""
import numpy as np
from matplotlib.patches import Rectangle

from course_lib.plots import COLOURS, subplots


def growth(counts, title):
    """Draw one unit and what it sees in each map below it, pixels in the bottom row.

    `counts` is a list of rows from the pixels up, one number a unit: on how many paths it reaches the unit drawn at
    the top; zero for a unit that does not reach it. Rows are centred above each other, as without padding.
    """
    fig, ax = subplots(height=0.72 * len(counts) + 0.9)
    for level, row in enumerate(counts):
        left = -len(row) / 2
        for i, count in enumerate(row):
            colour = COLOURS[0] if count else "#EEEEEE"
            ax.add_patch(Rectangle((left + i + 0.06, level), 0.88, 0.55, facecolor=colour, edgecolor="#888888"))
            ax.text(left + i + 0.5, level + 0.27, f"{count:g}" if count else "", color="white", ha="center", va="center")
        reached = np.flatnonzero(row)
        edges = (left + reached[0] + 0.06, left + reached[-1] + 0.94)
        if level:
            for x, below in zip(edges, edges_below):
                ax.plot([x, below], [level, level - 0.45], color=COLOURS[4], linestyle="-", linewidth=1.5)
        edges_below = edges
        name = "pixels" if level == 0 else f"layer {level}"
        ax.text(-len(counts[0]) / 2 - 0.3, level + 0.27, name, ha="right", va="center")
    ax.set(title=title, xlim=(-len(counts[0]) / 2 - 2.2, len(counts[0]) / 2 + 0.2), ylim=(-0.15, len(counts) - 0.3))
    ax.axis("off")
    return fig


def windows_on(picture, windows, title):
    """Draw windows as frames on a picture, `(3, H, W)` bytes; the last row of each group is thick and named.

    `windows` is a list of `(group, first, size)` in pixels, down and across alike; a group has one colour.
    """
    fig, ax = subplots(height=5.2, width=5.2)
    ax.imshow(picture.permute(1, 2, 0).numpy())
    groups = list(dict.fromkeys(group for group, _, _ in windows))
    for i, (group, first, size) in enumerate(windows):
        colour = ("#FFFFFF", COLOURS[1], COLOURS[3], COLOURS[4], COLOURS[6])[groups.index(group)]
        last = i + 1 == len(windows) or windows[i + 1][0] != group
        ax.add_patch(Rectangle((first - 0.5, first - 0.5), size, size, fill=False, edgecolor=colour,
                               linewidth=2.6 if last else 1.0))
        if last and size > 12:
            ax.text(first + size / 2, first - 1, f"{size}", color="black", ha="center", va="center", fontsize=10,
                    bbox={"facecolor": colour, "edgecolor": "none", "pad": 1.2})
    ax.set(title=title, xlabel="pixels", ylabel="pixels")
    ax.grid(False)
    return fig


def crops(picture, windows, title):
    """Draw what lies in each window of a picture, `(3, H, W)` bytes, all at one size; `windows` as above."""
    fig, axes = subplots(1, len(windows), height=2.0)
    for ax, (group, first, size) in zip(axes, windows):
        ax.imshow(picture[:, first:first + size, first:first + size].permute(1, 2, 0).numpy())
        ax.set_title(f"{group}\n{size}×{size}", fontsize=11)
        ax.axis("off")
    fig.suptitle(title, fontsize=12)
    return fig


def path_profiles(profiles, title):
    """Draw how paths spread over fields of different size; `profiles` maps a label to one count a pixel.

    Both axes are relative: place from end to end of the field, count in shares of the largest.
    """
    fig, ax = subplots(height=3.2)
    for label, counts in profiles.items():
        counts = np.asarray(counts, dtype=float)
        ax.plot((np.arange(len(counts)) + 0.5) / len(counts), counts / counts.max(), label=label)
    ax.set(title=title, xlabel="place in the field, from its left edge (0) to its right edge (1)", ylabel="paths, largest = 1",
           xlim=(0, 1), ylim=(0, 1.05))
    ax.legend(loc="upper right")
    return fig


def sensitivities(maps, inner, title):
    """Draw how strongly each pixel of a window moves a unit, one panel for each entry of `maps`.

    All panels share one scale, each map divided by its own largest value; `inner` is the side, in pixels, of the
    square in the middle that is framed.
    """
    fig, axes = subplots(1, len(maps), height=3.5)
    for ax, (label, values) in zip(axes, maps.items()):
        values = np.asarray(values, dtype=float)
        image = ax.imshow(values / values.max(), vmin=0, vmax=1)
        corner = (len(values) - inner) / 2 - 0.5
        ax.add_patch(Rectangle((corner, corner), inner, inner, fill=False, edgecolor="white", linewidth=1.8))
        ax.set(title=label, xlabel="pixels")
        ax.grid(False)
    axes[0].set_ylabel("pixels")
    fig.colorbar(image, ax=list(axes), shrink=0.8, label="sensitivity, largest = 1")
    fig.suptitle(title, fontsize=12)
    return fig
