"""Brings an executed notebook into the one form that is stored, so that running it again changes nothing.

Fixed kernel and language, kept or derived cell ids, no timings, no widgets, counts 1…n, one stream output
instead of many, a figure's alternative text also where the site looks for it, and the stated minutes.
"""

import math
import os
import re
from pathlib import Path

from course_tools.bootstrap import FIRST_LINE, bootstrap_source

KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE_INFO = {
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
}
NOTEBOOK_METADATA = ("course",)  # what is kept besides the two above
CELL_METADATA = ("tags", "mystnb", "nbgrader")
WIDGET = "application/vnd.jupyter.widget-view+json"
RUNS_IN = re.compile(r"\*\*Runs in\*\* about .*? on a two-core CPU")


def runs_in(minutes: float) -> str:
    """The sentence of a lesson's first cell that states its minutes, without its ending.

    >>> runs_in(2.5)
    '**Runs in** about 2.5 minutes on a two-core CPU'
    """
    amount = {0.5: "half a minute", 1: "1 minute"}.get(minutes, f"{minutes:g} minutes")
    return f"**Runs in** about {amount} on a two-core CPU"


def stated_minutes(seconds: float, stated: float | None = None) -> float:
    """What a lesson should state: `seconds` rounded up to half minutes, or `stated` while that is about right.

    About right means off by at most half a minute or half of it, so that timing again gives no difference.

    >>> stated_minutes(100), stated_minutes(125, stated=2.0), stated_minutes(200, stated=2.0)
    (2.0, 2.0, 3.5)
    """
    minutes = seconds / 60
    if stated is not None and abs(minutes - stated) <= max(0.5, stated / 2):
        return stated
    return max(0.5, math.ceil(2 * minutes) / 2)


def normalise(notebook) -> None:
    """Normalises an nbformat-4 `notebook` in place; doing it twice is doing it once."""
    course = {key: notebook.metadata[key] for key in NOTEBOOK_METADATA if key in notebook.metadata}
    notebook.metadata.clear()
    notebook.metadata.update(course, kernelspec=dict(KERNELSPEC), language_info=dict(LANGUAGE_INFO))
    notebook.nbformat, notebook.nbformat_minor = 4, 5  # the first with cell ids
    _set_ids(notebook.cells)
    _write_minutes(notebook)
    count = 0
    for cell in notebook.cells:
        for key in set(cell.metadata) - set(CELL_METADATA):
            del cell.metadata[key]
        if cell.cell_type == "code":
            if cell.source.startswith(FIRST_LINE):
                cell.source = bootstrap_source()
            count += cell.execution_count is not None
            _normalise_code_cell(cell, count)


def write(notebook, path: Path) -> None:
    """Writes `notebook` as `path` under a temporary name first, so that no half-written file is left."""
    import nbformat

    nbformat.validate(notebook)
    temporary = path.with_name(f".{path.name}.partial")
    try:
        with open(temporary, "w", encoding="utf-8", newline="\n") as file:
            nbformat.write(notebook, file)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _set_ids(cells) -> None:
    taken = set()
    for number, cell in enumerate(cells, 1):
        if not re.fullmatch(r"[\w-]{1,64}", cell.get("id", ""), re.ASCII) or cell.id in taken:
            cell.id = f"cell-{number}"
            while cell.id in taken:
                cell.id += "-"
        taken.add(cell.id)


def _write_minutes(notebook) -> None:
    minutes = notebook.metadata.get("course", {}).get("minutes")
    first = next((cell for cell in notebook.cells if cell.cell_type == "markdown"), None)
    if minutes is not None and first is not None:
        first.source = RUNS_IN.sub(runs_in(minutes), first.source, count=1)


def _normalise_code_cell(cell, count: int) -> None:
    number = count if cell.execution_count is not None else None
    outputs = []
    for output in cell.outputs:
        if WIDGET in output.get("data", {}):
            continue
        if output.output_type == "stream" and outputs and outputs[-1].get("name") == output.name:
            outputs[-1].text += output.text
            continue
        if output.output_type == "execute_result":
            output.execution_count = number
        outputs.append(output)
        alt = output.get("metadata", {}).get("image/png", {}).get("alt")
        if alt:
            cell.metadata.setdefault("mystnb", {})["image"] = {"alt": alt}
    if not any("image/png" in output.get("data", {}) for output in outputs):
        image = cell.metadata.get("mystnb", {})
        image.pop("image", None)
        if not image:
            cell.metadata.pop("mystnb", None)
    cell.execution_count, cell.outputs = number, outputs
