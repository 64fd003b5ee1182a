"""A wheel of the course, and the library used from it outside the repository."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from course_tools.bootstrap import bootstrap_source

REPOSITORY = Path(__file__).parents[1]
OFFLINE = {**os.environ, "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    # From a copy: building leaves build/ and egg-info behind, and the checkout's would get into the wheel.
    copy = folder / "source"
    for package in ("course_lib", "course_tools"):
        shutil.copytree(REPOSITORY / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, copy)
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder, copy]
    subprocess.run(pip, check=True, env=OFFLINE)
    (built,) = folder.glob("*.whl")
    return built


def python(folder: Path, target: Path, script: str, **environment):
    """Runs `script` in `folder` where only `target` and this environment's packages can be imported.

    With -S nothing reads the .pth files by which the checkout itself is installed.
    """
    path = os.pathsep.join([str(target), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
    return subprocess.run(
        [sys.executable, "-S", "-c", script],
        cwd=folder,
        env={**OFFLINE, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
    )


def test_wheel_holds_every_module_and_the_licence(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = [path for package in ("course_lib", "course_tools") for path in (REPOSITORY / package).rglob("*")]
    files = [path for path in modules if path.is_file() and "__pycache__" not in path.parts]
    expected = {path.relative_to(REPOSITORY).as_posix() for path in files}
    assert {name for name in names if name.startswith("course_")} == expected
    assert any(name.endswith("/LICENSE") for name in names)


def test_library_works_from_the_wheel_outside_the_repository(wheel, tmp_path):
    target = tmp_path / "target"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", target, wheel]
    subprocess.run(pip, check=True, env=OFFLINE)
    script = """
import course_lib, course_tools, course_tools.doctor
print(course_lib.__file__)
print(course_tools.__file__)
net = course_lib.vgg([(1, 8), (1, 16)], input_size=32, hidden=32)
print(course_lib.trace(net, (1, 1, 32, 32)).params, sum(weight.numel() for weight in net.parameters()))
"""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    run = python(elsewhere, target, script)
    assert run.returncode == 0, run.stderr
    library, tools, counts = run.stdout.splitlines()
    assert library.startswith(str(target)) and tools.startswith(str(target))
    traced, counted = counts.split()
    assert traced == counted


def test_bootstrap_cell_installs_the_library_where_it_is_missing(wheel, tmp_path):
    target = tmp_path / "target"
    script = bootstrap_source() + "\nimport course_lib\nprint(course_lib.__file__)"
    run = python(tmp_path, target, script, COURSE_SOURCE=str(wheel), PIP_TARGET=str(target))
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith(str(target))


def test_bootstrap_cell_says_what_to_set_where_no_source_is_known(tmp_path):
    run = python(tmp_path, tmp_path, bootstrap_source(source=""))
    assert run.returncode != 0
    assert "COURSE_SOURCE" in run.stderr.splitlines()[-1]


def test_bootstrap_cell_finds_a_checkout_that_was_not_installed(tmp_path):
    (tmp_path / "course_lib").mkdir()
    (tmp_path / "course_lib" / "__init__.py").touch()
    (tmp_path / "notebooks").mkdir()
    script = bootstrap_source(source="") + "\nimport course_lib\nprint(course_lib.__file__)"
    run = python(tmp_path / "notebooks", tmp_path / "nothing", script)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith(str(tmp_path / "course_lib"))
