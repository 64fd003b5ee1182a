"""What `make grade` says when it cannot grade, and what grading without a sandbox costs."""

from argparse import Namespace
from pathlib import Path

import pytest

from course_tools import exercises, grade
from course_tools.grading import sandbox, start


def arguments(room, **changes):
    return Namespace(
        **{"submissions": str(room.submissions), "out": room.out, "unsafe": False, "workers": 1, **changes}
    )


def test_without_bubblewrap_it_refuses_and_says_how_to_get_it(new_class, solved, monkeypatch):
    new_class.hand_in("ada", solved)
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(ValueError, match=r"bwrap is not there(.|\n)*apt install bubblewrap(.|\n)*--unsafe"):
        grade.main(arguments(new_class))
    assert not new_class.out.exists()


def test_a_sandbox_that_does_not_start_is_refused_with_its_words(new_class, tmp_path, monkeypatch):
    (tmp_path / "bwrap").write_text("#!/bin/sh\necho 'setting up uid map: Permission denied' >&2\nexit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert "uid map: Permission denied" in sandbox.problem()


def test_a_machine_whose_system_calls_are_unknown_is_refused(monkeypatch):
    with pytest.raises(OSError, match="on x86_64 and aarch64; this machine is riscv64"):
        start.program("riscv64")
    read = Path.read_text
    other = "platform.machine = lambda: 'riscv64'\n\nif __name__"
    monkeypatch.setattr(Path, "read_text", lambda path, **options: read(path, **options).replace("if __name__", other))
    assert sandbox.problem() == (
        "bwrap stopped with: OSError: system calls can be forbidden on x86_64 and aarch64; this machine is riscv64"
    )


def test_unsafe_grades_without_bubblewrap(new_class, solved, handed_out, monkeypatch, capsys):
    new_class.hand_in("ada", solved)
    new_class.hand_in("bob", handed_out)
    monkeypatch.setattr("course_tools.grading.sandbox.problem", lambda: "must not be asked")
    assert grade.main(arguments(new_class, unsafe=True)) == 0
    assert "runs as you" in capsys.readouterr().out
    assert '"ada"' not in (new_class.out / "grades.csv").read_text()
    assert "ada,01_convolution_and_pooling,10,10" in (new_class.out / "grades.csv").read_text()
    assert "bob,01_convolution_and_pooling,0,10" in (new_class.out / "grades.csv").read_text()


def test_no_submissions_are_refused(new_class, tmp_path):
    with pytest.raises(ValueError, match="is empty; it should hold a folder for each student"):
        grade.main(arguments(new_class))
    with pytest.raises(ValueError, match="is no folder"):
        grade.main(arguments(new_class, submissions=str(tmp_path / "gone")))


def test_names_that_a_spreadsheet_would_run_are_kept_as_text(new_class, solved):
    new_class.hand_in("=1+1", solved)
    assert grade.main(arguments(new_class)) == 1
    assert "'=1+1,," in (new_class.out / "grades.csv").read_text()


def test_exercises_are_in_step_and_a_change_is_noticed_and_mended(tmp_path, capsys):
    check = Namespace(check=True)
    assert exercises.main(check) == 0
    folder = tmp_path / "exercises"
    assert exercises.main(check, exercises=folder) == 1 and not list(folder.iterdir())
    assert exercises.main(Namespace(check=False), exercises=folder) == 0
    path = folder / "01_convolution_and_pooling.ipynb"
    right = path.read_bytes()
    path.write_bytes(right.replace(b"Slide the kernel", b"Push the kernel"))
    (folder / "99_old.ipynb").write_bytes(right)
    assert exercises.main(check, exercises=folder) == 1
    assert "01_convolution_and_pooling.ipynb: out of step" in capsys.readouterr().out
    assert exercises.main(Namespace(check=False), exercises=folder) == 0
    assert path.read_bytes() == right and not (folder / "99_old.ipynb").exists()


@pytest.mark.parametrize("path", sorted(exercises.EXERCISES.glob("*.ipynb")), ids=lambda path: path.stem)
def test_nbgrader_itself_takes_the_solutions_and_hands_out_the_same(path, tmp_path):
    import nbformat

    from course_tools.grading.course import api, prepare

    prepare(tmp_path, exercises.SOLUTIONS, [path.stem])
    released = nbformat.read(tmp_path / "nbgrader" / "release" / path.stem / path.name, as_version=4)
    handed_out = nbformat.read(path, as_version=4)
    assert [cell.source for cell in released.cells] == [cell.source for cell in handed_out.cells]
    checksums = [
        [cell.metadata.get("nbgrader", {}).get("checksum") for cell in each.cells] for each in (released, handed_out)
    ]
    assert checksums[0] == checksums[1] and any(checksums[0])
    with api(tmp_path).gradebook as gradebook:
        assert gradebook.find_assignment(path.stem).max_score >= 6
