"""The bench: both sides do the same work, every figure is reported under its name, a missing library is one line."""

import argparse
import copy
import json
import math
import os
import sys
from pathlib import Path

import pytest
import torch

from course_lib import fit
from course_tools import bench, measure
from course_tools.bench_table import TARGETS

RAW = Path(__file__).resolve().parents[1] / "data" / "FashionMNIST" / "raw"


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """All parts but the training, with next to no budget: the figures, the file, and what changed on the way."""
    path = tmp_path_factory.mktemp("bench") / "new" / "figures.json"
    before = os.getcwd(), sorted(RAW.iterdir())
    figures = bench.run(only=["same_work", "data", "trace", "import", "processes"], quick=True, json_path=path)
    return figures, json.loads(path.read_text(encoding="utf-8")), before == (os.getcwd(), sorted(RAW.iterdir()))


def test_every_part_reports_its_figures_by_name(quick):
    figures, _, _ = quick
    expected = {"same_work": ["fit", "plain", "ratio"], "import": ["course_lib", "torch", "ratio"],
                "processes": ["one", "two", "ratio"],
                "data.first_load": ["ours"]}
    expected |= {f"data.{size}": ["ours", "d2l", "ratio"] for size in (28, 96, 224)}
    expected |= {f"trace.{net}": ["seconds", "torchinfo_seconds", "ratio", "megabytes"] for net in ("VGG-E", "AlexNet")}
    assert set(figures) == {f"{part}.{name}" for part, names in expected.items() for name in names}
    assert all(math.isfinite(value) and value > 0 for value in figures.values())
    assert figures["data.96.ratio"] == figures["data.96.ours"] / figures["data.96.d2l"]
    assert set(TARGETS) <= set(figures) | {"time_to_92.seconds", "time_to_92.test_accuracy"}


def test_the_file_holds_the_figures_and_says_where_and_when_they_were_measured(quick):
    figures, written, _ = quick
    assert figures.items() <= written.items()
    assert set(written) - set(figures) == {"machine", "versions", "date", "quick"}
    assert written["versions"]["torch"] == torch.__version__.partition("+")[0] and written["quick"] is True


def test_measuring_leaves_folder_and_data_as_they_were(quick):
    assert quick[2]


def test_the_plain_loop_trains_as_fit_does():
    batches = [(torch.randn(8, 1, 6, 6), torch.arange(8)) for _ in range(5)]
    by_hand = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(36, 10))
    by_fit = copy.deepcopy(by_hand)
    loss, accuracy = bench._plain_epoch(by_hand, batches)
    history = fit(by_fit, batches, epochs=1, device="cpu", progress=False)
    assert all(torch.equal(a, b) for a, b in zip(by_hand.parameters(), by_fit.parameters()))
    assert loss == pytest.approx(history.train_loss[0]) and accuracy == pytest.approx(history.train_accuracy[0])


def test_the_recipe_runs_once_for_each_of_five_seeds(monkeypatch):
    runs = []

    def run_recipe(name, *, seed, progress):
        runs.append((name, seed, progress))
        return {"seconds": 20.0 + seed, "test_accuracy": 0.92 + seed / 1000, "parameters": 1}

    monkeypatch.setattr(bench, "run_recipe", run_recipe)
    assert bench.run(only=["time_to_92"]) == {
        "time_to_92.seconds": [20.0, 21.0, 22.0, 23.0, 24.0],
        "time_to_92.test_accuracy": [0.92, 0.921, 0.922, 0.923, 0.924]}
    assert runs == [("92", seed, False) for seed in range(5)]


def test_the_table_sets_the_target_beside_a_figure_and_says_whether_it_is_met(monkeypatch, capsys):
    figures = {"same_work.fit": 12345.6, "same_work.ratio": 0.9699, "data.224.ratio": 4.0, "import.ratio": 1.06,
               "data.first_load.ours": 0.5, "time_to_92.test_accuracy": [0.915, 0.926]}
    monkeypatch.setattr(bench, "PARTS", {"all": lambda quick: figures})
    bench.run()
    lines = [line for line in capsys.readouterr().out.splitlines() if "│" in line]
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines]
    assert rows == [["same_work.fit", "12,346", ""], ["same_work.ratio", "0.9699", "≥ 0.97, missed"],
                    ["data.224.ratio", "4", "≥ 4, met"], ["import.ratio", "1.06", "≤ 1.05, missed"],
                    ["data.first_load.ours", "0.5", "≤ 0.6, met"],
                    ["time_to_92.test_accuracy", "0.9205 (0.915 to 0.926)", "≥ 0.92, met"]]


def test_without_d2l_one_line_says_so_and_our_side_is_measured(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "d2l.torch", None)
    figures = bench.run(only=["data"], quick=True)
    assert set(figures) == {"data.28.ours", "data.96.ours", "data.224.ours", "data.first_load.ours"}
    lines = [line for line in capsys.readouterr().out.splitlines() if "d2l" in line]
    assert len(lines) == 1 and lines[0].startswith("data: d2l is left out") and "pip install --no-deps d2l" in lines[0]


def test_without_torchinfo_one_line_says_so_and_our_side_is_measured(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torchinfo", None)
    monkeypatch.setattr(bench, "in_new_process", lambda code: bench.trace_here("AlexNet", 1, "True" in code))
    assert set(bench.run(only=["trace"], quick=True)) == {"trace.AlexNet.seconds", "trace.AlexNet.megabytes"}
    lines = [line for line in capsys.readouterr().out.splitlines() if "torchinfo" in line]
    assert len(lines) == 1 and lines[0].startswith("trace: torchinfo is left out")


def test_the_command_line_names_parts_and_file(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(bench, "PARTS", {name: lambda quick, name=name: asked.append((name, quick)) or {f"{name}.x": 1}
                                         for name in ("data", "trace", "import")})
    parser = argparse.ArgumentParser()
    bench.add_arguments(parser)
    path = tmp_path / "figures.json"
    assert bench.main(parser.parse_args(["--only", "trace,data", "--quick", "--json", str(path)])) == 0
    assert asked == [("trace", True), ("data", True)]
    assert json.loads(path.read_text(encoding="utf-8"))["trace.x"] == 1
    with pytest.raises(ValueError, match="unknown part speed: allowed are data, trace, import"):
        bench.main(parser.parse_args(["--only", "speed"]))


def test_jobs_take_turns_and_change_places():
    calls = []
    values = {"a": iter([3, 1, 50]), "b": iter([7, 9, 8])}
    jobs = {name: lambda name=name: calls.append(name) or next(values[name]) for name in values}
    assert measure.in_turns("part", 3, jobs) == {"part.a": 3, "part.b": 8}
    assert calls == ["a", "b", "b", "a", "a", "b"]


def test_a_failed_measuring_process_shows_its_error():
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        measure.in_new_process("1 / 0")


def test_memory_is_counted_now_and_at_its_peak():
    code = ("from course_tools.measure import megabytes; before = megabytes('VmRSS'); block = bytearray(2**27); "
            "held = megabytes('VmRSS'); del block; print([held - before, megabytes('VmHWM') - before])")
    held, peak = measure.in_new_process(code)
    assert 100 < held < 160 and 100 < peak < 160  # of 128
