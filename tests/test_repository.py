"""The repository's own promises: dependencies stated once, imports in one direction, small modules."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
MODULES = sorted(path for folder in ("course_lib", "course_tools") for path in (REPOSITORY / folder).rglob("*.py"))
PINS = [
    Requirement(line)
    for line in (REPOSITORY / "constraints.txt").read_text().splitlines()
    if line and not line.startswith("#")
]


def test_environment_yml_installs_this_package_with_the_extras_of_make():
    environment = yaml.safe_load((REPOSITORY / "environment.yml").read_text())
    *conda, pip = environment["dependencies"]
    assert environment["channels"] == ["conda-forge"]
    assert pip == {"pip": ["-c constraints.txt", "-e .[lessons,tests]"]}
    assert '-e ".[lessons,tests]"' in (REPOSITORY / "Makefile").read_text()
    (python,) = [line.removeprefix("python=") for line in conda if line.startswith("python=")]
    assert SpecifierSet(PROJECT["requires-python"]).contains(python)
    assert "pip" in conda


@pytest.mark.parametrize("extra", ["", *EXTRAS])
def test_constraints_pin_what_pyproject_asks_for(extra):
    pins = {}
    for pin in PINS:
        pins.setdefault(canonicalize_name(pin.name), []).append(pin.specifier)
    for line in EXTRAS[extra] if extra else PROJECT["dependencies"]:
        asked = Requirement(line)
        assert canonicalize_name(asked.name) in pins, f"{asked.name} is not in constraints.txt"
        for pinned in pins[canonicalize_name(asked.name)]:
            version = str(pinned).removeprefix("==")
            assert asked.specifier.contains(version), f"{asked} against {version}"


def test_every_requirement_is_a_range_that_doctor_can_read():
    for line in sum(EXTRAS.values(), PROJECT["dependencies"]):
        assert re.fullmatch(r"[A-Za-z][\w.-]*>=\d+(\.\d+)*", line), line


@pytest.mark.parametrize("machine", ["Linux x86_64", "Linux aarch64", "Darwin arm64", "Windows AMD64"])
def test_one_torch_and_its_torchvision_are_pinned_on_every_machine(machine):
    here = dict(zip(("platform_system", "platform_machine"), machine.split()))
    pins = [f"{pin.name}{pin.specifier}" for pin in PINS if pin.marker and pin.marker.evaluate(here)]
    old, new = ["torch==2.9.1", "torchvision==0.24.1"], ["torch==2.14.1", "torchvision==0.29.1"]
    assert pins == (old if machine == "Linux aarch64" else new)


def imported(path: Path) -> set[str]:
    """The modules that `path` imports anywhere, in full, inside functions too."""
    package = path.relative_to(REPOSITORY).parent.parts
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            names |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return names


def course_modules(path: Path) -> set[str]:
    """The modules of course_lib that `path` imports."""
    return {name.split(".")[1] for name in imported(path) if name.startswith("course_lib.")}


@pytest.mark.parametrize("path", sorted((REPOSITORY / "course_lib").glob("*.py")), ids=lambda path: path.name)
def test_course_lib_never_imports_course_tools(path):
    assert not [name for name in imported(path) if name.split(".")[0] == "course_tools"]


NETS = {"_checks", "alexnet", "dense", "googlenet", "resnet", "vgg", "weights", "zfnet"}
FIELDS = {"receptive_field", "trace", "trace_field", "trace_layout", "trace_rules", "trace_table"}
DATA = {"data", "folders", "idx", "photographs"}
ALLOWED = {  # what each group of modules may import of course_lib, besides its own
    "nets": (NETS, set()),
    "trace": (FIELDS, {"_checks"}),
    "data": (DATA, {"_checks", "device", "distributed"}),
    "plots": ({"plots"}, set()),
    "device": ({"device"}, set()),
    "distributed": ({"distributed"}, set()),
    "training": ({"train", "evaluation", "checkpoint"}, {"_checks", "device", "distributed", "history", "progress"}),
    "history": ({"history"}, {"plots"}),
    "progress": ({"progress"}, {"history", "plots"}),
}


@pytest.mark.parametrize("group", ALLOWED)
def test_imports_run_one_way(group):
    modules, others = ALLOWED[group]
    for name in modules:
        used = course_modules(REPOSITORY / "course_lib" / f"{name}.py") - {name}
        assert used <= modules | others, f"{name} imports {used - modules - others}"


def test_every_module_of_course_lib_has_its_place_in_the_order():
    placed = set().union(*(modules for modules, _ in ALLOWED.values())) | {"__init__", "__main__", "recipes"}
    assert {path.stem for path in (REPOSITORY / "course_lib").glob("*.py")} <= placed, "add the new module to ALLOWED"


def test_importing_course_lib_costs_what_importing_torch_costs():
    heavy = {"torchvision", "matplotlib", "tqdm", "rich", "pooch", "IPython", "pandas", "scipy", "PIL"}
    script = "import sys, torch; before = set(sys.modules); import course_lib; print(*set(sys.modules) - before)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert not heavy & {name.split(".")[0] for name in loaded.stdout.split()}


def test_course_lib_chooses_no_device_and_draws_no_random_number_at_import():
    script = (
        "import torch; state = torch.get_rng_state(); threads = torch.get_num_threads(); import course_lib;"
        "assert torch.equal(state, torch.get_rng_state()) and threads == torch.get_num_threads();"
        "assert torch.get_default_device().type == 'cpu' and torch.get_default_dtype() == torch.float32"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=REPOSITORY)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_module_is_small_enough_to_read(path):
    assert len(path.read_text().splitlines()) <= 250


def test_course_lib_stays_small():
    lines = 0
    for path in (REPOSITORY / "course_lib").glob("*.py"):
        docstrings = set()
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node):
                docstrings |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
        for number, line in enumerate(path.read_text().splitlines(), 1):
            lines += number not in docstrings and bool(line.strip()) and not line.strip().startswith("#")
    assert lines <= 2200  # an hour's reading at 40 lines a minute


def tracked():
    if not (REPOSITORY / ".git").exists():  # downloaded as an archive: what it holds
        return [*MODULES, *(REPOSITORY / "tests").glob("*.py")]
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return [REPOSITORY / name for name in listing.stdout.split("\0") if name and (REPOSITORY / name).is_file()]


def test_no_tracked_text_names_a_folder_of_one_machine():
    # Built from parts, so that this file does not name one itself.
    folders = "|".join(["ho" + "me/[a-z]", "Us" + "ers/[a-z]", "ro" + "ot/", "wo" + "rk/(main|shared)", "tm" + "p/bash"])
    pattern = re.compile(rf"(?<![\w.])/({folders})")
    allowed = {"tests/test_notebooks.py"}  # plants such paths, to see them found
    for path in tracked():
        if path.suffix in (".gz", ".png", ".jpg") or path.relative_to(REPOSITORY).as_posix() in allowed:
            continue
        match = pattern.search(path.read_text(encoding="utf-8"))
        assert not match, f"{path.relative_to(REPOSITORY)} names {match.group()}"


def test_no_tracked_file_is_one_that_a_run_makes():
    for path in tracked():
        assert not {".ipynb_checkpoints", "__pycache__", "build"} & set(path.parts)
        assert path.suffix not in (".pyc", ".pt", ".pth")
