"""What doctor says where something is missing, too old or broken, and that it starts with nothing installed."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

from course_tools import doctor

REPOSITORY = Path(__file__).parents[1]


def finding(name):
    return next(found for found in doctor.check_packages() if found.what == name)


def test_everything_is_here_in_the_tested_environment():
    needed = [found for found in doctor.check_packages() if found.needed]
    assert {"torch", "torchvision", "jupyterlab", "nbclient", "torchinfo"} <= {found.what for found in needed}
    assert [found for found in needed if found.fix] == []


def test_missing_package_gets_a_sentence_and_its_command(monkeypatch):
    version = importlib.metadata.version

    def without_pooch(name):
        if name == "pooch":
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", without_pooch)
    found = finding("pooch")
    assert "missing" in found.found and found.needed
    assert found.fix.startswith(sys.executable) and '"pooch>=' in found.fix


def test_old_package_gets_a_sentence(monkeypatch):
    version = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "9.1rc1" if name == "rich" else version(name))
    assert "9.1rc1, 13 or newer is needed" in finding("rich").found


def test_broken_package_gets_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)  # installed, but importing it fails
    found = finding("tqdm")
    assert "broken" in found.found and "--force-reinstall" in found.fix


@pytest.mark.parametrize(
    "name, change, expected",
    [("train-images-idx3-ubyte.gz", None, "missing"), ("t10k-labels-idx1-ubyte.gz", b"short", "damaged")],
)
def test_missing_and_damaged_data_are_named_with_the_command(name, change, expected, tmp_path, monkeypatch):
    raw = tmp_path / "data" / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    (tmp_path / "pyproject.toml").touch()
    for path in (REPOSITORY / "data" / "FashionMNIST" / "raw").glob("*.gz"):
        if path.name != name:
            (raw / path.name).symlink_to(path)
        elif change is not None:
            (raw / path.name).write_bytes(change)
    monkeypatch.setattr(doctor, "REPOSITORY", tmp_path)
    found = doctor.check_data()
    assert name in found.found and expected in found.found
    assert "checkout -- data" in found.fix


def test_data_of_the_course_are_sound():
    assert doctor.check_data() == doctor.Finding("Fashion-MNIST", "four files, checksums right")


def test_machine_and_speed_are_described():
    lines = {found.what: found.found for found in [*doctor.describe_machine(), *doctor.describe_speed()]}
    assert {"cores", "memory", "disk", "lessons run on", "bf16 in hardware"} <= lines.keys()
    assert "GFLOP/s" in lines["matrix products, fp32"] and "GFLOP/s" in lines["matrix products, bf16"]


def test_requirements_of_an_installed_wheel_are_those_of_pyproject(monkeypatch, tmp_path):
    in_checkout = doctor.requirements()
    monkeypatch.setattr(doctor, "REPOSITORY", tmp_path)  # no pyproject.toml: ask the installed package
    lines = [f'{line} ; extra == "{extra}"' if extra else line for extra, line in in_checkout]
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: [*lines, "sphinx>=8 ; extra == 'site'"])
    assert doctor.requirements() == in_checkout


def test_starts_where_nothing_is_installed_and_says_what_to_install():
    # -S leaves out site-packages: there is no torch, no rich, nothing.
    command = [sys.executable, "-S", "-m", "course_tools", "doctor"]
    run = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert run.returncode == 1 and "Traceback" not in run.stderr, run.stderr
    assert "torch: missing" in run.stdout
    assert "needed things are missing" in run.stdout and '-c constraints.txt -e ".[lessons,tests]"' in run.stdout
