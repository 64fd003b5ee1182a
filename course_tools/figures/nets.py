"""Drawings of nets: the shapes that flow through one, where its weights and its work sit, what it says of a picture."""
import math

import numpy as np
from matplotlib.patches import Polygon
from matplotlib.ticker import FuncFormatter

from course_lib.plots import COLOURS, subplots


def shapes(traced, title):
    """Draw a net as the boxes that flow through it: the input, one box for each size of picture, bars for vectors.

    `traced` is a `Trace`. A box is as high as the picture and as thick as it has channels, both by their square
    roots, or the large ones would hide the small. Where a size occurs more than once, the last shape stands for it.
    """
    fig, ax = subplots(height=2.6)
    x, height = 0.0, math.sqrt(traced.input_shape[-1])
    for shape in [traced.input_shape[1:], *_one_for_each_size(traced)]:
        vector = len(shape) == 1
        tall = 0.075 * math.sqrt(shape[0]) if vector else math.sqrt(shape[-1])
        thick = 0.5 if vector else 0.13 * math.sqrt(shape[0])
        lean = 0.0 if vector else 0.16 * tall
        colour = COLOURS[4] if vector else COLOURS[0]
        front = [(x, -tall / 2), (x + thick, -tall / 2), (x + thick, tall / 2), (x, tall / 2)]
        side = [front[1], (x + thick + lean, -tall / 2 + lean), (x + thick + lean, tall / 2 + lean), front[2]]
        top = [front[3], front[2], side[2], (x + lean, tall / 2 + lean)]
        for corners, shade in ((front, 0.75), (side, 0.5), (top, 0.3)):
            ax.add_patch(Polygon(corners, facecolor=colour, alpha=shade, edgecolor="white", linewidth=0.5))
        label = f"{shape[0]}" if vector else f"{shape[0]}\n{shape[-2]}×{shape[-1]}"
        ax.text(x + (thick + lean) / 2, -tall / 2 - 0.5, label, ha="center", va="top", fontsize=10, linespacing=1.1)
        x += thick + lean + 4.6 if vector else max(thick + lean + 1.6, 6.4)  # room for the label
    ax.set(xlim=(-0.8, x - 0.8), ylim=(-height / 2 - 4, height * 0.68), title=title)
    ax.axis("off")
    return fig


def _one_for_each_size(traced):
    """The last shape of each size that a picture has on its way, then every vector that a linear layer gives."""
    pictures = {row.output_shape[2:]: row.output_shape[1:] for row in traced.rows if len(row.output_shape) == 4}
    return [*pictures.values(), *(row.output_shape[1:] for row in traced.rows if row.kind == "Linear")]


def where_the_cost_sits(traced, title):
    """Draw parameters and multiply-adds side by side, one bar a block of convolutions and one a linear layer."""
    places = {}
    for row in traced.rows:
        if row.params:
            block = row.kind == "Conv2d"
            number = int(row.name.split(".")[0]) + 1
            place = f"block {number}" if block else f"linear {sum(k.startswith('lin') for k in places) + 1}"
            params, macs = places.get(place, (0, 0))
            places[place] = (params + row.params, macs + row.macs)
    fig, axes = subplots(1, 2, height=3.0)
    for ax, column, what in zip(axes, (0, 1), ("parameters", "multiply-adds")):
        values = [both[column] for both in places.values()]
        colours = [COLOURS[4] if place.startswith("lin") else COLOURS[0] for place in places]
        ax.barh(list(places), values, color=colours)
        ax.invert_yaxis()
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
        ax.grid(axis="y", visible=False)
        ax.set(title=what.capitalize(), xlim=(0, 1.25 * max(values)))
        for i, value in enumerate(values):
            ax.text(value, i, f" {_short(value)}", va="center", fontsize=10)
    fig.suptitle(title, fontsize=12)
    return fig


def _short(value):
    """1,500,000 as "1.5 M"."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g}"


def shelf(picture, names, columns):
    """Draw one large picture of two rows of `columns` places, with the names of the places above and below it."""
    height, width = picture.shape
    fig, ax = subplots(height=6.2 * height / width + 0.9)
    ax.imshow(np.asarray(picture), cmap="gray", extent=(0, width, height, 0))
    for i, name in enumerate(names):
        row, column = divmod(i, columns)
        ax.text((column + 0.5) * width / columns, (-1, height + 1)[row], name, fontsize=10, ha="center",
                va=("bottom", "top")[row])
    ax.axis("off")
    return fig
