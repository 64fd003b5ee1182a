"""Figures in one look, shown with a sentence that says what is to be seen.

    with plots.style():
        fig, ax = plt.subplots()
        ax.plot(x, y, label="ReLU")
    plots.show(fig, alt="The loss falls from 2.3 to 0.4 in five epochs.")

The colours are Okabe and Ito's, which colour-blind readers tell apart; each comes with a line style
of its own, so that grey print keeps them apart too. Nothing here changes matplotlib's global settings.
"""

import base64
import io
import re
import sys

import numpy as np

# Dark and light alternate, for grey print. Okabe and Ito's yellow is too faint on white.
COLOURS = ("#0072B2", "#E69F00", "#000000", "#56B4E9", "#D55E00", "#009E73", "#CC79A7")
LINES = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (1, 2)))
WIDTH, DPI = 6.4, 110  # inches, dots an inch: as wide as a column of text, with letters large enough on a phone


def style():
    """Return a context in which figures are made in the course's look.

    >>> import matplotlib
    >>> with style():
    ...     matplotlib.rcParams["image.cmap"], matplotlib.rcParams["axes.grid"]
    ('viridis', True)
    """
    import matplotlib
    from cycler import cycler

    return matplotlib.rc_context({
        "figure.figsize": (WIDTH, 3.6), "figure.facecolor": "white", "axes.facecolor": "white",
        "figure.constrained_layout.use": True, "image.cmap": "viridis",
        "font.size": 11, "axes.titlesize": 12, "axes.labelsize": 11,
        "xtick.labelsize": 10, "ytick.labelsize": 10, "legend.fontsize": 10,
        "axes.prop_cycle": cycler(color=COLOURS) + cycler(linestyle=LINES), "lines.linewidth": 1.8,
        "axes.grid": True, "grid.color": "#D9D9D9", "grid.linewidth": 0.6, "axes.axisbelow": True,
        "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False,
    })


def in_notebook():
    """Say whether this code runs in a notebook's kernel; nothing is imported to find out."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def subplots(rows=1, columns=1, *, height=3.6, width=WIDTH):
    """Return `(fig, axes)` in the course's look, sizes in inches; a notebook shows it only when told to."""
    import matplotlib.pyplot as plt

    with style():
        fig, axes = plt.subplots(rows, columns, figsize=(width, height))
    if in_notebook():
        plt.close(fig)  # else the end of the cell shows it once more
    return fig, axes


def show(fig, alt):
    """Show a figure with its alternative text, a sentence that says what is to be seen, and close it.

    A notebook stores a PNG and the sentence; elsewhere matplotlib opens its window. Raises `ValueError`
    for a text that is empty or a file's name.
    """
    import matplotlib.pyplot as plt

    check_alt(alt)
    if in_notebook():
        from IPython.display import display

        data, metadata = notebook_output(fig, alt)
        display(data, metadata=metadata, raw=True)
    else:
        plt.show()
    plt.close(fig)


def check_alt(alt):
    """Refuse an alternative text that tells a reader who can't see the figure nothing."""
    if not isinstance(alt, str) or not alt.strip() or re.fullmatch(r"\S+\.[A-Za-z]{2,5}", alt.strip()):
        raise ValueError(f"alt must be a sentence that says what is to be seen in the figure, got {alt!r}")


def notebook_output(fig, alt):
    """Return what a notebook stores of a figure: data (a PNG, and the sentence as its text) and metadata."""
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=DPI, bbox_inches="tight", facecolor="white")
    return {"image/png": base64.b64encode(buffer.getvalue()).decode(), "text/plain": alt}, {"image/png": {"alt": alt}}


def show_images(images, titles=None, *, columns=6, alt):
    """Show pictures in a grid; `images` is `(N, H, W)`, `(N, 1, H, W)` or, in RGB, `(N, 3, H, W)`.

    Bytes and numbers from 0 to 1 are shown as they are; other numbers (normalised pixels, kernels) are
    scaled by the smallest and largest of all pictures. Raises `ValueError` for other shapes and for
    titles that are not one for each picture.
    """
    if hasattr(images, "detach"):  # a tensor, maybe bfloat16, maybe on an accelerator
        images = images.detach().cpu()
        images = (images.float() if images.is_floating_point() else images).numpy()
    images = np.asarray(images)
    shape = images.shape
    if len(shape) not in (3, 4) or len(shape) == 4 and shape[1] not in (1, 3) or not images.size:
        raise ValueError(f"images must be (N, H, W), (N, 1, H, W) or (N, 3, H, W), got {shape}")
    images = images.reshape(shape[0], -1, *shape[-2:])  # (N, C, H, W)
    if titles is not None and len(titles) != len(images):
        raise ValueError(f"titles must be one for each of the {len(images)} images, got {len(titles)}")
    low, high = (0, 255) if images.dtype == np.uint8 else (float(images.min()), float(images.max()))
    if 0 <= low and high <= 1:
        low, high = 0, 1
    pictures = ((images - low) / ((high - low) or 1)).transpose(0, 2, 3, 1)  # (N, H, W, C), in [0, 1]
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    side = min(WIDTH / columns, 2.5)
    fig, axes = subplots(rows, columns, width=side * columns, height=rows * (side + 0.3 * (titles is not None)))
    for i, ax in enumerate(np.ravel(axes)):
        ax.axis("off")
        if i < len(images):
            ax.imshow(pictures[i], cmap="gray", vmin=0, vmax=1)
            ax.set_title("" if titles is None else str(titles[i]), fontsize=10)
    show(fig, alt)


def plot_history(history, axes):
    """Draw a `History` on two axes: the loss on the first, the accuracy on the second, over the epochs."""
    from matplotlib.ticker import MaxNLocator

    curves = (("training", "train", "o-", COLOURS[0]), ("validation", "valid", "s--", COLOURS[4]))
    for ax, quantity in zip(axes, ("loss", "accuracy"), strict=True):
        for label, part, line, colour in curves:
            if values := getattr(history, f"{part}_{quantity}"):
                ax.plot(range(1, len(values) + 1), values, line, color=colour, label=label)
        ax.set(title=quantity.capitalize(), xlabel="epoch", ylabel=quantity)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        if ax.lines:
            ax.legend(fontsize=10, frameon=False)


def plot_mean_and_spread(ax, x, runs, label):
    """Draw several runs, `(runs, points)`, as the line of their means in a band from lowest to highest."""
    runs = np.asarray(runs, dtype=float)
    if runs.ndim != 2 or runs.shape[1] != len(x) or not len(runs):
        raise ValueError(f"runs must be (runs, {len(x)}), one value for each x, got {runs.shape}")
    line, = ax.plot(x, runs.mean(axis=0), label=label)
    ax.fill_between(x, runs.min(axis=0), runs.max(axis=0), color=line.get_color(), alpha=0.2, linewidth=0)
