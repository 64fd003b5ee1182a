"""What is here, what will run how fast, what is missing and the command that gets it.

    python -m course_tools doctor

Needs nothing but Python itself, so that it can say what else is missing. Exit code 1: something needed is.
"""

import importlib
import importlib.metadata
import json
import os
import platform
import re
import shutil
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
PROJECT = "from-convolution-to-vgg"
PIP = f"{sys.executable} -m pip install"
# Matrix products of 2048 x 2048, in GFLOP/s, on the two-core machine whose minutes the lessons state.
REFERENCE = {"fp32": 228, "bf16": 963}
MODULES = {"pillow": "PIL"}  # packages imported under another name


@dataclass
class Finding:
    """One line of the report; `fix` is the command that gets what is missing or broken, else empty."""

    what: str
    found: str
    fix: str = ""
    needed: bool = True


def add_arguments(parser) -> None:
    parser.add_argument("--fast", action="store_true", help="leave out the measurements")


def main(arguments) -> int:
    """Prints the report and returns the exit code."""
    findings = [check_python(), *check_packages(), check_d2l(), check_kernel(), check_data()]
    report("What is here", findings)
    report("This machine", [*describe_machine(), *([] if arguments.fast else describe_speed())])
    missing = [finding for finding in findings if finding.fix and finding.needed]
    if len(missing) > 3 and (REPOSITORY / "pyproject.toml").exists():
        print(f"{len(missing)} needed things are missing. In {REPOSITORY}:")
        print(f'  {PIP} -c constraints.txt -e ".[lessons,tests]"')
        return 1
    for finding in findings:
        if finding.fix:
            print(f"{finding.what}{'' if finding.needed else ' (optional)'}:\n  {finding.fix}")
    print("Something needed is missing: see above." if missing else "Everything needed is here.")
    return int(bool(missing))


def check_python() -> Finding:
    good = sys.version_info >= (3, 11)
    return Finding("Python", platform.python_version(), "" if good else "install Python 3.11 or newer (python.org)")


def check_packages() -> list[Finding]:
    """One finding for each package that the library and the lessons need, and the tests'."""
    findings = []
    for extra, requirement in requirements():
        name, minimum = re.match(r"([\w.-]+)>=([\d.]+)", requirement).groups()
        fix = f'{PIP} "{name}>={minimum}"'
        needed = extra != "tests"
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            findings.append(Finding(name, f"missing, {minimum} or newer is needed", fix, needed))
            continue
        if numbers(version) < numbers(minimum):
            findings.append(Finding(name, f"{version}, {minimum} or newer is needed", fix, needed))
        elif needed and (error := import_error(MODULES.get(name, name))):
            findings.append(Finding(name, f"{version}, but broken: {error}", f"{fix} --force-reinstall --no-deps"))
        else:
            findings.append(Finding(name, version))
    return findings


def requirements() -> list[tuple[str, str]]:
    """Pairs of extra ("" for the library itself) and requirement, such as ("tests", "pytest>=8")."""
    if (REPOSITORY / "pyproject.toml").exists():
        project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        groups = {"": project["dependencies"], **project["optional-dependencies"]}
        return [(extra, line) for extra in ("", "lessons", "tests") for line in groups[extra]]
    found = []
    for line in importlib.metadata.requires(PROJECT) or ():
        requirement, _, marker = line.partition(";")
        extra = re.search(r"extra == ['\"](\w+)", marker)
        found.append((extra.group(1) if extra else "", requirement.strip()))
    return [pair for pair in found if pair[0] in ("", "lessons", "tests")]


def numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of `version`.

    >>> numbers("2.14.1+cpu") >= numbers("2.6")
    True
    """
    return tuple(int(number) for number in re.match(r"\d+(?:\.\d+)*", version).group().split("."))


def import_error(module: str) -> str:
    """What goes wrong when `module` is imported, in one line; empty if nothing does.

    >>> import_error("json"), import_error("no_such_module")
    ('', "ModuleNotFoundError: No module named 'no_such_module'")
    """
    try:
        importlib.import_module(module)
    except Exception as error:  # a broken package may raise anything
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return ""


def check_d2l() -> Finding:
    try:
        return Finding("d2l", importlib.metadata.version("d2l"))
    except importlib.metadata.PackageNotFoundError:
        return Finding("d2l", "missing: comparisons with the book only", f"{PIP} --no-deps d2l==1.0.3", needed=False)


def check_kernel() -> Finding:
    """Whether JupyterLab's "python3" is this Python, not one that was registered for the user earlier."""
    if error := import_error("jupyter_client.kernelspec"):
        return Finding("Jupyter kernel", error, f"{PIP} ipykernel")
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    fix = f"{sys.executable} -m ipykernel install --sys-prefix"
    try:
        program = KernelSpecManager().get_kernel_spec("python3").argv[0]
    except NoSuchKernel:
        return Finding("Jupyter kernel", "missing", f"{PIP} ipykernel")
    if program.startswith("python") or os.path.samefile(os.path.dirname(program), os.path.dirname(sys.executable)):
        return Finding("Jupyter kernel", "python3, which is this Python")
    return Finding("Jupyter kernel", f"python3 is another Python: {program}", fix, needed=False)


def check_data() -> Finding:
    """Whether the four files of Fashion-MNIST are there with their published checksums."""
    if error := import_error("course_lib"):
        return Finding("Fashion-MNIST", f"not checked, because course_lib does not import: {error}")
    from course_lib.idx import load_fashion_mnist

    if not (REPOSITORY / "pyproject.toml").exists():
        return Finding("Fashion-MNIST", "not beside the library: downloaded once, at the first use")
    try:
        load_fashion_mnist(REPOSITORY / "data")
    except (OSError, ValueError) as error:
        return Finding("Fashion-MNIST", str(error), f"git -C {REPOSITORY} checkout -- data")
    return Finding("Fashion-MNIST", "four files, checksums right")


def describe_machine() -> list[Finding]:
    findings = [
        Finding("system", f"{platform.system()} {platform.release()}, {platform.machine()}"),
        Finding("cores", str(os.cpu_count())),
        Finding("disk", f"{shutil.disk_usage(REPOSITORY).free / 2**30:.0f} GiB free here"),
    ]
    if not import_error("psutil"):
        import psutil

        memory = psutil.virtual_memory()
        amounts = f"{memory.available / 2**30:.1f} GiB free of {memory.total / 2**30:.1f}"
        findings.append(Finding("memory", amounts))
    if not import_error("course_lib"):
        import torch

        from course_lib.device import has_bf16, pick_device

        device = pick_device()
        name = "CPU"
        if device.type == "cuda":
            properties = torch.cuda.get_device_properties(device)
            name = f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB"
        elif device.type != "cpu":
            name = device.type
        findings += [
            Finding("lessons run on", name),
            Finding("threads of torch", str(torch.get_num_threads())),
            Finding("bf16 in hardware", "yes" if has_bf16(device) else "no: the fast recipes take longer"),
        ]
    return findings


def describe_speed() -> list[Finding]:
    """Measured matrix products, and the lessons' stated minutes scaled by them."""
    if import_error("course_lib"):
        return []
    from course_lib.device import pick_device

    device = pick_device()
    speeds = {precision: matmul_speed(precision, device) for precision in REFERENCE}
    findings = [
        Finding(f"matrix products, {precision}", f"{speed:,.0f} GFLOP/s, {speed / REFERENCE[precision]:.1f} of reference")
        for precision, speed in speeds.items()
    ]
    # Much of a lesson is not matrix products: however fast they are, a third of its time stays.
    factor = max(1 / 3, REFERENCE["fp32"] / speeds["fp32"])
    for path in sorted((REPOSITORY / "notebooks").glob("*.ipynb")):
        minutes = json.loads(path.read_text(encoding="utf-8"))["metadata"].get("course", {}).get("minutes")
        if minutes is not None:
            findings.append(Finding(path.stem, f"about {max(0.5, minutes * factor):.1f} minutes here"))
    return findings


def matmul_speed(precision: str, device, seconds: float = 0.5, size: int = 2048) -> float:
    """GFLOP/s of products of `size` x `size` matrices in "fp32" or "bf16", measured for `seconds`."""
    import torch

    a = torch.randn(size, size, device=device).to({"fp32": torch.float32, "bf16": torch.bfloat16}[precision])
    float((a @ a)[0, 0])  # warm; reading a value waits for the device
    products, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        float((a @ a)[0, 0])
        products += 1
    return products * 2 * size**3 / (time.perf_counter() - began) / 1e9


def report(title: str, findings: list[Finding]) -> None:
    """Prints `findings` as a table, as plain lines where rich is missing."""
    if import_error("rich"):
        print(title, *(f"  {finding.what}: {finding.found}" for finding in findings), sep="\n")
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title, title_justify="left", show_header=False)
    for finding in findings:
        state = "" if not finding.fix else "[red]needed[/red]" if finding.needed else "optional"
        table.add_row(finding.what, escape(finding.found), state)
    Console().print(table)
