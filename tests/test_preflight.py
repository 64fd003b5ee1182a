"""preflight: small lessons that pass, that print something else and that fail, and an environment with a hole."""

import argparse
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import nbformat
import pytest

from course_tools import doctor, preflight

REPOSITORY = Path(__file__).parents[1]


def write_lesson(path, source, stored):
    cell = nbformat.v4.new_code_cell(source, execution_count=1)
    cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=stored)]
    notebook = nbformat.v4.new_notebook(cells=[cell])
    notebook.metadata.update(kernelspec={"name": "python3", "display_name": "Python 3", "language": "python"},
                             course={"budget_seconds": 60, "minutes": 0.5})
    nbformat.write(notebook, path)


def run(folder, *names):
    return preflight.main(argparse.Namespace(names=list(names)), folder, folder / "report")


@pytest.fixture(scope="module")
def tried(tmp_path_factory):
    """The folder of three lessons and a solution, and what a run over all of them printed and returned."""
    folder = tmp_path_factory.mktemp("lessons")
    shutil.copy(REPOSITORY / "notebooks" / "conftest.py", folder)
    (folder / "solutions").mkdir()
    write_lesson(folder / "01_good.ipynb", "print(6 * 7)", "42\n")
    write_lesson(folder / "02_differs.ipynb", "print(6 * 7)", "43\n")
    write_lesson(folder / "03_fails.ipynb", "import no_such_package", "")
    write_lesson(folder / "solutions" / "01_solved.ipynb", "print(1)", "1\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(doctor, "matmul_speed", lambda *arguments: 2 * doctor.REFERENCE["fp32"])
        code = run(folder)
    return folder, code


def test_what_fails_in_class_is_found_and_told_how_to_mend(tried):
    folder, code = tried
    page = (folder / "report" / "report.html").read_text(encoding="utf-8")
    assert code == 1 and "2 of 4 lessons are ready for class" in page
    differs, fails = (page[page.index(f"{name}, "):][:1500] for name in ("02_differs", "03_fails"))
    assert "Cell outputs differ" in differs and "make" not in differs[:differs.index("To mend it")]
    assert "compare build/lessons/" in differs
    assert "No module named" in fails and "course_tools doctor" in fails
    for name in ("01_good", "01_solved"):
        assert f"{name}, " not in page and name in page


def test_the_xml_report_counts_the_same(tried):
    folder, _ = tried
    suites = ElementTree.parse(folder / "report" / "report.xml").getroot()
    results = {suite.get("name"): int(suite.get("failures")) + int(suite.get("errors")) for suite in suites}
    assert results == {"01_good": 0, "02_differs": 1, "03_fails": 1, "01_solved": 0}


def test_nothing_is_left_beside_the_lessons(tried):
    folder, _ = tried
    left = {path.name for path in folder.iterdir()} - {"__pycache__"}
    assert left == {"conftest.py", "01_good.ipynb", "02_differs.ipynb", "03_fails.ipynb", "solutions", "report"}


def test_a_laptop_takes_longer_by_the_ratio_of_the_machines(tmp_path):
    shutil.copy(REPOSITORY / "notebooks" / "conftest.py", tmp_path)
    write_lesson(tmp_path / "01.ipynb", "print(1)", "1\n")
    outcome = preflight.try_lesson(tmp_path / "01.ipynb", slowness=3.0)
    assert outcome.laptop_minutes == pytest.approx(3 * outcome.seconds / 60)
    assert (outcome.budget, outcome.problem, outcome.mending) == (60, "", "")
    on_a_gpu = preflight.try_lesson(tmp_path / "01.ipynb", slowness=None)
    assert on_a_gpu.laptop_minutes == 0.5  # what the lesson states


def test_a_hole_in_the_environment_gets_a_sentence_and_its_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(doctor, "check_packages", lambda: [doctor.Finding("nbval", "missing", "pip install nbval", False)])
    assert run(tmp_path) == 1
    printed = capsys.readouterr().out
    assert "cannot be tried" in printed and "nbval: missing" in printed and "pip install nbval" in printed


def test_names_that_no_lesson_has_are_refused(tmp_path):
    write_lesson(tmp_path / "01_good.ipynb", "print(1)", "1\n")
    with pytest.raises(ValueError, match="no lesson begins with '09'; there are 01_good"):
        run(tmp_path, "09")
