"""Running lessons: what is written, what is reported, what is left alone; and the one form they are stored in."""

import argparse
import sys

import nbformat
import pytest
from nbformat import v4

from course_tools import __main__ as commands
from course_tools import lessons
from course_tools.bootstrap import FIRST_LINE, address, bootstrap_source
from course_tools.normalise import normalise, runs_in, stated_minutes, write
from course_tools.pages import to_html
from course_tools.plan import set_sections

FIGURE = """
import base64, os, sys
from IPython.display import display
png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
display({"image/png": png}, raw=True, metadata={"image/png": {"alt": "One grey dot, alone."}})
"""


def lesson(folder, name, *sources, **metadata):
    title = v4.new_markdown_cell(f"# {name}\n\n{runs_in(9)}, measured. It has $C^2$ weights.")
    cells = [title, *(v4.new_code_cell(source) for source in sources)]
    notebook = v4.new_notebook(cells=cells, metadata={"course": {"budget_seconds": 60}, **metadata})
    write(notebook, folder / f"{name}.ipynb")


def run(folder, *options):
    parser = argparse.ArgumentParser()
    lessons.add_arguments(parser)
    return lessons.main(parser.parse_args(options), folder / "notebooks", folder / "build")


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course of three lessons, one sound, one that fails and one whose kernel dies, after one run of it."""
    folder = tmp_path_factory.mktemp("course")
    (folder / "notebooks").mkdir()
    # A kernel of that name registered elsewhere must not be taken: the cell says which Python ran it.
    elsewhere = {"kernelspec": {"name": "another", "display_name": "Another"}}
    sound = "print(sys.executable, os.getcwd(), os.environ.get('MPLBACKEND'))"
    lesson(folder / "notebooks", "01_sound", FIGURE, sound, **elsewhere)
    lesson(folder / "notebooks", "02_fails", "x = 1", "# divide\nx / 0")
    lesson(folder / "notebooks", "03_dies", "import os\nos.kill(os.getpid(), 9)")
    before = {path.name: path.read_bytes() for path in (folder / "notebooks").iterdir()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "100")
        patch.setenv("MPLBACKEND", "Agg")
        printed = []
        patch.setattr("rich.console.Console.print", lambda self, *things, **_: printed.extend(map(_plain, things)))
        code = run(folder)
    return folder, before, code, "\n".join(printed)


def _plain(thing):
    from rich.table import Table

    if isinstance(thing, Table):
        return "\n".join(" ".join(row) for row in zip(*(map(str, column.cells) for column in thing.columns)))
    return str(thing)


def test_every_lesson_runs_although_one_before_it_failed(course):
    folder, _, code, printed = course
    assert code == 1
    assert {path.name for path in (folder / "build").iterdir()} == {
        f"{name}.{kind}" for name in ("01_sound", "02_fails", "03_dies") for kind in ("ipynb", "html")
    }


def test_failures_are_named_by_lesson_cell_line_and_error(course):
    printed = course[3]
    assert "02_fails: cell 3 (# divide): ZeroDivisionError: division by zero" in printed
    assert "03_dies: cell 2 (import os): the kernel died" in printed


def test_table_states_budget_and_outcome(course):
    table = [line.split() for line in course[3].splitlines()]
    outcomes = {row[0]: row for row in table if row and row[0] in ("01_sound", "02_fails", "03_dies")}
    assert "yes" in outcomes["01_sound"][-1] and "no" in outcomes["02_fails"][-1] and "no" in outcomes["03_dies"][-1]
    assert outcomes["01_sound"][2] == "60"
    assert int(outcomes["01_sound"][4]) > 20  # MiB; an empty kernel takes about 50
    assert "Over budget" not in course[3]


def test_table_states_the_slowest_cell_and_a_sentence_who_is_over_budget_without_failing(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    (tmp_path / "notebooks").mkdir()
    naps = ("import time\ntime.sleep(1)", "time.sleep(3)", "time.sleep(1)")
    lesson(tmp_path / "notebooks", "01_slow", *naps, course={"budget_seconds": 2.5})
    lesson(tmp_path / "notebooks", "02_free", "1", course={})
    assert run(tmp_path) == 0
    *lines, sentence = capsys.readouterr().out.splitlines()
    rows = {line.split()[1]: line.split("│")[2:5] for line in lines if line.startswith("│ 0")}
    seconds, budget, slowest = (cell.strip() for cell in rows["01_slow"])
    assert seconds.endswith(" (over)") and budget == "2.5" and int(seconds.removesuffix(" (over)")) >= 5
    assert 3 <= int(slowest) < int(seconds.removesuffix(" (over)")) - 1  # a nap of 3 s among two of 1 s
    assert rows["02_free"][1].strip() == "none"
    assert sentence.startswith("Over budget: 01_slow (") and " s of 2.5 s). Run again" in sentence and "02" not in sentence


def test_lesson_that_ran_no_cell_has_no_slowest_one():
    (row,) = zip(*(column.cells for column in lessons.table([("01", 60, lessons.Result(1.0, 0, "no kernel"))]).columns))
    assert row[:4] == ("01", "1", "60", "none")


def test_lessons_themselves_and_their_folder_stay_as_they_were(course):
    folder, before, _, _ = course
    assert {path.name: path.read_bytes() for path in (folder / "notebooks").iterdir()} == before


def test_kernel_is_this_python_in_the_lessons_folder_with_the_notebooks_own_figures(course):
    folder = course[0]
    notebook = nbformat.read(folder / "build" / "01_sound.ipynb", as_version=4)
    python, where, backend = notebook.cells[2].outputs[0].text.split()
    assert (python, where) == (sys.executable, str(folder / "notebooks"))
    assert "inline" in backend


def test_page_needs_no_network_and_keeps_formula_figure_and_details(course):
    page = (course[0] / "build" / "01_sound.html").read_text()
    assert "<script src=" not in page and "@import" not in page and "cdn" not in page.lower()
    assert "<msup><mi>C</mi><mn>2</mn></msup>" in page
    assert 'alt="One grey dot, alone."' in page


def test_details_stay_around_their_content():
    cell = v4.new_markdown_cell("<details><summary>Hint</summary>\n\nInside.\n\n</details>\n\nOutside.")
    page = to_html(v4.new_notebook(cells=[cell]), "title", ".")
    assert page.index("Hint") < page.index("Inside.") < page.index("</details>") < page.index("Outside.")


def test_in_place_stores_outputs_and_minutes_and_a_second_time_changes_nothing(tmp_path):
    (tmp_path / "notebooks").mkdir()
    lesson(tmp_path / "notebooks", "01_sound", FIGURE, "print(1, flush=True)\nprint(2)")
    assert run(tmp_path, "--in-place") == 0
    stored = (tmp_path / "notebooks" / "01_sound.ipynb").read_bytes()
    notebook = nbformat.reads(stored.decode(), as_version=4)
    assert notebook.cells[2].outputs[0].text == "1\n2\n"
    assert notebook.cells[1].metadata.mystnb.image.alt == "One grey dot, alone."
    assert notebook.metadata.course.minutes == 0.5 and runs_in(0.5) in notebook.cells[0].source
    assert run(tmp_path, "01", "--in-place") == 0
    assert (tmp_path / "notebooks" / "01_sound.ipynb").read_bytes() == stored


def test_in_place_keeps_a_lesson_that_fails_and_a_slow_cell_is_stopped(tmp_path, capsys):
    (tmp_path / "notebooks").mkdir()
    lesson(tmp_path / "notebooks", "01_slow", "import time\ntime.sleep(60)")
    before = (tmp_path / "notebooks" / "01_slow.ipynb").read_bytes()
    assert run(tmp_path, "--in-place", "--timeout", "1") == 1
    assert "cell 2 (import time): took longer than 1 s" in capsys.readouterr().out
    assert (tmp_path / "notebooks" / "01_slow.ipynb").read_bytes() == before


def test_unknown_lesson_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match="no lessons"):
        lessons.find([], tmp_path)
    for name in ("04_vgg", "01_start"):
        lesson(tmp_path, name)
    assert [path.stem for path in lessons.find([], tmp_path)] == ["01_start", "04_vgg"]
    assert [path.stem for path in lessons.find(["04"], tmp_path)] == ["04_vgg"]
    with pytest.raises(ValueError, match="'05'.*01_start, 04_vgg"):
        lessons.find(["05"], tmp_path)


def untidy_notebook():
    """What a notebook looks like after a day in an editor."""
    stream = [v4.new_output("stream", name="stdout", text=f"{line}\n") for line in "ab"]
    widget = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "bar"}
    timed = {"execution": {"iopub.execute_input": "2026"}, "collapsed": True, "tags": ["raises-exception"]}
    cells = [
        v4.new_markdown_cell(f"# T\n\n{runs_in(7)}."),
        v4.new_code_cell(f"{FIRST_LINE}\nimport course_lib", execution_count=4),
        v4.new_code_cell("x", execution_count=9, outputs=[*stream, v4.new_output("display_data", widget)], metadata=timed),
        v4.new_code_cell("y", outputs=[v4.new_output("execute_result", {"text/plain": "1"}, execution_count=11)]),
    ]
    cells[3].execution_count = 11
    metadata = {
        "course": {"minutes": 1, "budget_seconds": 60},
        "kernelspec": {"name": "mine", "display_name": "Mine"},
        "language_info": {"name": "python", "version": "3.11.7"},
        "widgets": {"state": {}},
        "colab": {"provenance": []},
    }
    notebook = v4.new_notebook(cells=cells, metadata=metadata)
    cells[2].id = cells[1].id = "same"
    cells[3].id = "not valid!"
    return notebook


def test_normalised_notebook_is_tidy_and_keeps_what_the_author_wrote():
    notebook = untidy_notebook()
    normalise(notebook)
    nbformat.validate(notebook)
    assert set(notebook.metadata) == {"course", "kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3" and "version" not in notebook.metadata.language_info
    assert [cell.id for cell in notebook.cells[1:]] == ["same", "cell-3", "cell-4"]
    assert [cell.execution_count for cell in notebook.cells[1:]] == [1, 2, 3]
    assert notebook.cells[1].source == bootstrap_source()
    assert notebook.cells[2].metadata == {"tags": ["raises-exception"]}
    assert [output.text for output in notebook.cells[2].outputs] == ["a\nb\n"]
    assert notebook.cells[3].outputs[0].execution_count == 3
    assert "about 1 minute on" in notebook.cells[0].source


def test_normalising_twice_is_normalising_once(tmp_path):
    notebook = untidy_notebook()
    normalise(notebook)
    write(notebook, tmp_path / "lesson.ipynb")
    once = (tmp_path / "lesson.ipynb").read_text()
    again = nbformat.read(tmp_path / "lesson.ipynb", as_version=4)
    normalise(again)
    write(again, tmp_path / "lesson.ipynb")
    assert (tmp_path / "lesson.ipynb").read_text() == once and once.endswith("}\n")


def test_cell_that_was_not_executed_gets_no_count():
    notebook = v4.new_notebook(cells=[v4.new_code_cell("x"), v4.new_code_cell("y", execution_count=7)])
    normalise(notebook)
    assert [cell.execution_count for cell in notebook.cells] == [None, 1]


def test_notebook_that_breaks_the_format_leaves_the_stored_one_alone(tmp_path):
    lesson(tmp_path, "01")
    before = (tmp_path / "01.ipynb").read_bytes()
    broken = v4.new_notebook(cells=[v4.new_markdown_cell("x")])
    broken.cells[0].cell_type = "nonsense"
    with pytest.raises(nbformat.ValidationError):
        write(broken, tmp_path / "01.ipynb")
    assert (tmp_path / "01.ipynb").read_bytes() == before and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    "seconds, stated, expected",
    [(1, None, 0.5), (30, None, 0.5), (31, None, 1), (119, 2, 2), (149, 2, 2), (190, 2, 3.5), (20, 2, 0.5), (330, 4, 4)],
)
def test_stated_minutes_change_only_when_they_are_wrong(seconds, stated, expected):
    assert stated_minutes(seconds, stated) == expected


def test_bootstrap_installs_the_repository_at_this_version_once_it_is_known(tmp_path):
    project = '[project]\nversion = "1.2.0"\n'
    (tmp_path / "pyproject.toml").write_text(project)
    assert address(tmp_path / "pyproject.toml") == ""
    (tmp_path / "pyproject.toml").write_text(f'{project}urls = {{Repository = "https://example.org/course"}}\n')
    assert address(tmp_path / "pyproject.toml") == "git+https://example.org/course@v1.2.0"
    assert len(bootstrap_source().splitlines()) <= 15


def test_missing_package_is_one_sentence_with_the_command(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ipykernel", None)  # importing it fails as if it were not installed
    assert commands.main(["lessons"]) == 1
    message = capsys.readouterr().err
    assert "ipykernel is missing" in message and "-c constraints.txt" in message


def test_unknown_lesson_and_command_are_refused_in_one_line(capsys):
    assert commands.main(["lessons", "99"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    with pytest.raises(SystemExit) as ending:
        commands.main(["lesons"])
    assert ending.value.code == 2 and "lessons" in capsys.readouterr().err


def test_solutions_are_run_where_they_lie(tmp_path):
    (tmp_path / "notebooks" / "solutions").mkdir(parents=True)
    lesson(tmp_path / "notebooks" / "solutions", "01_solved", "print(6 * 7)")
    assert run(tmp_path, "--solutions") == 0
    assert "42" in (tmp_path / "build" / "01_solved.ipynb").read_text()


def test_in_place_stores_the_seconds_of_sections(tmp_path):
    (tmp_path / "notebooks").mkdir()
    lesson(tmp_path / "notebooks", "01_slow", "import time", "time.sleep(2)", "time.sleep(7)")
    path = tmp_path / "notebooks" / "01_slow.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].source += "\n\n| section | | minutes |\n|---|---|---|\n| Naps | core | 4 |\n| Nights | optional | 5 |\n"
    notebook.cells.insert(2, v4.new_markdown_cell("## Naps (core, 4 minutes)"))
    notebook.cells.insert(4, v4.new_markdown_cell("## Nights (optional, 5 minutes)"))
    write(notebook, path)
    assert run(tmp_path, "--in-place") == 0
    notebook = nbformat.read(path, as_version=4)
    assert set(notebook.metadata.course.sections) == {"Naps", "Nights"}
    assert 2 <= notebook.metadata.course.sections["Naps"] < 7 <= notebook.metadata.course.sections["Nights"]
    notebook.metadata.course.sections = {"Naps": 5, "Nights": 600}
    set_sections(notebook, [0.1, 1.0, 0.1, 2.0, 0.1, 7.0])
    assert notebook.metadata.course.sections == {"Naps": 5, "Nights": 7}  # about right stays, far off is replaced
