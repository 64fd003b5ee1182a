"""What fit shows: nothing, a line an epoch, a bar, or one figure in a notebook."""

import io
import subprocess
import sys
from pathlib import Path

import nbclient
import nbformat
import pytest
import torch
from tqdm import tqdm

from course_lib import progress
from course_lib.history import History
from course_lib.train import fit

ROOT = Path(__file__).parents[1]
BATCHES = [(torch.eye(2), torch.tensor([0, 1]))] * 3


def train(batches=BATCHES, **options):
    return fit(torch.nn.Linear(2, 2), batches, device="cpu", **{"epochs": 2, **options})


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_without_progress_nothing_is_written(capfd):
    train(progress=False)
    assert capfd.readouterr() == ("", "")


def test_a_log_file_gets_one_line_an_epoch(capfd):
    history = train(valid=BATCHES)
    out, err = capfd.readouterr()
    lines = err.splitlines()
    assert out == "" and len(lines) == 2 and "\r" not in err
    assert lines[1].startswith("epoch 2/2: ")
    for values in (history.train_loss, history.train_accuracy, history.valid_loss, history.valid_accuracy):
        assert f"{values[1]:.3f}" in lines[1]


def test_a_terminal_gets_a_bar_over_all_batches_and_a_line_an_epoch(monkeypatch):
    steps, update = [], tqdm.update
    monkeypatch.setattr(tqdm, "update", lambda self, n=1: steps.append(n) or update(self, n))
    monkeypatch.setattr(sys, "stderr", Terminal())
    train()
    text = sys.stderr.getvalue()
    assert steps == [1] * 6
    assert "epoch 1/2:   0%" in text and "0/6 [" in text
    assert "epoch 2/2: training loss" in text
    assert text.count("training loss") == 2


def test_a_resumed_run_shows_where_it_is(monkeypatch, tmp_path):
    train(epochs=1, checkpoint=tmp_path / "a.pt", progress=False)
    monkeypatch.setattr(sys, "stderr", Terminal())
    train(epochs=4, checkpoint=tmp_path / "a.pt", resume=True)
    first = sys.stderr.getvalue().split("[")[0]
    assert "epoch 2/4:  25%" in first and "3/12 " in first


def test_data_without_a_length_gets_a_bar_without_an_end(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    train(iter(BATCHES), epochs=1)
    assert "epoch 1/1: 0 batches" in sys.stderr.getvalue()


def test_stopping_by_hand_is_said(capfd):
    def stop(history, net):
        raise KeyboardInterrupt

    train(callback=stop)
    assert capfd.readouterr().err.splitlines()[1].startswith("stopped by hand")


@pytest.fixture
def figure(monkeypatch):
    """A LiveFigure with a clock that only drawing (0.1 s) and the test move; `shown` is what the notebook was sent."""
    class Handle:
        def update(self, data, raw, metadata):
            shown.append(data)

    def draw(fig, alt):
        clock[0] += 0.1
        curve = len(fig.axes[0].lines and fig.axes[0].lines[0].get_xdata())
        return {"image/png": f"{curve} epochs", "text/plain": alt}, {"image/png": {"alt": alt}}

    import IPython.display

    clock, shown = [0.0], []
    monkeypatch.setattr(IPython.display, "display", lambda data, **options: shown.append(data) or Handle())
    monkeypatch.setattr(progress.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(progress, "notebook_output", draw)
    monkeypatch.setattr(progress, "in_notebook", lambda: True)
    monkeypatch.setattr("course_lib.plots.in_notebook", lambda: True)  # figures that are not left open
    watch = progress.reporter(True, 200, batches=10)
    watch.clock, watch.shown = clock, shown
    return watch


def play(watch, history, epochs, seconds=1.0, batches=10):
    for _ in range(epochs):
        for _ in range(batches):
            watch.clock[0] += seconds / batches
            watch.batch()
        history.add((1.0, 0.5), None, 100, seconds)
        watch(history, None)


def test_drawing_takes_a_fiftieth_of_the_time_and_the_last_epoch_is_drawn(figure):
    with figure:
        play(figure, History(), 200)
    pictures = [data["image/png"] for data in figure.shown]
    drawn = sorted(set(pictures), key=pictures.index)
    assert 20 < len(drawn) < 2 + 0.02 * 200 / 0.1 + 2
    assert drawn[0] == "0 epochs" and pictures[-1] == "200 epochs"


def test_the_bar_moves_twice_a_second_beside_the_last_drawing(figure):
    with figure:
        play(figure, History(), 1, seconds=20, batches=1000)
    bars = [data["text/html"] for data in figure.shown if "text/html" in data]
    assert 30 < len(bars) < 45
    assert "epoch 1/200" in bars[20] and "/2000 [" in bars[20] and f'alt="{progress.ALT}"' in bars[20]


def test_the_figure_ends_as_it_began_a_picture_with_a_sentence(figure):
    with figure:
        play(figure, History(), 3)
    for data in (figure.shown[0], figure.shown[-1]):
        assert data.keys() == {"image/png", "text/plain"} and data["text/plain"] == progress.ALT


def test_an_error_leaves_the_figure_with_the_epochs_before_it(figure):
    with pytest.raises(ZeroDivisionError), figure:
        play(figure, History(), 7)
        1 / 0
    assert figure.shown[-1] == {"image/png": "7 epochs", "text/plain": progress.ALT}


def test_a_notebook_stores_one_picture_with_its_alternative_text():
    cell = f"""
        import sys; sys.path.insert(0, {str(ROOT)!r})
        import torch
        from course_lib.train import fit
        data = [(torch.eye(2), torch.tensor([0, 1]))] * 3
        history = fit(torch.nn.Linear(2, 2), data, data, epochs=3, device="cpu")
    """
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("\n".join(map(str.strip, cell.split("\n"))))])
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    output, = notebook.cells[0].outputs
    assert output.output_type == "display_data"
    assert output.data.keys() == {"image/png", "text/plain"}
    assert output.data["text/plain"] == output.metadata["image/png"]["alt"] == progress.ALT
    assert output.data["image/png"].startswith("iVBOR")  # a PNG's first bytes


def test_importing_training_loads_nothing_that_only_shows():
    code = ("import sys, torch; before = set(sys.modules); import course_lib.train\n"
            "print({'tqdm', 'matplotlib', 'IPython', 'rich'} & (set(sys.modules) - before))")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
