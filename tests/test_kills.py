"""A run killed thirty times at random moments, each time gone on with: it loses no finished epoch and ends as if unbroken.

Should none of the kills have met a checkpoint half-written, which a fast disk makes rare, more follow until one does.
Run as a script, this file is the run's parent: it loads torch once, and forks and kills the run again and again.
`python test_kills.py FOLDER KILLS SEED [EPOCHS]`
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import torch
from torch import nn
from torch.optim.lr_scheduler import StepLR

from course_lib.train import fit

KILLS, MOST_KILLS = 30, 300
ENDLESS = 10**6  # epochs: however late a kill comes, the run is still at it


def train(path, epochs, report):
    """Go on with the run at `path`; `report(epochs)` is called when a checkpoint has been written."""
    torch.manual_seed(5)
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(128, 10))
    net.append(nn.Linear(10, 10))
    X, y = torch.randn(24, 1, 6, 6), torch.arange(24) % 10
    fit(net, [(X[:16], y[:16]), (X[16:], y[16:])], epochs=epochs, checkpoint=path, resume=True, device="cpu",
        schedule=lambda optimizer, steps: StepLR(optimizer, 50), progress=False,
        callback=lambda history, net: report(len(history)))


def life(path, epochs, kill_after=None, part=0.0):
    """Go on to so many epochs in a child; kill it `kill_after` reports on, and `part` of an epoch's time after that.

    Return how many epochs it had reported, and whether it came to its end instead.
    """
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reads)
        train(path, epochs, lambda done: os.write(writes, done.to_bytes(4)))
        os._exit(0)
    os.close(writes)
    reports, moments = [], []
    while report := os.read(reads, 4):
        reports.append(int.from_bytes(report))
        moments.append(time.monotonic())
        if len(reports) == kill_after:
            time.sleep(part * (moments[-1] - moments[0]) / (kill_after - 1))
            os.kill(child, signal.SIGKILL)  # what it had reported by then is still in the pipe, and is read
    os.close(reads)
    status = os.waitpid(child, 0)[1]
    assert status in (0, signal.SIGKILL), status
    return reports[-1], status == 0


def main(folder, kills, seed, epochs=None):
    """Kill the run so many times, then let it end; print what each life had reported, and what its checkpoint held."""
    draw, path, log = random.Random(int(seed)), Path(folder) / "run.pt", []
    fit(nn.Linear(1, 1), [(torch.ones(1, 1), torch.tensor([0]))], epochs=1, progress=False)  # loads what a step loads

    def live(*arguments):
        reported, ended = life(path, *arguments)
        log.append({"reported": reported, "held": torch.load(path, weights_only=True)["epoch"], "ended": ended,
                    "half-written": path.with_name("run.pt.tmp").exists()})

    while len(log) < int(kills) or log and not any(life["half-written"] for life in log) and len(log) < MOST_KILLS:
        live(ENDLESS, draw.randint(2, 5), draw.random())
    live(int(epochs) if epochs else log[-1]["held"] + 5)
    print(json.dumps(log))


def run_parent(folder, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    run = subprocess.run([sys.executable, __file__, *map(str, (folder, *arguments))], env=environment,
                         capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr[-3000:]
    return json.loads(run.stdout)


def test_thirty_kills_at_random_moments_lose_no_finished_epoch(tmp_path):
    for name in ("calm", "killed"):
        (tmp_path / name).mkdir()
    lives = run_parent(tmp_path / "killed", KILLS, 0)
    epochs = lives[-1]["held"]
    (calm,) = run_parent(tmp_path / "calm", 0, 0, epochs)
    assert any(life["half-written"] for life in lives)  # some kills came while a checkpoint was written
    assert calm["ended"] and len(lives) > KILLS and lives[-1]["ended"]
    assert not any(life["ended"] for life in lives[:-1])
    for before, life in zip([{"held": 0}, *lives], lives):
        assert life["held"] >= life["reported"] > before["held"]  # what was reported is kept, and each life adds to it
    a, b = (torch.load(tmp_path / name / "run.pt", weights_only=True) for name in ("calm", "killed"))
    assert a["epoch"] == b["epoch"] == epochs > 2 * KILLS
    assert a["history"]["train_loss"] == b["history"]["train_loss"]
    assert all(torch.equal(a["model"][name], b["model"][name]) for name in a["model"])
    assert zipfile.ZipFile(tmp_path / "killed" / "run.pt").testzip() is None
    assert sorted(path.name for path in (tmp_path / "killed").iterdir()) == ["run.pt"]


if __name__ == "__main__":
    main(*sys.argv[1:])
