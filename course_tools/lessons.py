"""Runs the lessons here and now: executed notebooks and pages in build/lessons/, a table at the end.

The table says how long each lesson and its slowest cell took; a sentence under it names the lessons over their budget.
That alone is no failure: a busy machine is slower than the one on which the budget was set.

    python -m course_tools lessons                 every lesson
    python -m course_tools lessons 04              the one whose name begins with 04
    python -m course_tools lessons 04 --in-place   for authors: store outputs and minutes in notebooks/

Nothing in notebooks/ is changed without `--in-place`. The kernel works in notebooks/, as in JupyterLab.
"""

import contextlib
import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from course_tools.normalise import normalise, stated_minutes, write
from course_tools.plan import set_sections

REPOSITORY = Path(__file__).parents[1]


@dataclass
class Result:
    """How one lesson went: `problem` is None where every cell ran."""

    seconds: float
    peak_bytes: int
    problem: str | None
    cell_seconds: list[float] = field(default_factory=list)


def add_arguments(parser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="what lessons' names begin with (default: all)")
    parser.add_argument("--in-place", action="store_true", help="write outputs and minutes back into notebooks/")
    parser.add_argument("--solutions", action="store_true", help="the solutions of the exercises instead of the lessons")
    parser.add_argument("--timeout", type=int, default=600, metavar="S", help="seconds a cell may take (600)")


def main(arguments, folder: Path = REPOSITORY / "notebooks", build: Path = REPOSITORY / "build" / "lessons") -> int:
    """Runs the lessons of `folder` and returns the exit code: 0 if every one ran to its end."""
    import ipykernel  # noqa: F401 - started by name, so its absence would show late
    import nbformat
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from course_tools.pages import to_html

    folder = folder / "solutions" if arguments.solutions else folder
    paths = find(arguments.names, folder)
    build.mkdir(parents=True, exist_ok=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    rows = []
    console = Console()
    with Progress(*columns, console=console, transient=True) as progress:
        for path in paths:
            notebook = nbformat.read(path, as_version=4)
            task = progress.add_task(f"{path.stem}, cell", total=len(notebook.cells))

            def on_cell(number, task=task):
                progress.update(task, completed=number)

            result = run(notebook, folder, timeout=arguments.timeout, on_cell=on_cell)
            progress.remove_task(task)
            outcome = result.problem or f"ran in {result.seconds:.0f} s"
            console.print(escape(f"{path.stem}: {outcome}"), highlight=False, soft_wrap=True)
            if arguments.in_place and result.problem is None:
                set_minutes(notebook, result.seconds)
                set_sections(notebook, result.cell_seconds)
                normalise(notebook)
                write(notebook, path)
            write(notebook, build / path.name)
            (build / f"{path.stem}.html").write_text(to_html(notebook, path.stem, str(folder)), encoding="utf-8")
            rows.append((path.stem, notebook.metadata.get("course", {}).get("budget_seconds"), result))
    console.print(table(rows))
    console.print(f"Executed notebooks and pages: {os.path.relpath(build)}", highlight=False)
    if any(over(budget, result) for _, budget, result in rows):
        console.print(escape(over_budget(rows)), highlight=False, soft_wrap=True)
    return int(any(result.problem for _, _, result in rows))


def find(names: list[str], folder: Path) -> list[Path]:
    """The lessons in `folder` whose names begin with one of `names`, in order; all for no names."""
    every = sorted(path for path in folder.glob("*.ipynb"))
    if not every:
        raise ValueError(f"no lessons (*.ipynb) in {folder}")
    for name in names:
        if not any(path.name.startswith(name) for path in every):
            raise ValueError(f"no lesson begins with {name!r}; there are {', '.join(path.stem for path in every)}")
    return [path for path in every if not names or path.name.startswith(tuple(names))]


def run(notebook, folder: Path, *, timeout: int = 600, on_cell=None) -> Result:
    """Executes `notebook` in place with this environment's Python, working in `folder`.

    `timeout` is in seconds a cell; `on_cell(number)` is called as each cell begins, counting all cells from 1.
    """
    from jupyter_client import AsyncKernelManager
    from jupyter_client.kernelspec import KernelSpecManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    class OwnKernel(AsyncKernelManager):
        def _kernel_spec_manager_default(self):
            # Without folders to look in, "python3" is ipykernel's own, which starts this very interpreter.
            return KernelSpecManager(kernel_dirs=[])

    memory = PeakMemory()
    at, starts = 0, []

    def cell_starts(cell, cell_index):
        nonlocal at
        at = cell_index + 1
        starts.append(time.perf_counter())
        memory.watch(client.km.provisioner.pid)
        if on_cell:
            on_cell(at)

    client = NotebookClient(
        notebook,
        kernel_name="python3",
        kernel_manager_class=OwnKernel,
        extra_arguments=["--log-level=ERROR"],
        timeout=timeout,
        record_timing=False,
        store_widget_state=False,
        resources={"metadata": {"path": str(folder)}},
        on_cell_start=cell_starts,
    )
    environment = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    problem = None
    began = time.perf_counter()
    try:
        client.execute(env=environment)
    except CellExecutionError as error:
        problem = f"{error.ename}: {error.evalue}".splitlines()[0]
    except CellTimeoutError:
        problem = f"took longer than {timeout} s (--timeout)"
    except DeadKernelError:
        problem = "the kernel died, most often for lack of memory"
    except RuntimeError as error:
        problem = f"the kernel did not start: {error}"
    finally:
        seconds, peak_bytes = time.perf_counter() - began, memory.stop()
    if problem and at:
        first_line = notebook.cells[at - 1].source.strip().partition("\n")[0]
        problem = f"cell {at} ({first_line}): {problem}"
    ends = [*starts[1:], began + seconds]
    return Result(seconds, peak_bytes, problem, [end - start for start, end in zip(starts, ends)])


class PeakMemory:
    """Samples, ten times a second, the memory of a process and its children; on Linux, what they share counts once."""

    def __init__(self):
        self.pid, self.peak, self.stopped = None, 0, threading.Event()
        self.thread = threading.Thread(target=self._sample, daemon=True)

    def watch(self, pid: int) -> None:
        if self.pid is None:
            self.pid = pid
            self.thread.start()

    def stop(self) -> int:
        """Ends the sampling and returns the highest sum seen, in bytes."""
        self.stopped.set()
        if self.pid is not None:
            self.thread.join()
        return self.peak

    def _sample(self):
        import psutil

        while True:
            with contextlib.suppress(psutil.Error):  # one may end between the question and the answer
                kernel = psutil.Process(self.pid)
                family = [kernel, *kernel.children(recursive=True)]
                self.peak = max(self.peak, sum(map(_memory, family)))
            if self.stopped.wait(0.1):
                return


def _memory(process) -> int:
    """Bytes of resident memory; pages shared with other processes in part (PSS), where the system tells."""
    memory = process.memory_full_info()
    return getattr(memory, "pss", 0) or memory.rss


def set_minutes(notebook, seconds: float) -> None:
    """Refreshes the minutes that `notebook` states, which are those of a two-core machine without a GPU."""
    import torch

    course = notebook.metadata.setdefault("course", {})
    if "minutes" not in course or (os.cpu_count() == 2 and not torch.accelerator.is_available()):
        course["minutes"] = stated_minutes(seconds, course.get("minutes"))


def over(budget, result) -> bool:
    """Whether a lesson took longer than its budget in seconds, which is None where it has none."""
    return budget is not None and result.seconds > budget


def over_budget(rows) -> str:
    """The sentence on those of `rows` (see `table`) that are over their budget."""
    late = [f"{name} ({result.seconds:.1f} s of {budget:g} s)" for name, budget, result in rows if over(budget, result)]
    return f"Over budget: {', '.join(late)}. Run again when the machine is idle before you look for the reason."


def table(rows):
    """The closing table of `rows` of name, budget in seconds and `Result`."""
    from rich.table import Table

    result_table = Table("lesson", "seconds", "budget", "slowest cell", "peak memory", "passed")
    for column in result_table.columns[1:5]:
        column.justify = "right"
    for name, budget, result in rows:
        result_table.add_row(
            name,
            f"{result.seconds:.0f}" + (" (over)" if over(budget, result) else ""),
            "none" if budget is None else f"{budget:g}",
            f"{max(result.cell_seconds):.0f}" if result.cell_seconds else "none",
            f"{result.peak_bytes / 2**20:.0f} MiB",
            "[red]no[/red]" if result.problem else "[green]yes[/green]",
        )
    return result_table
