"""Drawings of lesson 1: windows that slide, pictures as columns, convolutions as matrices, feature maps.

Each function takes numbers that the lesson computed and returns a figure; none computes a convolution.
"""
import numpy as np
from matplotlib.patches import Rectangle

from course_lib.plots import COLOURS, plot_mean_and_spread, subplots

BLUE, ORANGE, _, SKY, VERMILION, GREEN, _ = COLOURS
MARKS = (BLUE, VERMILION, GREEN)


def sliding_window(picture, kernel, output, at):
    """Draw picture · kernel = output as grids of numbers, with the window and the output at row, column `at` marked."""
    picture, kernel, output = _arrays(picture, kernel, output)
    fig, ax = subplots(height=2.9)
    (height, width), (k, l), (m, n) = picture.shape, kernel.shape, output.shape
    places = [0, width + 1.2, width + l + 2.4]
    for x, values, title in zip(places, (picture, kernel, output), ("picture", "kernel", "output")):
        top = (height - len(values)) / 2
        _grid(ax, values, x, top)
        ax.text(x + values.shape[1] / 2, -0.35, title, ha="center", va="bottom", fontsize=12)
        if title == "picture":
            _frame(ax, x + at[1], top + at[0], l, k, BLUE)
        if title == "output":
            _frame(ax, x + at[1], top + at[0], 1, 1, VERMILION)
    for x, sign in ((width + 0.6, "·"), (width + l + 1.8, "=")):
        ax.text(x, height / 2, sign, ha="center", va="center", fontsize=16)
    window = picture[at[0]:at[0] + k, at[1]:at[1] + l]
    terms = " + ".join(f"{_short(a)}·{_negative(b)}" for a, b in zip(window.flat, kernel.flat) if a * b)
    ax.text((places[2] + n) / 2, height + 0.5, f"{terms or '0'} = {_short(output[at])}", ha="center", va="center",
            fontsize=11, color=VERMILION)
    return _finish(fig, ax, (-0.2, places[2] + n + 0.2), (height + 0.9, -1.0))


def im2col(picture, columns, marked):
    """Draw a picture and the matrix whose columns are its windows; the columns numbered in `marked` share a colour.

    `picture` is (H, W), `columns` (k·k, windows) as `unfold` gives it, windows counted row by row.
    """
    picture, columns = _arrays(picture, columns)
    k = round(len(columns) ** 0.5)
    positions = picture.shape[1] - k + 1
    fig, ax = subplots(height=3.9)
    right = picture.shape[1] + 1.6
    top = (len(columns) - picture.shape[0]) / 2
    _grid(ax, picture, 0, top)
    _grid(ax, columns, right, 0)
    for i, (window, colour) in enumerate(zip(marked, MARKS)):
        row, column = divmod(window, positions)
        _frame(ax, column, top + row, k, k, colour, inset=0.07 * i)
        _frame(ax, right + window, 0, 1, len(columns), colour)
    ax.text(picture.shape[1] / 2, top - 0.3, "picture", ha="center", va="bottom", fontsize=12)
    ax.text(right + columns.shape[1] / 2, -0.3, "one column for each window", ha="center", va="bottom", fontsize=12)
    return _finish(fig, ax, (-0.2, right + columns.shape[1] + 0.2), (len(columns) + 0.2, -1.2))


def toeplitz(matrix, title):
    """Draw a matrix of small whole numbers with a colour for each value, zeros left white."""
    matrix, = _arrays(matrix)
    rows, columns = matrix.shape
    fig, ax = subplots(height=6.0 * rows / columns + 0.8)
    ax.imshow(np.where(matrix == 0, np.nan, matrix), cmap="viridis", vmin=matrix.min(), vmax=matrix.max() * 1.15)
    middle = matrix.max() / 2
    for (i, j), value in np.ndenumerate(matrix):
        if value:
            ax.text(j, i, _short(value), ha="center", va="center", fontsize=10,
                    color="black" if value > middle else "white")
    ax.set_xticks(np.arange(-0.5, columns), minor=True)
    ax.set_yticks(np.arange(-0.5, rows), minor=True)
    ax.grid(which="minor", color="#D9D9D9", linewidth=0.6)
    ax.grid(which="major", visible=False)
    ax.tick_params(which="minor", length=0)
    ax.set_xticks(range(0, columns, 5))
    ax.set(title=title, xlabel="pixel of the picture", ylabel="pixel of the output")
    return fig


def windows(size, kernel, stride, padding, dilation, outputs):
    """Draw one row of pixels, padding included, and below it the pixels that each of the `outputs` windows touches."""
    fig, ax = subplots(height=0.42 * outputs + 1.7)
    for pixel in range(-padding, size + padding):
        inside = 0 <= pixel < size
        ax.add_patch(Rectangle((pixel, -1), 0.92, 0.8, facecolor=SKY if inside else "white", edgecolor="#555555",
                               linestyle="-" if inside else "--"))
        ax.text(pixel + 0.46, -0.6, str(pixel) if inside else "pad", ha="center", va="center", fontsize=11)
    for output in range(outputs):
        start, y = output * stride - padding, output + 0.3
        ax.plot([start + 0.46, start + dilation * (kernel - 1) + 0.46], [y + 0.3] * 2, color=BLUE, linewidth=1.2)
        for tap in range(kernel):
            ax.add_patch(Rectangle((start + tap * dilation, y), 0.92, 0.6, facecolor=BLUE, edgecolor="white"))
        ax.text(size + padding + 0.5, y + 0.3, f"output {output}", va="center", fontsize=11)
    ax.set_title(f"{size} pixels, kernel {kernel}, stride {stride}, padding {padding}, dilation {dilation}")
    fig = _finish(fig, ax, (-padding - 0.3, size + padding + 2.4), (outputs + 0.4, -1.4), equal=False)
    return fig


def number_maps(maps, titles):
    """Draw grids of whole numbers side by side, shaded by value on one scale; a small one stays small."""
    maps = _arrays(*maps)
    fig, axes = subplots(1, len(maps), height=2.7)
    tallest, top = max(max(values.shape) for values in maps), max(values.max() for values in maps)
    low = min(values.min() for values in maps)
    for ax, values, title in zip(np.ravel(axes), maps, titles):
        shades = 0.55 + 0.45 * (values - low) / ((top - low) or 1)
        _grid(ax, values, *((tallest - side) / 2 for side in reversed(values.shape)), shades=shades)
        ax.set_title(title, fontsize=12)
        _finish(fig, ax, (-0.2, tallest + 0.2), (tallest + 0.2, -0.2))
    return fig


def pictures(images, titles, columns=2, ranges=None):
    """Draw pictures, grey (H, W) or RGB (3, H, W), each on its own range from black to white (`ranges`: low, high)."""
    images = [values if values.ndim == 2 else values.transpose(1, 2, 0) for values in _arrays(*images)]
    rows = -(-len(images) // columns)
    side = 6.4 / columns
    tallest = max(values.shape[0] / values.shape[1] for values in images)
    fig, axes = subplots(rows, columns, height=rows * (side * tallest + 0.35))
    for i, ax in enumerate(np.ravel(axes)):
        ax.axis("off")
        if i < len(images):
            low, high = (ranges or {}).get(i, (images[i].min(), images[i].max()))
            ax.imshow(np.clip((images[i] - low) / ((high - low) or 1), 0, 1), cmap="gray", vmin=0, vmax=1)
            ax.set_title(titles[i], fontsize=11)
    return fig


def kernel_table(weight, inputs, outputs):
    """Draw weights (M, N, K, K) as a table of kernels: a row for each output channel, a column for each input."""
    weight, = _arrays(weight)
    rows, columns, k, _ = weight.shape
    fig, ax = subplots(height=0.95 * rows + 1.0)
    top = abs(weight).max()
    for m in range(rows):
        for n in range(columns):
            for (i, j), value in np.ndenumerate(weight[m, n]):
                ax.add_patch(Rectangle((n * (k + 1.5) + j, m * (k + 1) + i), 1, 1, edgecolor="white", linewidth=0.6,
                                       facecolor=str(0.5 + 0.5 * value / top)))
            if n:
                ax.text(n * (k + 1.5) - 0.75, m * (k + 1) + k / 2, "+", ha="center", va="center", fontsize=13)
        ax.text(columns * (k + 1.5) - 1.1, m * (k + 1) + k / 2, f"→ {outputs[m]}", va="center", fontsize=11)
    for n, name in enumerate(inputs):
        ax.text(n * (k + 1.5) + k / 2, -0.3, name, ha="center", va="bottom", fontsize=11)
    return _finish(fig, ax, (-0.2, columns * (k + 1.5) + 4.5), (rows * (k + 1) - 0.5, -1.3))


def activations(x, curves):
    """Draw functions and their slopes on two axes; `curves` maps a name to (values, slopes), each as long as `x`."""
    fig, axes = subplots(1, 2, height=2.9)
    for ax, part, title in zip(axes, (0, 1), ("The function", "Its slope")):
        for name, both in curves.items():
            ax.plot(*_arrays(x, both[part]), label=name)
        ax.set(title=title, xlabel="input")
    axes[0].set_ylim(-1.2, 3)
    axes[0].legend(loc="upper left")
    return fig


def accuracy_by_shift(shifts, accuracies, title):
    """Draw accuracy against a shift in pixels, as mean and spread of runs; `accuracies` maps a name to (runs, shifts)."""
    fig, ax = subplots(height=3.2)
    for name, runs in accuracies.items():
        plot_mean_and_spread(ax, shifts, runs, name)
    ax.set(title=title, xlabel="shift of the test pictures, in pixels", ylabel="test accuracy", ylim=(0, 1))
    ax.set_xticks(list(shifts))
    ax.legend(loc="lower left")
    return fig


def _grid(ax, values, x, y, shades=None):
    """Draw an array as a grid of cells with numbers, its upper left corner at (x, y), zeros in grey print."""
    for (i, j), value in np.ndenumerate(values):
        face = "white" if shades is None else str(shades[i, j])
        ax.add_patch(Rectangle((x + j, y + i), 1, 1, facecolor=face, edgecolor="#888888", linewidth=0.8))
        ax.text(x + j + 0.5, y + i + 0.52, _short(value), ha="center", va="center", fontsize=11,
                color="black" if value or shades is not None else "#767676")


def _frame(ax, x, y, width, height, colour, inset=0.0):
    ax.add_patch(Rectangle((x + inset, y + inset), width - 2 * inset, height - 2 * inset, facecolor=colour, alpha=0.14))
    ax.add_patch(Rectangle((x + inset, y + inset), width - 2 * inset, height - 2 * inset, fill=False, edgecolor=colour,
                           linewidth=2.4))


def _finish(fig, ax, xlim, ylim, equal=True):
    ax.set(xlim=xlim, ylim=ylim)
    if equal:
        ax.set_aspect("equal")
    ax.axis("off")
    return fig


def _short(value):
    """A number as a reader would write it, with a real minus sign.

    >>> _short(-3.0), _short(0.5)
    ('−3', '0.5')
    """
    return f"{value:g}".replace("-", "−")


def _negative(value):
    return f"({_short(value)})" if value < 0 else _short(value)


def _arrays(*tensors):
    """Each tensor or array as a NumPy array on the CPU."""
    return [np.asarray(t.detach().cpu() if hasattr(t, "detach") else t) for t in tensors]
