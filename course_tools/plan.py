"""The ninety-minute plan of a lesson, from the minutes that it states and the seconds that its sections took to run."""

import re

ROW = re.compile(r"^\| (.+?) \| *(core|optional) *\| *(\d+) *\|$", re.MULTILINE)
CLASS = 90  # minutes


def set_sections(notebook, cell_seconds: list[float]) -> None:
    """Stores in the notebook's metadata how long each section's cells ran, where that is not about what is stored.

    `cell_seconds` are those of every cell, in order. About right means off by at most five seconds or a half.
    """
    measured, section = {}, None
    for cell, seconds in zip(notebook.cells, cell_seconds):
        if cell.cell_type == "markdown" and (
            heading := re.match(r"## (.+?)(?: \((?:core|optional), .*)?$", cell.source, re.M)
        ):
            section = heading[1]
        if section is not None:
            measured[section] = measured.get(section, 0) + seconds
    planned = [name for name, _, _ in ROW.findall(notebook.cells[0].source)]
    if not planned:  # the exercises: nobody plans them by section
        return
    stored = notebook.metadata["course"].get("sections", {})
    notebook.metadata["course"]["sections"] = {
        name: old if (old := stored.get(name)) is not None and abs(old - measured[name]) <= max(5, old / 2)
        else round(measured[name])
        for name in planned
    }  # fmt: skip


def plan(first_cell: str, seconds: dict[str, int]) -> str:
    """The plan as a table: when each core section begins, for how long it is, and how long its cells run.

    >>> print(plan("| A | core | 10 |\\n| B | optional | 5 |\\n| C | core | 20 |", {"A": 3, "B": 1, "C": 65}))
    | from | section | minutes | cells run |
    |--:|---|--:|--:|
    | 0:00 | A | 10 | 3 s |
    | 0:10 | C | 20 | 65 s |
    | 0:30 | *exercises, questions* | 60 | |
    <BLANKLINE>
    *Where time is left, or at home*: B (5 minutes).
    """
    rows, clock, optional = ["| from | section | minutes | cells run |", "|--:|---|--:|--:|"], 0, []
    for name, kind, minutes in ROW.findall(first_cell):
        if kind == "optional":
            optional.append(f"{name} ({minutes} minutes)")
            continue
        ran = f"{seconds[name]} s" if name in seconds else ""
        rows.append(f"| {clock // 60}:{clock % 60:02d} | {name} | {minutes} | {ran} |")
        clock += int(minutes)
    if clock < CLASS:
        rows.append(f"| {clock // 60}:{clock % 60:02d} | *exercises, questions* | {CLASS - clock} | |")
    if optional:
        rows.append(f"\n*Where time is left, or at home*: {', '.join(optional)}.")
    return "\n".join(rows)
