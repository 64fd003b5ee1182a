"""preflight: small lessons that pass, that print something else and that fail, and an environment with a hole."""

import argparse
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import types
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
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "cannot be tried" in page and "nbval: missing" in page and "pip install nbval" in page
    suite = ElementTree.parse(tmp_path / "report" / "report.xml").getroot().find("testsuite")
    assert suite.get("failures") == "1" and suite.find("testcase").get("name") == "nbval"


def test_what_is_optional_does_not_keep_lessons_from_being_tried(tmp_path, monkeypatch):
    shutil.copy(REPOSITORY / "notebooks" / "conftest.py", tmp_path)
    write_lesson(tmp_path / "01_good.ipynb", "print(1)", "1\n")
    other = doctor.Finding("Jupyter kernel", "python3 is another Python: /usr/bin/python3", "ipykernel install", needed=False)
    monkeypatch.setattr(doctor, "check_kernel", lambda: other)
    monkeypatch.setattr(doctor, "matmul_speed", lambda *arguments: doctor.REFERENCE["fp32"])
    assert run(tmp_path) == 0
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    for package in ("torch", "torchvision", "numpy", "matplotlib", "jupyterlab"):
        assert re.search(rf"{package} +│ +{re.escape(importlib.metadata.version(package))}", page), package


def outcome(seconds, budget=60, problem=""):
    return preflight.Outcome("04_vgg_blocks", seconds, budget, 1.0, problem, None)


def test_a_lesson_over_its_budget_is_not_ready_and_says_what_to_do(tmp_path, capsys):
    preflight.report([], [], [outcome(59), outcome(75)], tmp_path)
    printed = capsys.readouterr().out
    assert "75, too long" in printed and "59, too long" not in printed
    assert "75 seconds, where 60 are its budget" in printed and "`python -m course_tools preflight 04` once more" in printed
    assert "1 of 2 lessons are ready for class" in printed
    assert not outcome(75, budget=None).slow and not outcome(75, problem="Kernel died").slow


def test_little_memory_and_disk_get_a_sentence(tmp_path, monkeypatch, capsys):
    memory = types.SimpleNamespace(available=1.5 * 2**30, total=4 * 2**30)
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: types.SimpleNamespace(free=0.4 * 2**30))
    preflight.report([], [], [outcome(1)], tmp_path)
    printed = " ".join(capsys.readouterr().out.split())
    assert "Only 0.4 GiB of disk are free, and lessons need up to 2: delete" in printed
    assert "Only 1.5 GiB of memory are free, and lessons need up to 2: close" in printed
    memory.available = 3 * 2**30
    assert [sentence for sentence in preflight.scarce() if "memory" in sentence] == []


REFUSING = """
import socket

def refuse(connect):
    def only_here(self, address):
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise OSError("no network: " + str(address))
        return connect(self, address)
    return only_here

socket.socket.connect = refuse(socket.socket.connect)
socket.socket.connect_ex = refuse(socket.socket.connect_ex)
"""


def test_it_works_without_a_network(tmp_path, monkeypatch):
    shutil.copy(REPOSITORY / "notebooks" / "conftest.py", tmp_path)
    write_lesson(tmp_path / "01_good.ipynb", "print(1)", "1\n")
    asks = "import socket\ntry:\n    socket.create_connection(('192.0.2.1', 9), timeout=5)\nexcept OSError as error:\n    print(error)"
    write_lesson(tmp_path / "02_asks.ipynb", asks, "no network: ('192.0.2.1', 9)\n")
    (tmp_path / "refuse").mkdir()
    (tmp_path / "refuse" / "sitecustomize.py").write_text(REFUSING)
    code = ("import sys, argparse; from pathlib import Path; from course_tools import preflight\n"
            "folder = Path(sys.argv[1]); sys.exit(preflight.main(argparse.Namespace(names=[]), folder, folder / 'report'))")  # fmt: skip
    path = os.pathsep.join([str(tmp_path / "refuse"), str(REPOSITORY)])
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=os.environ | {"PYTHONPATH": path},
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 of 2 lessons are ready for class" in done.stdout


def test_names_that_no_lesson_has_are_refused(tmp_path):
    write_lesson(tmp_path / "01_good.ipynb", "print(1)", "1\n")
    with pytest.raises(ValueError, match="no lesson begins with '09'; there are 01_good"):
        run(tmp_path, "09")
