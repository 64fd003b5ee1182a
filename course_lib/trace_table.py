"""What `trace` returns: rows, totals, and the same table as text and as HTML."""

from dataclasses import dataclass
from fractions import Fraction
from html import escape

from .trace_field import Field


@dataclass(frozen=True)
class Row:
    """One call of a layer, or of a function that changes shape or field.

    `name` is the module's qualified name, `params` counts what no row above has counted, `macs` are
    multiply-adds. Where the field is unknown it is None, and `reason` says from which row on, and why.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    params: int
    macs: int
    field: Field | None
    reason: str | None = None

    @property
    def receptive_field(self) -> tuple[int, int] | None:
        """Height and width in pixels of a unit's window; of the largest where neighbours differ."""
        return self.field and (self.field.h.size, self.field.w.size)

    @property
    def jump(self) -> tuple[int | Fraction | None, int | Fraction | None] | None:
        """Pixels from a window to the next, down and across; None once there is one for all units."""
        steps = self.field and tuple(window.jump or None for window in (self.field.h, self.field.w))
        return None if steps in (None, (None, None)) else steps

    @property
    def start(self) -> tuple[int, int] | None:
        """First pixel of unit 0's window, down and across; negative in the padding."""
        return self.field and (self.field.h.start, self.field.w.start)


_HEAD = ("name", "kind", "output shape", "parameters", "multiply-adds", "receptive field", "jump", "start")


@dataclass(frozen=True, repr=False)
class Trace:
    """The rows of a traced net, in execution order, with its totals; shown as a table.

    `trace[3]` is the fourth row, `trace["features.3"]` the first with that name. `params` counts every
    parameter of the net once, `macs` every use of a weight.
    """

    rows: tuple[Row, ...]
    net: str
    input_shape: tuple[int, int, int, int]
    params: int

    @property
    def macs(self) -> int:
        return sum(row.macs for row in self.rows)

    def __len__(self):
        return len(self.rows)

    def __iter__(self):
        return iter(self.rows)

    def __getitem__(self, key):
        if not isinstance(key, str):
            return self.rows[key]
        for row in self.rows:
            if row.name == key:
                return row
        raise KeyError(f"no row is named {key!r}; the names are {', '.join(dict.fromkeys(r.name for r in self.rows))}")

    def __repr__(self):
        lines = [_HEAD, *map(_cells, self.rows), self._total]
        widths = [max(map(len, column)) for column in zip(*lines)]
        table = ["  ".join(cell.ljust(width) if i < 3 else cell.rjust(width)
                           for i, (cell, width) in enumerate(zip(line, widths))).rstrip() for line in lines]
        return "\n".join([self._caption, *table, *self._notes])

    def _repr_html_(self):
        number = ' style="text-align: right"'
        line = "".join
        head = line(f'<th scope="col"{number if i > 2 else ""}>{cell}</th>' for i, cell in enumerate(_HEAD))
        body = line(
            f'<tr><th scope="row">{escape(cells[0])}</th>'
            + line(f"<td{number if i > 1 else ''}>{escape(cell)}</td>" for i, cell in enumerate(cells[1:])) + "</tr>"
            for cells in [*map(_cells, self.rows), self._total])
        notes = line(f"<p>{escape(note)}</p>" for note in self._notes)
        return (f"<table><caption>{escape(self._caption)}</caption><thead><tr>{head}</tr></thead>"
                f"<tbody>{body}</tbody></table>{notes}")

    @property
    def _caption(self):
        return f"{self.net}, input {times(self.input_shape)}"

    @property
    def _total(self):
        return ("total", "", "", f"{self.params:,}", f"{self.macs:,}", "", "", "")

    @property
    def _notes(self):
        """What the table cannot say: unknown fields, uneven windows, parameters that no row uses."""
        notes = [f"? unknown {reason}" for reason in dict.fromkeys(row.reason for row in self.rows) if reason]
        if any(map(_uneven, self.rows)):
            notes.append("~ windows differ from unit to unit: the largest, and the mean jump")
        unused = self.params - sum(row.params for row in self.rows)
        if unused:
            notes.append(f"{unused:,} of the parameters are in no row: nothing uses them in eval mode")
        return notes


def times(sizes) -> str:
    """Sizes as 1×3×224×224."""
    return "×".join("–" if size is None else str(size) for size in sizes)


def _uneven(row):
    return row.field is not None and len(row.field.h.starts) + len(row.field.w.starts) > 2


def _cells(row):
    """A row as text: 212 for 212×212, ? for unknown, – for no jump, ~ where windows differ."""
    def square(sizes, join=times):
        if sizes is None:
            return "–" if row.field else "?"
        return str(sizes[0]) if sizes[0] == sizes[1] else join(sizes)

    return (row.name or "(net)", row.kind, times(row.output_shape), f"{row.params:,}", f"{row.macs:,}",
            "~" * _uneven(row) + square(row.receptive_field), square(row.jump),
            square(row.start, join=lambda sizes: ", ".join(map(str, sizes))))
