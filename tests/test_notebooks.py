"""Every stored lesson passes every check, and each check notices its fault in a notebook where it was planted."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from course_tools.bootstrap import bootstrap_source
from course_tools.notebook_checks import problems
from course_tools.normalise import runs_in

REPOSITORY = Path(__file__).parents[1]
LESSONS = sorted((REPOSITORY / "notebooks").rglob("*.ipynb"))
LESSONS = [path for path in LESSONS if ".ipynb_checkpoints" not in path.parts and "exercises" not in path.parts]


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_lesson_passes_every_check(path):
    assert problems(path) == []


def test_nbval_collects_every_lesson():
    # One process for all: nbval parses the files, no kernel starts.
    command = [sys.executable, "-m", "pytest", "--nbval", "notebooks", "--collect-only", "-q", "-p", "no:cacheprovider"]
    listing = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True).stdout
    collected = {line.split("::")[0] for line in listing.splitlines() if ".ipynb::" in line}
    assert collected == {path.relative_to(REPOSITORY).as_posix() for path in LESSONS}


ALT = "The loss falls from 2.3 to 0.4 in five epochs."


def sound_notebook():
    """A notebook with something of everything and no fault: cells 1 to 7."""
    png = {"image/png": "aGVsbG8=", "text/plain": ALT}
    figure = v4.new_output("display_data", data=png, metadata={"image/png": {"alt": ALT}})
    error = v4.new_output("error", ename="ValueError", evalue="no", traceback=["ValueError: no"])
    timing = v4.new_output("stream", text="took 12.3 ms\n")
    notebook = v4.new_notebook(
        cells=[
            v4.new_markdown_cell(f"# A lesson\n\n{runs_in(2)} (measured).\n\n![A black dot on white](dot.png)"),
            v4.new_code_cell(bootstrap_source()),
            v4.new_code_cell("print(1)", outputs=[v4.new_output("stream", text="1\n")]),
            v4.new_code_cell("show(fig)", outputs=[figure], metadata={"mystnb": {"image": {"alt": ALT}}}),
            v4.new_code_cell("fail()", outputs=[error], metadata={"tags": ["raises-exception"]}),
            v4.new_code_cell("time()", outputs=[timing], metadata={"tags": ["nbval-ignore-output"]}),
            v4.new_code_cell("assert seconds < 9\nshow??"),
            v4.new_markdown_cell("## A section\n\n[Why](other.md), $x^2$ and `code`, {braces} and 5 ms."),
        ],
        metadata={"course": {"budget_seconds": 60, "minutes": 2}},
    )
    for count, cell in enumerate((cell for cell in notebook.cells if cell.cell_type == "code"), 1):
        cell.execution_count = count
    return notebook


def problems_of(notebook, folder):
    (folder / "dot.png").touch()
    (folder / "other.md").touch()
    nbformat.write(notebook, folder / "lesson.ipynb")
    return problems(folder / "lesson.ipynb")


def test_sound_notebook_has_no_problem(tmp_path):
    assert problems_of(sound_notebook(), tmp_path) == []


def source(number, text):
    def plant(notebook):
        notebook.cells[number - 1].source = text

    return plant


def printed(text):
    def plant(notebook):
        notebook.cells[2].outputs[0].text = text

    return plant


def text(added):
    def plant(notebook):
        notebook.cells[7].source += f"\n\n{added}"

    return plant


def cell(number, **changes):
    def plant(notebook):
        notebook.cells[number - 1].update(nbformat.from_dict(changes))

    return plant


def figure(alt):
    def plant(notebook):
        notebook.cells[3].outputs[0].metadata = nbformat.from_dict({"image/png": {"alt": alt}})

    return plant


def output(number, **data):
    def plant(notebook):
        notebook.cells[number - 1].outputs.append(v4.new_output("display_data", data=data))

    return plant


def course(**changes):
    def plant(notebook):
        notebook.metadata.course.update(changes)
        for key in [key for key, value in changes.items() if value is None]:
            del notebook.metadata.course[key]

    return plant


WIDGET = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}}

FAULTS = {
    "never executed": (cell(3, execution_count=None), 3, "execution count None"),
    "executed out of order": (cell(3, execution_count=9), 3, "execution count 9, expected 2"),
    "empty cell": (source(3, " \n"), 3, "empty code cell"),
    "error stored": (cell(5, metadata={}), 5, "stores an error"),
    "error missing": (cell(5, outputs=[]), 5, "stores no error"),
    "misspelt tag": (cell(3, metadata={"tags": ["nbval-ignore-ouput"]}), 3, "'nbval-ignore-ouput'"),
    "skipped cell": (cell(3, metadata={"tags": ["nbval-skip"]}), 3, "'nbval-skip'"),
    "comment for nbval": (source(3, "# NBVAL_IGNORE_OUTPUT\nprint(1)"), 3, "by a comment"),
    "address": (printed("<Net at 0x7f3a52bc1d90>"), 3, "a memory address"),
    "milliseconds": (printed("3 loops, 12.3 ms each"), 3, "a timing"),
    "seconds": (printed("done in 2.41 s"), 3, "a timing"),
    "rate": (printed("12.1it/s"), 3, "a timing"),
    "path": (printed("saved to /home/somebody/net.bin"), 3, "an absolute path"),
    "Windows path": (printed("saved to C:\\Users"), 3, "an absolute path"),
    "date": (printed("run of 2026-01-31"), 3, "a date"),
    "progress bar": (printed("100%|█████| 5/5"), 3, "a progress bar"),
    "device": (printed("tensor(1., device='cuda:0')"), 3, "a device's name"),
    "bare figure": (printed("<Figure size 640x480 with 1 Axes>"), 3, "a figure without"),
    "volatile HTML": (output(3, **{"text/html": "<td>9.9 ms</td>"}), 3, "a timing"),
    "nothing asserted": (source(7, "print"), 6, "must assert"),
    "shell line": (source(3, "!ls"), 3, "shell or magic"),
    "captured shell line": (source(3, "files = !ls"), 3, "shell or magic"),
    "magic": (source(3, "%pip install x"), 3, "shell or magic"),
    "cell magic": (source(3, "%%bash\nls"), 3, "shell or magic"),
    "semicolon": (source(3, "print(1);"), 3, "semicolon"),
    "silenced error": (source(3, "try:\n    x()\nexcept ValueError:\n    pass"), 3, "except: pass"),
    "not Python": (source(3, "print 1"), 3, "is not Python"),
    "long cell": (source(3, "x = 1\n" * 16), 3, "16 lines"),
    "other bootstrap": (source(2, "import course_lib"), 2, "word for word"),
    "output missing": (cell(3, outputs=[]), 3, "stores no output"),
    "figure missing": (cell(4, outputs=[]), 4, "stores no output"),
    "widget state": (lambda notebook: notebook.metadata.update(widgets={"state": {}}), 0, "widget state"),
    "widget": (output(3, **WIDGET), 3, "stores a widget"),
    "no alternative text": (figure(""), 4, "no sentence"),
    "file name for text": (figure("my loss curve.png"), 4, "no sentence"),
    "text not on the site": (cell(4, metadata={}), 4, "does not know"),
    "SVG": (output(3, **{"image/svg+xml": "<svg/>"}), 3, "SVG"),
    "two figures": (output(4, **{"image/png": "aGVsbG8="}), 4, "more than one figure"),
    "no budget": (course(budget_seconds=None), 0, "no budget"),
    "no minutes": (course(minutes=None), 1, "must say"),
    "minutes not as measured": (course(minutes=3), 1, "about 3 minutes"),
    "no title": (source(1, f"## A lesson\n\n{runs_in(2)}."), 1, "title"),
    "second title": (text("# Another"), 8, "second heading"),
    "heading skipped": (text("#### Too deep"), 8, "level 4 under one of level 2"),
    "directive": (text("```{note}\nHello\n```"), 8, "directive"),
    "colon directive": (text("::: note\nHello\n:::"), 8, "directive"),
    "role": (text("See {ref}`here`."), 8, "role"),
    "footnote": (text("So it is[^1]."), 8, "footnote"),
    "dead link": (text("[Gone](gone.md#there)"), 8, "gone.md"),
    "dead link in HTML": (text('<a href="gone.md">Gone</a>'), 8, "gone.md"),
    "link into one machine": (text("[Mine](/home/me/notes.md)"), 8, "one machine"),
    "picture without text": (text("![](dot.png)"), 8, "no sentence"),
    "HTML picture without text": (text('<img src="dot.png">'), 8, "no sentence"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_planted_fault_is_noticed(name, tmp_path):
    plant, number, expected = FAULTS[name]
    notebook = sound_notebook()
    plant(notebook)
    found = problems_of(notebook, tmp_path)
    assert any(problem.startswith(f"lesson.ipynb cell {number}: ") and expected in problem for problem in found), found
