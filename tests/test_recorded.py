"""Recorded experiments: kept run by run, resumed, compared with what was recorded before."""

import json

import pytest

import course_tools.recorded as recorded
from course_tools.recorded import Runs, experiment, load_runs

ARMS = {"small": {"width": 1}, "large": {"width": 2}}


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.setattr(recorded, "REPOSITORY", tmp_path)
    monkeypatch.setattr(load_runs, "__defaults__", (tmp_path / "data" / "runs",))
    return tmp_path


def play(*arguments, calls=None, shift=0.0, fail_at=None, settings=None):
    def run(arm, seed, *, epochs):
        if calls is not None:
            calls.append((arm["width"], seed))
        if fail_at == (arm["width"], seed):
            raise KeyboardInterrupt
        return {"accuracy": [0.5, 0.5 + 0.1 * arm["width"] + 0.01 * seed + shift]}
    return experiment("toy", "Which is better?\n\nMore text.", ARMS, range(3), run, settings or {"epochs": 2}, "accuracy",
                      arguments)


def test_accepted_runs_come_back_with_arms_seeds_and_question(repository):
    assert play("--accept") == 0
    runs = load_runs("toy")
    assert runs.question == "Which is better?" and runs.arms == ARMS and runs.settings == {"epochs": 2}
    assert runs.final("large", "accuracy") == pytest.approx([0.70, 0.71, 0.72])
    assert runs.mean("small", "accuracy") == pytest.approx(0.61)
    assert {"date", "machine", "torch"} <= set(runs.made)


def test_range_is_the_seeds_range_widened_by_its_width(repository):
    play("--accept")
    assert load_runs("toy").range("small", "accuracy") == pytest.approx((0.58, 0.64))
    alike = Runs("toy", "?", {}, {"a": {}}, [{"arm": "a", "seed": s, "x": 0.5} for s in (0, 1)], {})
    assert alike.range("a", "x") == pytest.approx((0.48, 0.52))


def test_an_interrupted_experiment_goes_on_where_it_stopped(repository):
    first, second = [], []
    with pytest.raises(KeyboardInterrupt):
        play(calls=first, fail_at=(2, 1))
    assert play(calls=second) == 0
    assert first == [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1)] and second == [(2, 1), (2, 2)]


def test_changed_settings_or_again_start_afresh(repository):
    play()
    calls = []
    play(calls=calls, settings={"epochs": 3})
    assert len(calls) == 6
    play("--again", calls=calls, settings={"epochs": 3})
    assert len(calls) == 12


def test_a_result_outside_the_recorded_range_is_named_and_fails(repository, capsys):
    play("--accept")
    assert play("--again", shift=0.005) == 0
    assert "OUTSIDE" not in capsys.readouterr().out
    assert play("--again", shift=0.3) == 1
    assert "small: mean 0.9100 over 3 seeds, recorded range 0.5800 to 0.6400, OUTSIDE: 0.9000" in capsys.readouterr().out
    assert load_runs("toy").mean("small", "accuracy") == pytest.approx(0.61)      # nothing was overwritten


def test_no_temporary_file_stays(repository):
    play("--accept")
    names = [path.name for folder in ("build/experiments", "data/runs") for path in (repository / folder).iterdir()]
    assert names == ["toy.json", "toy.json"]


def test_what_is_missing_is_named(repository):
    play("--accept")
    with pytest.raises(FileNotFoundError, match="no recorded experiment 'toys'.*recorded: toy"):
        load_runs("toys")
    with pytest.raises(ValueError, match="no arm 'huge'; it has 'small', 'large'"):
        load_runs("toy").of("huge", "accuracy")
    with pytest.raises(ValueError, match="did not measure 'loss'; it has arm, seed, accuracy"):
        load_runs("toy").of("small", "loss")


def test_the_courses_own_records_have_three_seeds_an_arm():
    for path in sorted((recorded.REPOSITORY / "data" / "runs").glob("*.json")):
        content = json.loads(path.read_text())
        for arm in content["arms"]:
            seeds = [run["seed"] for run in content["runs"] if run["arm"] == arm]
            assert len(set(seeds)) == len(seeds) >= 3, f"{path.name}: {arm}"
