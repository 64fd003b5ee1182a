"""What `fit` shows while it runs: a bar in a terminal, a figure with a bar in a notebook, or nothing.

A reporter is told of each batch (`batch()`) and, as a callback, of each epoch (`reporter(history, net)`);
it watches and changes nothing. In a log file, where no bar can move, each epoch is one line.
"""

import sys
import time

from .plots import in_notebook, notebook_output

ALT = "Learning curves: on the left the loss, on the right the accuracy, after each epoch of training."


def reporter(wanted, epochs, *, done=0, batches=None):
    """Return what `fit` reports to, as a context; `done` epochs of `epochs` are over, `batches` make an epoch."""
    if not wanted:
        return Reporter(epochs, done, batches)
    return (LiveFigure if in_notebook() else Bar)(epochs, done, batches)


class Reporter:
    """A reporter that shows nothing, and what all have in common."""

    def __init__(self, epochs, done, batches):
        self.epochs, self.done = epochs, done
        self.total = None if batches is None else batches * epochs
        self.seen = 0 if batches is None else batches * done

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        """Finish; a figure keeps its last state, a bar goes."""

    def batch(self):
        """Count one batch."""

    def __call__(self, history, net):
        """Show an epoch's results."""

    def interrupted(self):
        """Say that the run was stopped by hand."""


class Bar(Reporter):
    """A bar over all batches on stderr, and a line for each epoch."""

    def __enter__(self):
        from tqdm import tqdm

        # disable=None: no bar where stderr is not a terminal
        self.bar = tqdm(total=self.total, initial=self.seen, desc=f"epoch {self.done + 1}/{self.epochs}",
                        unit=" batches", leave=False, disable=None, file=sys.stderr)
        return self

    def __exit__(self, kind, error, trace):
        self.bar.close()

    def batch(self):
        self.bar.update()

    def __call__(self, history, net):
        self._line(f"epoch {len(history)}/{self.epochs}: {history.last()}; {history.seconds[-1]:.1f} s, "
                   f"{history.images_per_second[-1]:,.0f} images/s")
        self.bar.set_description(f"epoch {min(len(history) + 1, self.epochs)}/{self.epochs}", refresh=False)

    def interrupted(self):
        self._line("stopped by hand; the history holds the epochs that were finished")

    def _line(self, text):
        self.bar.write(text, file=sys.stderr)  # above the bar
        sys.stderr.flush()


class LiveFigure(Reporter):
    """One output of a notebook, updated in place: curves with tqdm's bar beneath, in the end the curves alone.

    Drawing takes about a tenth of a second, so a figure is drawn anew only when all drawing together
    stays below `SHARE` of the time. The bar is text beside the last drawing and moves twice a second.
    """

    SHARE = 0.02
    PAUSE = 0.5  # seconds between two moves of the bar

    def __enter__(self):
        from IPython.display import display

        from .history import History

        self.history, self.start, self.moved = History(), self.seen, 0.0
        self._draw()
        # The output starts with what it ends with, a picture and the sentence, as nbval compares the start.
        self.handle = display(self.picture, raw=True, metadata=self.metadata, display_id=True)
        self.started, self.drawing = time.perf_counter(), 0.0  # loading matplotlib does not count
        return self

    def __exit__(self, kind, error, trace):
        if self.drawn != len(self.history):
            self._draw()
        self.handle.update(self.picture, raw=True, metadata=self.metadata)

    def batch(self):
        self.seen += 1
        if time.perf_counter() - self.moved > self.PAUSE:
            self._move()

    def __call__(self, history, net):
        self.history, self.done = history, len(history)
        now = time.perf_counter()
        if self.drawing < self.SHARE * (now - self.started):
            self._draw()
            self.drawing += time.perf_counter() - now
        self._move()

    def interrupted(self):
        print("stopped by hand; the history holds the epochs that were finished", file=sys.stderr)

    def _draw(self):
        self.drawn = len(self.history)
        self.picture, self.metadata = notebook_output(self.history.plot(), ALT)

    def _move(self):
        from tqdm import tqdm

        self.moved = time.perf_counter()
        bar = tqdm.format_meter(self.seen, self.total, self.moved - self.started, initial=self.start, ncols=80,
                                prefix=f"epoch {min(self.done + 1, self.epochs)}/{self.epochs}", unit=" batches")
        html = f'<img alt="{ALT}" src="data:image/png;base64,{self.picture["image/png"]}"><pre>{bar}</pre>'
        self.handle.update({**self.picture, "text/html": html}, raw=True, metadata=self.metadata)
