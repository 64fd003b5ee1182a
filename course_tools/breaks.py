"""Breaks course_lib on purpose, one line at a time, and sees whether the lesson that teaches the line notices.

    python -m course_tools breaks               every break of tests/breaks.json
    python -m course_tools breaks 04            those of one lesson

Each break is made in a copy; the lesson then runs there under strict nbval up to the first difference. Two copies run
side by side, with one thread each.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
COPIED = ("course_lib", "course_tools", "notebooks", "pyproject.toml")


def add_arguments(parser):
    """Add this command's arguments to its parser."""
    parser.add_argument("lessons", nargs="*", help="beginnings of lessons' names, such as 04; all without")


def main(options):
    """Make every break that was asked for; return 1 if one went unnoticed."""
    breaks = json.loads((REPOSITORY / "tests" / "breaks.json").read_text(encoding="utf-8"))
    wanted = [b for b in breaks if not options.lessons or b["lesson"].startswith(tuple(options.lessons))]
    if not wanted:
        known = ", ".join(sorted({b["lesson"] for b in breaks}))
        raise ValueError(f"no breaks for {' '.join(options.lessons)}; there are some for {known}")
    with ThreadPoolExecutor(2) as pool:
        noticed = sum(pool.map(try_out, wanted))
    print(f"{noticed} of {len(wanted)} breaks noticed")
    return 0 if noticed == len(wanted) else 1


def try_out(b):
    """Make one break in a copy of its own, say what came of it, and return whether the lesson noticed."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        where = noticed_by(b, Path(folder))
    print(f"{b['lesson']}: {b['why']}: {f'noticed, {where}' if where else 'NOT NOTICED'}"
          f" ({time.perf_counter() - start:.0f} s)", flush=True)
    return where is not None


def noticed_by(b, folder):
    """Break a copy of the course in `folder` and run the lesson there; return what failed first, or None."""
    for name in COPIED:
        source = REPOSITORY / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    (folder / "data").symlink_to(REPOSITORY / "data")
    apply(b, folder)
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1",
                   "OMP_NUM_THREADS": "1"}
    run = subprocess.run([sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", "-rf", "-p", "no:cacheprovider",
                          "--nbval", f"notebooks/{b['lesson']}.ipynb"],
                         cwd=folder, env=environment, capture_output=True, text=True)
    if run.returncode not in (0, 1):
        raise RuntimeError(f"pytest could not run {b['lesson']}:\n{run.stdout[-2000:]}{run.stderr[-2000:]}")
    failed = [line for line in run.stdout.splitlines() if line.startswith("FAILED")]
    return failed[0].rsplit("::", 1)[1].split(" - ")[0] if failed else None


def apply(b, folder):
    """Replace the one place that a break names; ValueError if the library has changed and the place is gone."""
    path = folder / b["file"]
    text = path.read_text(encoding="utf-8")
    if text.count(b["old"]) != 1:
        raise ValueError(f"tests/breaks.json: {b['old']!r} stands {text.count(b['old'])} times in {b['file']}, "
                         "expected once: bring the break up to date")
    path.write_text(text.replace(b["old"], b["new"]), encoding="utf-8")
