"""Drawings of AlexNet: where its weights and its work sit, its first filters, what a regulariser does to a small set."""
import numpy as np

from course_lib.plots import COLOURS, subplots

NAMES = {"Conv2d": "conv", "Linear": "linear"}


def cost_by_layer(traced, title):
    """Draw parameters and multiply-adds side by side, in millions, one bar for each layer with weights."""
    rows = [row for row in traced.rows if row.kind in NAMES]
    kinds = [row.kind for row in rows]
    names = [f"{NAMES[kind]} {kinds[:i + 1].count(kind)}" for i, kind in enumerate(kinds)]
    colours = [COLOURS[0] if kind == "Conv2d" else COLOURS[4] for kind in kinds]
    fig, axes = subplots(1, 2, height=3.4)
    for ax, key, what in zip(axes, ("params", "macs"), ("Parameters", "Multiply-adds")):
        values = [getattr(row, key) / 1e6 for row in rows]
        ax.barh(names, values, color=colours)
        for i, value in enumerate(values):
            ax.text(value, i, f" {value:.0f}" if value >= 10 else f" {value:.2g}", va="center", fontsize=10)
        ax.invert_yaxis()
        ax.grid(axis="y", visible=False)
        ax.set(title=what, xlabel="millions", xlim=(0, 1.25 * max(values)))
    fig.suptitle(title, fontsize=12)
    return fig


def filters(groups, title, columns=12):
    """Draw kernels `(N, 1, k, k)` in named groups, each scaled by its own largest weight; grey is zero."""
    side = next(iter(groups.values())).shape[-1]
    gap, rows, labels = side // 2 + 2, [], []                   # between groups, in weights; room for the name
    for name, kernels in groups.items():
        labels.append((sum(len(part) for part in rows) + gap - 2, name))
        rows.append(np.full((gap, columns * (side + 1) - 1), np.nan))
        rows.append(_sheet(np.asarray(kernels)[:, 0], columns))
    sheet = np.concatenate(rows)
    fig, ax = subplots(height=6.2 * sheet.shape[0] / sheet.shape[1] + 0.4)
    ax.imshow(sheet, cmap="gray", vmin=-1, vmax=1)
    for y, name in labels:
        ax.text(0, y, name, fontsize=10, va="bottom")
    ax.axis("off")
    ax.set_title(title)
    return fig


def _sheet(kernels, columns):
    """Kernels side by side in rows of `columns`, a line of nan between them."""
    number, side, _ = kernels.shape
    rows = -(-number // columns)
    sheet = np.full((rows * (side + 1) - 1, columns * (side + 1) - 1), np.nan)
    for i, kernel in enumerate(kernels):
        top, left = (side + 1) * (i // columns), (side + 1) * (i % columns)
        sheet[top:top + side, left:left + side] = kernel / max(np.abs(kernel).max(), 1e-12)
    return sheet


def train_and_valid(runs, arms, title):
    """Draw the last accuracy of every run of some arms, on its training pictures as they are and on its validation pictures.

    `arms` maps the name on the axis to the arm's own; a bar marks each mean.
    """
    fig, ax = subplots(height=3.6)
    for offset, key, label, colour, marker in ((-0.15, "known_accuracy", "training", COLOURS[0], "o"),
                                               (0.15, "valid_accuracy", "validation", COLOURS[4], "s")):
        for place, arm in enumerate(arms.values()):
            values = runs.final(arm, key)
            spread = [place + offset + 0.05 * (i - (len(values) - 1) / 2) for i in range(len(values))]
            ax.plot(spread, values, marker, color=colour, alpha=0.7, markersize=6, linestyle="none",
                    label=label if place == 0 else None)
            ax.hlines(runs.mean(arm, key), place + offset - 0.13, place + offset + 0.13, color=colour, linewidth=2.5)
    ax.set_xticks(range(len(arms)), list(arms))
    ax.set(title=title, ylabel="accuracy", xlim=(-0.5, len(arms) - 0.5))
    ax.grid(axis="x", visible=False)
    ax.legend(frameon=False)
    return fig
