"""What must hold in every stored lesson, so that comparing it with a new run means something.

nbval passes cells that were never executed, misspelt tags, failed shell commands and much else without a
word. Each check here takes an nbformat notebook and yields its problems as pairs of the cell's number (all
cells, from 1; 0 for the notebook itself) and what is wrong. `problems` runs them all on one file.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from course_tools.bootstrap import bootstrap_source
from course_tools.markdown_checks import MARKDOWN_CHECKS, is_file_name
from course_tools.normalise import RUNS_IN, WIDGET, runs_in

Problems = Iterator[tuple[int, str]]

IGNORE = "nbval-ignore-output"
TAGS = {
    IGNORE: "outputs vary, and the next code cell asserts what matters",
    "raises-exception": "the error is the lesson",
    "hide-input": "the site folds the code",
    "hide-output": "the site folds the output",
}
LONGEST_CELL = 15
# What differs from run to run or from machine to machine.
VOLATILE = {
    "a memory address": r"\b0x[0-9a-fA-F]{6,}",
    "a timing": r"\d ?(?:ns|µs|us|ms)\b|\d\.\d+ ?(?:s|sec|seconds|min|minutes)\b|it/s|s/it|Wall time|CPU times",
    "an absolute path": r"(?:^|[\s'\"(=])(?:/[\w.-]+){2,}|\b[A-Z]:\\",
    "a date or time of day": r"\b20\d\d-\d\d-\d\d\b|\b\d\d:\d\d\b",
    "a progress bar": r"\d%\||[█▏▎▍▌▋▊▉]",
    "a device's name": r"\b(?:cuda|mps)\b",
    "a figure without its sentence": r"<Figure size",
}


def problems(path: Path) -> list[str]:
    """Every problem of the notebook at `path`, as "file cell n: what"."""
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    found = [problem for check in CHECKS for problem in check(notebook)]
    found += [problem for check in MARKDOWN_CHECKS for problem in check(notebook, path.parent)]
    return [f"{path.name} cell {number}: {what}" for number, what in sorted(found)]


def executed_in_order(notebook) -> Problems:
    for count, (number, cell) in enumerate(_code(notebook), 1):
        if not cell.source.strip():
            yield number, "is an empty code cell"
        if cell.execution_count != count:
            yield number, f"has execution count {cell.execution_count}, expected {count}: run the lesson --in-place"


def errors_only_where_announced(notebook) -> Problems:
    for number, cell in _code(notebook):
        failed = any(output.output_type == "error" for output in cell.outputs)
        if failed and "raises-exception" not in _tags(cell):
            yield number, "stores an error"
        if not failed and "raises-exception" in _tags(cell):
            yield number, "is tagged raises-exception and stores no error"


def known_tags(notebook) -> Problems:
    for number, cell in enumerate(notebook.cells, 1):
        for tag in sorted(_tags(cell) - TAGS.keys()):
            yield number, f"has the tag {tag!r}; known: {', '.join(TAGS)}"
        if cell.cell_type == "code" and re.search(r"^\s*#\s*(NBVAL|PYTEST_VALIDATE)_", cell.source, re.MULTILINE):
            yield number, "steers nbval by a comment: use a tag"


def nothing_volatile_compared(notebook) -> Problems:
    for number, cell in _code(notebook):
        if IGNORE in _tags(cell):
            continue
        for text in _compared(cell):
            for what, pattern in VOLATILE.items():
                if match := re.search(pattern, text, re.MULTILINE):
                    yield number, f"compares {what} ({match.group().strip()!r}): print less, or tag it {IGNORE}"


def ignored_output_is_asserted(notebook) -> Problems:
    cells = [*_code(notebook), (0, None)]
    for (number, cell), (_, following) in zip(cells, cells[1:]):
        if IGNORE in _tags(cell) and not (following and any(_nodes(following.source, ast.Assert))):
            yield number, f"is tagged {IGNORE}, so the next code cell must assert what matters"


def plain_python(notebook) -> Problems:
    for number, cell in _code(notebook):
        for line in cell.source.splitlines():
            if re.match(r"\s*([!%]|\w+ *= *[!%])", line):
                yield number, f"has a shell or magic line ({line.strip()}), whose failure nobody notices"
        if cell.source.rstrip().endswith(";"):
            yield number, "ends in a semicolon, which hides an output"
        handlers = _nodes(cell.source, ast.ExceptHandler)
        if any(isinstance(statement, ast.Pass) for handler in handlers for statement in handler.body):
            yield number, "silences an error (except: pass)"
        try:
            ast.parse(_without_help(cell.source))
        except SyntaxError as error:
            yield number, f"is not Python: {error}"


def short_cells(notebook) -> Problems:
    for number, cell in _code(notebook):
        if (lines := len(cell.source.splitlines())) > LONGEST_CELL:
            yield number, f"has {lines} lines, allowed are {LONGEST_CELL}"


def begins_with_bootstrap(notebook) -> Problems:
    number, first = next(_code(notebook), (0, None))
    if first is None or first.source != bootstrap_source():
        yield number, "the first code cell must be, word for word:\n" + bootstrap_source()


def outputs_are_stored(notebook) -> Problems:
    for number, cell in _code(notebook):
        shown = [line.value for line in _statements(cell.source) if isinstance(line, ast.Expr)]
        calls = [ast.unparse(value.func).split(".")[-1] for value in shown if isinstance(value, ast.Call)]
        if not cell.outputs and any(re.match("print|display|show", call) for call in calls):
            yield number, "prints or shows something and stores no output"


def no_widgets(notebook) -> Problems:
    if "widgets" in notebook.metadata:
        yield 0, "stores widget state"
    for number, cell in _code(notebook):
        if any(WIDGET in output.get("data", {}) for output in cell.outputs):
            yield number, "stores a widget: run the lesson --in-place"


def figures_have_a_sentence(notebook) -> Problems:
    for number, cell in _code(notebook):
        figures = [output for output in cell.outputs if "image/png" in output.get("data", {})]
        if any("image/svg+xml" in output.get("data", {}) for output in cell.outputs):
            yield number, "stores an SVG figure: use PNG"
        if len(figures) > 1:
            yield number, "shows more than one figure: the site has room for one alternative text"
        for figure in figures:
            alt = figure.metadata.get("image/png", {}).get("alt", "")
            if len(alt.split()) < 3 or is_file_name(alt):
                yield number, f"shows a figure whose alternative text is no sentence: {alt!r}"
            elif cell.metadata.get("mystnb", {}).get("image", {}).get("alt") != alt:
                yield number, "has a figure's alternative text that the site does not know: run the lesson --in-place"


def time_is_stated(notebook) -> Problems:
    course = notebook.metadata.get("course", {})
    if not isinstance(course.get("budget_seconds"), (int, float)):
        yield 0, 'has no budget: notebook metadata {"course": {"budget_seconds": 180}}'
    expected = runs_in(course["minutes"]) if "minutes" in course else "**Runs in** …, from course.minutes"
    first = notebook.cells[0].source if notebook.cells else ""
    stated = RUNS_IN.search(first)
    if stated is None or stated.group() != expected:
        yield 1, f"must say {expected!r}: write the sentence and run the lesson --in-place"


CHECKS = (
    executed_in_order,
    errors_only_where_announced,
    known_tags,
    nothing_volatile_compared,
    ignored_output_is_asserted,
    plain_python,
    short_cells,
    begins_with_bootstrap,
    outputs_are_stored,
    no_widgets,
    figures_have_a_sentence,
    time_is_stated,
)


def _code(notebook):
    return ((number, cell) for number, cell in enumerate(notebook.cells, 1) if cell.cell_type == "code")


def _tags(cell) -> set:
    return set(cell.metadata.get("tags", ())) if cell is not None else set()


def _compared(cell) -> Iterator[str]:
    """The texts of `cell`'s outputs that nbval compares."""
    for output in cell.outputs:
        if "text" in output:
            yield output.text
        for kind, text in output.get("data", {}).items():
            if kind.startswith("text/"):
                yield text


def _without_help(source: str) -> str:
    return re.sub(r"^\s*(\?{1,2}[\w.]+|[\w.]+\?{1,2})\s*$", "None", source, flags=re.MULTILINE)  # `vgg_block??`


def _statements(source: str) -> list:
    try:
        return ast.parse(_without_help(source)).body
    except SyntaxError:  # reported by plain_python
        return []


def _nodes(source: str, kind):
    return (node for statement in _statements(source) for node in ast.walk(statement) if isinstance(node, kind))
