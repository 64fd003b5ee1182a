"""A run killed thirty times at random moments, each time gone on with: it loses no finished epoch and ends as if unbroken.

Run as a script, this file is the run's parent: it loads torch once, and forks and kills the run again and again.
`python test_kills.py FOLDER KILLS SEED`
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

EPOCHS = 250
KILLS = 30


def train(path, report):
    """Go on with the run at `path`; `report(epochs)` is called when a checkpoint has been written."""
    torch.manual_seed(5)
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(128, 10))
    net.append(nn.Linear(10, 10))
    X, y = torch.randn(24, 1, 6, 6), torch.arange(24) % 10
    fit(net, [(X[:16], y[:16]), (X[16:], y[16:])], epochs=EPOCHS, checkpoint=path, resume=True, device="cpu",
        schedule=lambda optimizer, steps: StepLR(optimizer, 50), progress=False,
        callback=lambda history, net: report(len(history)))


def life(path, epochs, part):
    """Run in a child that is killed in the epoch after so many; `part` of an epoch's time on, whatever it then does.

    Return how many epochs it had reported, and whether it came to its end instead.
    """
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reads)
        train(path, lambda done: os.write(writes, bytes([done])))
        os._exit(0)
    os.close(writes)
    reported, moments = b"", []
    while len(reported) < epochs:
        one = os.read(reads, 1)
        if not one:
            break
        reported += one
        moments.append(time.monotonic())
    else:
        time.sleep(part * (moments[-1] - moments[0]) / (epochs - 1))
        os.kill(child, signal.SIGKILL)
    reported += b"".join(iter(lambda: os.read(reads, 64), b""))
    os.close(reads)
    return reported[-1], os.waitpid(child, 0)[1] == 0


def main(folder, kills, seed):
    """Kill the run so many times; print what each life had reported, and what its checkpoint then held."""
    draw, path, log = random.Random(int(seed)), Path(folder) / "run.pt", []
    fit(nn.Linear(1, 1), [(torch.ones(1, 1), torch.tensor([0]))], epochs=1, progress=False)  # loads what a step loads
    while not log or not log[-1]["ended"]:
        forever = len(log) >= int(kills)
        reported, ended = life(path, EPOCHS + 1 if forever else draw.randint(2, 5), draw.random())
        held = torch.load(path, weights_only=True)["epoch"]
        log.append({"reported": reported, "held": held, "ended": ended,
                    "half-written": path.with_name("run.pt.tmp").exists()})
    print(json.dumps(log))


def run_parent(folder, kills):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    run = subprocess.run([sys.executable, __file__, str(folder), str(kills), "0"], env=environment, check=True,
                         capture_output=True, text=True, timeout=300)
    return json.loads(run.stdout)


def test_thirty_kills_at_random_moments_lose_no_finished_epoch(tmp_path):
    for name in ("calm", "killed"):
        (tmp_path / name).mkdir()
    (calm,) = run_parent(tmp_path / "calm", 0)
    lives = run_parent(tmp_path / "killed", KILLS)
    assert any(life["half-written"] for life in lives)  # some kills came while a checkpoint was written
    assert calm["ended"] and len(lives) == KILLS + 1 and lives[-1]["ended"]
    assert not any(life["ended"] for life in lives[:-1])
    for before, life in zip([{"held": 0}, *lives], lives):
        assert life["held"] >= life["reported"] > before["held"]  # what was reported is kept, and each life adds to it
    a, b = (torch.load(tmp_path / name / "run.pt", weights_only=True) for name in ("calm", "killed"))
    assert a["epoch"] == b["epoch"] == EPOCHS
    assert a["history"]["train_loss"] == b["history"]["train_loss"]
    assert all(torch.equal(a["model"][name], b["model"][name]) for name in a["model"])
    assert zipfile.ZipFile(tmp_path / "killed" / "run.pt").testzip() is None
    assert sorted(path.name for path in (tmp_path / "killed").iterdir()) == ["run.pt"]


if __name__ == "__main__":
    main(*sys.argv[1:])
