"""Drawings of nets: the shapes that flow through one, where its weights and its work sit, what it says of a picture."""
import math

from matplotlib.patches import Polygon
from matplotlib.ticker import FuncFormatter, MultipleLocator

from course_lib.plots import COLOURS, subplots


def shapes(traced, title):
    """Draw a net as the boxes that flow through it: one slab for every change of shape, named by its numbers.

    `traced` is a `Trace`. A slab's height stands for the picture's height, its thickness for the channels (both by
    their square roots, or the large ones would hide the small), and a thin bar is a vector.
    """
    slabs = _distinct([row.output_shape[1:] for row in traced.rows if row.kind not in ("Flatten", "flatten")])
    fig, ax = subplots(height=2.6)
    x = 0.0
    for number, shape in enumerate(slabs):
        vector = len(shape) == 1
        tall = 1.2 * math.sqrt(shape[0]) / 16 if vector else math.sqrt(shape[-1])
        thick = 0.5 if vector else 0.09 * math.sqrt(shape[0])
        lean = 0.0 if vector else 0.18 * tall
        colour = COLOURS[4] if vector else COLOURS[0]
        front = [(x, -tall / 2), (x + thick, -tall / 2), (x + thick, tall / 2), (x, tall / 2)]
        side = [front[1], (x + thick + lean, -tall / 2 + lean), (x + thick + lean, tall / 2 + lean), front[2]]
        top = [front[3], front[2], side[2], (x + lean, tall / 2 + lean)]
        for corners, shade in ((front, 0.75), (side, 0.5), (top, 0.3)):
            ax.add_patch(Polygon(corners, facecolor=colour, alpha=shade, edgecolor="white", linewidth=0.5))
        label = f"{shape[0]}" if vector else f"{shape[0]}\n{shape[-2]}×{shape[-1]}"
        ax.text(x + (thick + lean) / 2, -tall / 2 - 0.5, label, ha="center", va="top", fontsize=8, linespacing=1.1)
        x += thick + lean + (1.3 if vector else 0.7)
    ax.set(xlim=(-0.5, x), ylim=(-math.sqrt(slabs[0][-1]) / 2 - 3.5, math.sqrt(slabs[0][-1]) * 0.7 + 0.5), title=title)
    ax.axis("off")
    return fig


def _distinct(shapes_):
    """Each shape once where it repeats from row to row."""
    return [shape for before, shape in zip([None, *shapes_], shapes_) if shape != before]


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


def shelf(picture, names, rows, columns):
    """Draw one large picture, a grid of `rows` × `columns` places, with a name over each place."""
    height, width = picture.shape
    fig, ax = subplots(height=6.2 * height / width + 0.5)
    ax.imshow(picture, cmap="gray")
    ax.xaxis.set_major_locator(MultipleLocator(width // columns))
    ax.yaxis.set_major_locator(MultipleLocator(height // rows))
    for i, name in enumerate(names):
        y, x = divmod(i, columns)
        ax.text((x + 0.5) * width / columns, y * height / rows + 0.5, name, color="white", fontsize=10, ha="center",
                va="top", bbox={"facecolor": "black", "alpha": 0.75, "edgecolor": "none", "pad": 1.5})
    ax.set(title=f"One picture of {height}×{width} pixels, one pass", xlabel="pixels", ylabel="pixels")
    return fig
