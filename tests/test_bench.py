"""The bench: all sides do the same work, every figure is reported under its name, a missing library is one line."""

import argparse
import copy
import json
import math
import os
import sys
from pathlib import Path

import pytest
import torch
import torchvision

from course_lib import trace
from course_lib.recipes import RECIPES, slim_vgg
from course_tools import bench
from course_tools.bench import book, fields, growth, measure, recipes, table, tracing, work

RAW = Path(__file__).resolve().parents[1] / "data" / "FashionMNIST" / "raw"
QUICK = ["same_work", "data", "import", "first_load", "trace", "growth", "processes"]


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """The parts that take seconds, with next to no budget: the figures, the file, and what changed on the way."""
    path = tmp_path_factory.mktemp("bench") / "new" / "figures.json"
    before = os.getcwd(), sorted(RAW.iterdir())
    figures = bench.run(only=QUICK, quick=True, json_path=path)
    assert [file.name for file in path.parent.iterdir()] == ["figures.json"]
    return figures, json.loads(path.read_text(encoding="utf-8")), before == (os.getcwd(), sorted(RAW.iterdir()))


def test_every_part_reports_its_figures_by_name(quick):
    figures, _, _ = quick
    beside = [name for name in ("torchinfo", "torchscan") if measure.optional(name, "trace", "")]
    loops = ["fit", "plain", "d2l"] + (["lightning"] if measure.optional("lightning", "same_work", "") else [])
    expected = {"same_work": [*loops, "ratio", *(f"ratio_to_{name}" for name in loops[2:])],
                "import": ["course_lib", "torch", "ratio", "cold"], "first_load": ["warm", "cold"],
                "processes": ["one", "two", "ratio"]}
    expected |= {f"data.{size}": ["ours", "d2l", "ratio"] for size in (28, 96, 224)}
    expected |= {f"trace.{net}": ["seconds", "megabytes", "layers", "field_right", *(f"{name}_seconds" for name in beside),
                                  *(f"ratio_to_{name}" for name in beside)] for net in ("alexnet", "squeezenet1_1")}
    expected["trace"] = ["nets_right", *(f"{kind}_ratio_to_{name}" for kind in ("classic", "median") for name in beside)]
    expected |= {f"growth.{what}": ["values", "seconds", "exponent"]
                 for what in ("size", "depth", "width", "batch", "processes")}
    assert set(figures) == {f"{part}.{name}" for part, names in expected.items() for name in names}
    for name, value in figures.items():
        for number in value if isinstance(value, list) else [value]:
            assert math.isfinite(number) and (number > 0 or "exponent" in name), name
    assert figures["data.96.ratio"] == figures["data.96.ours"] / figures["data.96.d2l"]


def test_the_file_holds_the_figures_and_says_where_and_when_they_were_measured(quick):
    figures, written, _ = quick
    assert figures.items() <= written.items()
    assert set(written) - set(figures) == {"machine", "versions", "date", "quick"}
    assert written["versions"]["torch"] == torch.__version__.partition("+")[0] and written["quick"] is True
    assert f"{os.cpu_count()} cores" in written["machine"]


def test_measuring_leaves_folder_and_data_as_they_were(quick):
    assert quick[2]


def test_a_run_that_is_stopped_leaves_its_finished_parts_and_the_old_file(monkeypatch, tmp_path):
    def stopped(quick):
        raise KeyboardInterrupt

    monkeypatch.setattr(bench, "PARTS", {"first": lambda quick: {"first.x": 1}, "second": stopped})
    path = tmp_path / "figures.json"
    path.write_text("the old one")
    with pytest.raises(KeyboardInterrupt):
        bench.run(json_path=path)
    assert path.read_text() == "the old one"
    assert json.loads((tmp_path / "figures.json.unfinished").read_text())["first.x"] == 1


# The same work

def test_the_loops_end_with_the_same_weights_bit_for_bit():
    torch.manual_seed(0)
    net = slim_vgg(((1, 4), (1, 8)))
    batches = [(torch.randn(8, 1, 12, 12), torch.arange(8)) for _ in range(4)]
    loops = [work.by_fit, work.by_hand, work.by_d2l]
    loops += [work.by_lightning] if measure.optional("lightning", "same_work", "") else []
    nets = [copy.deepcopy(net) for _ in loops]
    losses = [loop(trained, batches) for loop, trained in zip(loops, nets)]
    assert not torch.equal(nets[0][-1].weight, net[-1].weight)
    for trained in nets[1:]:
        assert all(torch.equal(a, b) for a, b in zip(nets[0].state_dict().values(), trained.state_dict().values()))
    assert all(loss == pytest.approx(losses[0]) for loss in losses if loss is not None)


# The recipes

def test_a_recipe_runs_once_a_seed_in_a_process_of_its_own_and_in_both_precisions(monkeypatch):
    asked = []

    def in_new_process(code):
        asked.append((code, len(asked)))
        return {"seconds": 20.0 + len(asked), "test_accuracy": 0.92, "images": 60_000}

    monkeypatch.setattr(recipes, "in_new_process", in_new_process)
    monkeypatch.setattr(recipes, "has_bf16", lambda device: True)
    assert recipes.time_to("93", quick=False) == {
        "time_to_93.seconds": [21.0, 22.0, 23.0, 24.0, 25.0], "time_to_93.test_accuracy": [0.92] * 5,
        "time_to_93.fp32_seconds": [26.0], "time_to_93.fp32_test_accuracy": [0.92]}
    for seed, (code, _) in enumerate(asked[:5]):
        assert "'93'" in code and f"seed={seed}" in code and "'auto'" in code and "{})" in code
    assert all("'fp32'" in code for code, _ in asked[5:])
    monkeypatch.setattr(recipes, "has_bf16", lambda device: False)
    assert set(recipes.time_to("93", quick=False)) == {"time_to_93.seconds", "time_to_93.test_accuracy"}


def test_the_process_trains_by_the_recipe_it_is_told():
    changes = {"arch": ((1, 2),), "epochs": 1, "size": 4, "batch_size": 5000}
    run = measure.in_new_process(recipes.ONE_RUN.format(name="92", changes=changes, seed=1, precision="fp32"))
    assert run["seed"] == 1 and run["images"] == 60_000 and run["parameters"] == 20 + 4 + 30 and len(run["train_loss"]) == 1


def test_the_share_of_the_limit_counts_forward_and_backward(monkeypatch):
    monkeypatch.setattr(recipes, "in_new_process", lambda code: {"seconds": 10.0, "images": 60_000})
    monkeypatch.setattr(recipes, "matmul_speed", lambda precision, device, seconds: 200.0)  # GFLOP/s
    figures = recipes.limit(quick=False)
    # (channels in, channels out, side) of the four convolutions, and the linear layer
    rows = [9 * a * b * n * n for a, b, n in ((1, 16, 28), (16, 32, 14), (32, 64, 7), (64, 128, 3))] + [1280]
    expected = (3 * sum(rows) - rows[0]) * 60_000 * RECIPES["92"].epochs / 10.0
    assert figures["limit.multiply_adds_per_second"] == expected
    assert figures["limit.share"] == pytest.approx(expected / 100e9)


# The book

def test_both_sides_train_only_when_it_is_their_turn(monkeypatch, capsys):
    events = []
    monkeypatch.setattr("builtins.input", lambda: events.append("go"))
    for batch in book.Turns(["a", "b", "c", "d"], 2):
        events.append(batch)
    assert events == ["go", "a", "b", "go", "c", "d"]
    assert len(capsys.readouterr().out.split()) == 2


@pytest.mark.parametrize("side, batches", [("theirs", 1), ("ours", book.OURS)])
def test_each_side_prints_seconds_for_each_turn(side, batches, monkeypatch, capsys):
    few = [(torch.randn(2, 1, size, size), torch.tensor([0, 1])) for size in ((224,) if side == "theirs" else (28,))]
    monkeypatch.setattr(book, "fashion_mnist", lambda batch_size, size=28: [few * 50])
    monkeypatch.setattr("builtins.input", lambda: "")
    getattr(book, side)(2)
    assert all(float(line) > 0 for line in capsys.readouterr().out.split())
    assert (book.BATCH_SIZE, book.STEPS) == (128, math.ceil(60_000 / 128))


def test_ten_epochs_are_projected_from_the_median_and_the_first_turn_does_not_count(monkeypatch):
    class Side:
        def __init__(self, command, **_):
            self.stdin = self.stdout = self
            self.lines = iter(["9", "2", "3"] if "theirs" in command[2] else ["9", "0.4", "0.8"])

        def write(self, line):
            assert line == "go\n"

        def readline(self):
            return next(self.lines)

        flush = kill = communicate = lambda self: None

    monkeypatch.setattr(book.subprocess, "Popen", Side)
    figures = book.book(quick=True)
    assert figures == {"book.seconds_per_batch": 2.5, "book.batches": 2, "book.projected_seconds": 2.5 * 4690,
                       "book.ours_seconds_per_batch": pytest.approx(0.6 / book.OURS)}


def test_a_side_that_dies_is_named(monkeypatch):
    monkeypatch.setattr(book.sys, "executable", "false")
    with pytest.raises((RuntimeError, BrokenPipeError), match="side 'theirs' ended with 1|Broken pipe"):
        book.book(quick=True)


# Fields by gradient

@pytest.mark.parametrize("name", ["squeezenet1_1", "shufflenet_v2_x1_0", "mobilenet_v3_large"])
def test_fields_measured_by_gradient_agree_on(name):
    right, layers = fields.fields_right(tracing.official(name))
    assert right == layers > 50


def test_a_wrong_field_is_noticed(monkeypatch):
    net = torchvision.models.alexnet()

    def too_large(net, shape):
        rows = list(trace(net, shape))
        copied = copy.copy(rows[3])
        object.__setattr__(copied, "field", rows[6].field)
        return [*rows[:3], copied, *rows[4:]]

    assert fields.fields_right(net) == (14, 14)
    monkeypatch.setattr(fields.course_lib, "trace", too_large)
    assert fields.fields_right(net) == (13, 14)


def test_a_gate_that_sees_the_whole_map_is_measured_as_such():
    class Gated(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.after = torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.Conv2d(4, 4, 1)
            self.gate = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Conv2d(4, 4, 1), torch.nn.Sigmoid())

        def forward(self, x):
            x = self.conv(x)
            return self.after(x * self.gate(x))

    spans = fields.measured_spans(Gated(), (1, 3, 60, 20), 0)
    assert spans["conv"] == [(30, 29, 31)] and spans["after"] == [(30, 0, 59)]


# Growth

def test_exponent_is_the_slope_of_a_power():
    assert growth.exponent([28, 56, 112], [3 * n**1.7 for n in (28, 56, 112)]) == pytest.approx(1.7)


# The table and the command line

def test_the_table_sets_the_target_beside_a_figure_and_says_whether_it_is_met(monkeypatch, capsys):
    figures = {"same_work.fit": 12345.6, "same_work.ratio": 0.9699, "data.224.ratio": 4.0, "import.ratio": 1.06,
               "first_load.warm": 0.5, "time_to_92.test_accuracy": [0.915, 0.926], "time_to_92.seconds": [10.0, 12.0],
               "book.projected_seconds": 11_000}
    monkeypatch.setattr(bench, "PARTS", {"all": lambda quick: figures})
    bench.run()
    lines = [line for line in capsys.readouterr().out.splitlines() if "│" in line]
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines]
    assert rows == [["same_work.fit", "12,346", ""], ["same_work.ratio", "0.9699", "≥ 0.97, missed"],
                    ["data.224.ratio", "4", "≥ 4, met"], ["import.ratio", "1.06", "≤ 1.05, missed"],
                    ["first_load.warm", "0.5", "≤ 0.6, met"],
                    ["time_to_92.test_accuracy", "0.9205 (0.915 to 0.926)", "≥ 0.92, met"],
                    ["time_to_92.seconds", "11 (10 to 12)", ""], ["book.projected_seconds", "11,000", ""],
                    ["time_to_92.share_of_book", "0.001", "≤ 0.00143, met"]]
    bench.run(quick=True)
    assert "met" not in capsys.readouterr().out.replace("measured", "")


@pytest.mark.parametrize("module, part, first", [
    ("d2l.torch", "data", "data: d2l is left out"), ("d2l.torch", "same_work", "same_work: d2l is left out"),
    ("lightning", "same_work", "same_work: lightning is left out"), ("d2l.torch", "book", "book: d2l is left out")])
def test_without_a_library_one_line_says_so_and_our_side_is_measured(module, part, first, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, module, None)
    figures = bench.run(only=[part], quick=True)
    name = module.partition(".")[0]
    assert not any(name in key for key in figures) and (figures or part == "book")
    lines = [line for line in capsys.readouterr().out.splitlines() if f"{name} is left out" in line]
    assert [line.startswith(first) and "pip install" in line for line in lines] == [True]


def test_without_the_libraries_beside_it_trace_is_measured_alone():
    figures = tracing.trace_here("alexnet", 1, [])
    assert set(figures) == {f"trace.alexnet.{key}" for key in ("megabytes", "seconds", "layers", "field_right")}


def asked_of(*words):
    parser = argparse.ArgumentParser()
    bench.add_arguments(parser)
    return parser.parse_args(words)


def test_the_command_line_names_parts_and_file(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(bench, "PARTS", {name: lambda quick, name=name: asked.append((name, quick)) or {f"{name}.x": 1}
                                         for name in ("data", "trace", "import")})
    path = tmp_path / "figures.json"
    assert bench.main(asked_of("--only", "trace,data", "--quick", "--json", str(path))) == 0
    assert asked == [("trace", True), ("data", True)]
    assert json.loads(path.read_text(encoding="utf-8"))["trace.x"] == 1
    with pytest.raises(ValueError, match="unknown part speed: allowed are data, trace, import"):
        bench.main(asked_of("--only", "speed"))
    with pytest.raises(ValueError, match="takes a whole run"):
        bench.main(asked_of("--quick", "--json", str(bench.PUBLISHED)))


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
    code = ("from course_tools.bench.measure import megabytes; before = megabytes('VmRSS'); block = bytearray(2**27); "
            "held = megabytes('VmRSS'); del block; print([held - before, megabytes('VmHWM') - before])")
    held, peak = measure.in_new_process(code)
    assert 100 < held < 160 and 100 < peak < 160  # of 128
