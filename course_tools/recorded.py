"""Recorded experiments: run one, keep every run, read it back in a lesson.

A fair comparison needs several seeds and a real budget; a class has two minutes. So a script in `experiments/`
calls `experiment(...)`, which trains every arm with every seed and keeps the runs in `build/experiments/NAME.json`,
one after another, so that an interrupted script goes on where it stopped. At its end it says where a new result
leaves the range recorded in `data/runs/NAME.json`. A lesson calls `load_runs("NAME")` and repeats one arm, live.

    python experiments/depth.py             run what is missing, compare with the recorded runs
    python experiments/depth.py --accept    the same, then make the new runs the recorded ones
    python experiments/depth.py --again     forget an earlier, unfinished run first
"""
import argparse
import datetime
import json
import os
import platform
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import torch

REPOSITORY = Path(__file__).resolve().parent.parent


@dataclass
class Runs:
    """The runs of one experiment: what was asked, how each arm was set, what every seed gave.

    `arms` maps an arm's name to its settings, `settings` holds what all arms share, and `runs` is a list of dicts
    with `arm`, `seed` and whatever the experiment measured: a number, or a list with one number an epoch.

    >>> runs = Runs("toy", "?", {}, {"a": {}}, [{"arm": "a", "seed": 0, "accuracy": [0.5, 0.75]},
    ...                                         {"arm": "a", "seed": 1, "accuracy": [0.6, 0.85]}], {})
    >>> runs.final("a", "accuracy"), round(runs.mean("a", "accuracy"), 3)
    ([0.75, 0.85], 0.8)
    """
    name: str
    question: str
    settings: dict
    arms: dict
    runs: list
    made: dict                                  # machine, versions, date

    def of(self, arm, key):
        """What `key` was in every run of `arm`, in the order of the seeds."""
        if arm not in self.arms:
            raise ValueError(f"experiment {self.name!r} has no arm {arm!r}; it has {', '.join(map(repr, self.arms))}")
        runs = sorted((run for run in self.runs if run["arm"] == arm), key=lambda run: run["seed"])
        if any(key not in run for run in runs):
            raise ValueError(f"experiment {self.name!r} did not measure {key!r}; it has {', '.join(runs[0])}")
        return [run[key] for run in runs]

    def final(self, arm, key):
        """The same, but the last number only where one was kept for every epoch."""
        return [value[-1] if isinstance(value, list) else value for value in self.of(arm, key)]

    def mean(self, arm, key):
        """Mean over the seeds of the final values."""
        return statistics.fmean(self.final(arm, key))

    def range(self, arm, key, at_least=0.02):
        """Where another run is expected: the seeds' range, wider by its own width (or `at_least`) on both sides.

        A few seeds may agree by luck, and another processor rounds differently, which is another run. The 0.02 are
        two and a half standard errors of an accuracy of 0.85 that is measured on 2,048 pictures, as most here are.
        """
        values = self.final(arm, key)
        slack = max(max(values) - min(values), at_least)
        return min(values) - slack, max(values) + slack


def load_runs(name, folder=REPOSITORY / "data" / "runs"):
    """Read the recorded runs of the experiment `name`; `FileNotFoundError` lists those that exist.

    >>> load_runs("depth").question[-1]
    '?'
    """
    path = Path(folder) / f"{name}.json"
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in Path(folder).glob("*.json"))) or "none"
        raise FileNotFoundError(f"no recorded experiment {name!r} in {folder}; recorded: {known}. "
                                f"`git checkout data/runs` brings the course's own back")
    return Runs(name=name, **json.loads(path.read_text(encoding="utf-8")))


def experiment(name, question, arms, seeds, run, settings, result, arguments=None):
    """Train every arm with every seed by `run(arm's settings, seed, **settings)` → a dict of measurements.

    `result` names the measurement that is compared with the recorded range. Returns the exit status: 1 where a new
    result leaves that range.
    """
    options = _parser(name, question).parse_args(arguments)
    unfinished = REPOSITORY / "build" / "experiments" / f"{name}.json"
    if options.again:
        unfinished.unlink(missing_ok=True)
    asked = {"question": question.strip().splitlines()[0], "settings": settings, "arms": arms}
    runs = _started(unfinished, asked)
    for arm, setting in arms.items():
        for seed in seeds:
            if any(r["arm"] == arm and r["seed"] == seed for r in runs):
                continue
            start = time.perf_counter()
            runs.append({"arm": arm, "seed": seed, **run(setting, seed, **settings)})
            _write(unfinished, {**asked, "runs": runs, "made": _made()})
            final = runs[-1][result][-1] if isinstance(runs[-1][result], list) else runs[-1][result]
            print(f"{name}: {arm}, seed {seed}: {result} {final:.4f} in {time.perf_counter() - start:.0f} s", flush=True)
    new = load_runs(name, unfinished.parent)
    outside = _compare(new, result)
    if options.accept:
        _write(REPOSITORY / "data" / "runs" / f"{name}.json", json.loads(unfinished.read_text(encoding="utf-8")))
        print(f"{name}: recorded in data/runs/{name}.json")
    return 1 if outside and not options.accept else 0


def _parser(name, question):
    parser = argparse.ArgumentParser(prog=f"experiments/{name}.py", description=question)
    parser.add_argument("--accept", action="store_true", help="make the new runs the recorded ones")
    parser.add_argument("--again", action="store_true", help="start afresh instead of going on where it stopped")
    return parser


def _started(path, asked):
    """The runs already made with the same settings; none if the experiment has changed since."""
    if not path.exists():
        return []
    kept = json.loads(path.read_text(encoding="utf-8"))
    same = all(kept[key] == json.loads(json.dumps(asked[key])) for key in ("settings", "arms"))
    return kept["runs"] if same else []


def _compare(new, result):
    """Print one line an arm: the mean, and whether each run lies in the recorded range. Returns those that do not."""
    try:
        recorded = load_runs(new.name)
    except FileNotFoundError:
        recorded = None
    outside = []
    for arm in new.arms:
        line = f"{new.name}: {arm}: mean {new.mean(arm, result):.4f} over {len(new.of(arm, result))} seeds"
        if recorded and arm in recorded.arms:
            low, high = recorded.range(arm, result)
            left = [value for value in new.final(arm, result) if not low <= value <= high]
            line += f", recorded range {low:.4f} to {high:.4f}"
            line += f", OUTSIDE: {', '.join(f'{value:.4f}' for value in left)}" if left else ", inside"
            outside += left
        print(line)
    return outside


def _made():
    """Machine, versions and date, as they go into the record."""
    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return {"date": datetime.date.today().isoformat(), "python": platform.python_version(), "torch": torch.__version__,
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, device {accelerator or 'cpu'}"}


def _write(path, content):
    """Write JSON under a temporary name and rename it, so that no half-written record stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    os.replace(temporary, path)
