"""The sandbox in which a student's kernel runs: bubblewrap, and a watchdog for what bubblewrap does not limit.

Inside there is no network and no file but the Python installation, course_lib, course_tools and data, all read-only,
and a folder /tmp in memory. Of the checks there is only what asks; what knows a right answer is not there. Nothing
survives the kernel.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import threading
import time
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
ASKING = ("__init__.py", "asking.py", "exercise.py", "nets.py", "probes.py", "wire.py")  # of course_tools/checks
MEBIBYTE = 2**20
HOW_TO_GET_IT = """\
Grading runs code that students wrote, in a sandbox that needs bubblewrap, and there is none that works here:
  {problem}
On Debian or Ubuntu: apt install bubblewrap. On macOS or Windows: grade inside a Linux machine (WSL 2, a container).
`--unsafe` grades without a sandbox: each student's code then runs as you, can read, change and send off whatever you
can, other students' work and this gradebook included. Only for notebooks that you have read."""


@dataclass(frozen=True)
class Limits:
    """What one notebook may use."""

    seconds: float = 120  # for the whole notebook, the kernel's start included
    cell_seconds: int = 30
    memory: int = 3072 * MEBIBYTE  # resident, all processes together
    disk: int = 256 * MEBIBYTE  # in /tmp, which lies in memory
    processes: int = 24
    output: int = 4 * MEBIBYTE  # printed, or in one reply


def problem() -> str | None:
    """Why the sandbox cannot be used here, or None."""
    if shutil.which("bwrap") is None:
        return "the command bwrap is not there"
    trial = subprocess.run(
        wrapped([sys.executable, "-c", "import sys"], None, Limits()), capture_output=True, text=True
    )
    said = trial.stderr.strip().splitlines() or [str(trial.returncode)]
    return None if trial.returncode == 0 else f"bwrap stopped with: {said[-1]}"


def wrapped(command: list[str], shared: Path | None, limits: Limits) -> list[str]:
    """`command` to be run in a sandbox that can also write into the folder `shared`, where the kernel's sockets lie."""
    readable = [f"/usr/{name}" for name in ("bin", "include", "lib", "lib32", "lib64", "libexec", "local", "sbin", "share")]
    readable += ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts"]
    # Not /usr as a whole, a system Python's prefix: people keep work in /usr/src.
    readable += [prefix for prefix in (sys.prefix, sys.base_prefix, sysconfig.get_path("stdlib")) if prefix != "/usr"]
    readable += [REPOSITORY / "course_lib", REPOSITORY / "course_tools", REPOSITORY / "data"]
    space = str(limits.disk)
    options = ["--unshare-all", "--die-with-parent", "--clearenv", "--proc", "/proc", "--dev", "/dev"]
    options += ["--size", space, "--tmpfs", "/tmp", "--size", space, "--tmpfs", "/dev/shm"]
    for folder in dict.fromkeys(map(str, readable)):
        options += ["--ro-bind-try", folder, folder]
    options += _without_answers()
    if shared is not None:
        options += ["--bind", str(shared), str(shared)]
    options += ["--remount-ro", "/", "--remount-ro", "/dev", "--chdir", "/tmp"]
    for name, value in environment().items():
        options += ["--setenv", name, value]
    start = Path(__file__).with_name("start.py").read_text(encoding="utf-8")
    return ["bwrap", *options, sys.executable, "-c", start, space, *command]


def _without_answers() -> list[str]:
    """Options that leave of course_tools' checks and grading what asks, wherever Python might find a copy of them."""
    options = []
    for root in dict.fromkeys([REPOSITORY, Path(sysconfig.get_path("purelib")), Path(sysconfig.get_path("platlib"))]):
        for folder in filter(Path.is_dir, (root / "course_tools" / "checks", root / "course_tools" / "grading")):
            options += ["--tmpfs", str(folder)]
            for file in (folder / name for name in ASKING if folder.name == "checks"):
                options += ["--ro-bind-try", str(file), str(file)]
            options += ["--remount-ro", str(folder)]
    return options


def environment() -> dict[str, str]:
    """The environment of a student's kernel: nothing of the instructor's but the path to Python."""
    return {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": "/tmp",
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "NBGRADER_EXECUTION": "autograde",
    }


class Watchdog:
    """Kills a sandbox that takes more than its limits and remembers why."""

    def __init__(self, pid: int, shared: Path, limits: Limits):
        self.pid, self.shared, self.limits, self.reason = pid, shared, limits, None
        self.began, self.stopped, self.unchanged = time.monotonic(), threading.Event(), shared.stat().st_ctime_ns
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """Ends the watch."""
        self.stopped.set()
        self.thread.join()

    def kill(self, reason: str) -> None:
        """Ends every process of the sandbox; `reason` is remembered, the first one only."""
        import psutil

        self.reason = self.reason or reason
        try:
            family = [*psutil.Process(self.pid).children(recursive=True), psutil.Process(self.pid)]
        except psutil.NoSuchProcess:
            return
        for process in family[:2000]:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue

    def _watch(self):
        import psutil

        while not self.stopped.wait(0.1):
            try:
                family = psutil.Process(self.pid).children(recursive=True)
                memory = sum(_resident(process) for process in family)
            except psutil.NoSuchProcess:
                continue
            if len(family) > self.limits.processes:
                self.kill(f"it started more than {self.limits.processes} processes")
            elif memory > self.limits.memory:
                self.kill(f"it used more than {self.limits.memory // MEBIBYTE} MiB of memory")
            elif time.monotonic() - self.began > self.limits.seconds:
                self.kill(f"it ran for more than {self.limits.seconds:.0f} seconds")
            elif _touched(self.shared, self.unchanged):
                self.kill("it wrote into the folder of the kernel's sockets")


def _resident(process) -> int:
    """Bytes of resident memory of a process that may have ended meanwhile."""
    import psutil

    try:
        return process.memory_info().rss
    except psutil.NoSuchProcess:
        return 0


def _touched(folder: Path, unchanged: int) -> bool:
    """Whether something was made or deleted in `folder`, even if it is gone again, or a file in it has grown large.

    No program can set back the time of change, unlike that of writing.
    """
    try:
        with os.scandir(folder) as entries:
            large = any(entry.stat(follow_symlinks=False).st_size > MEBIBYTE for entry in entries)
        return large or folder.stat().st_ctime_ns != unchanged
    except FileNotFoundError:  # one that the kernel's end has taken away meanwhile
        return False
