"""What `fit` returns: the numbers of every epoch, and their curves."""

from dataclasses import dataclass, field


@dataclass(repr=False)
class History:
    """Six lists with one value an epoch; those of validation stay empty where there was none.

    Losses are means over images, accuracies lie in [0, 1]; `seconds` and `images_per_second` are those
    of training alone. `dataclasses.asdict(history)` is made of plain lists, fit for JSON, and
    `History(**lists)` is the way back.

    >>> history = History(train_loss=[1.2, 0.8], train_accuracy=[0.5, 0.7])
    >>> len(history)
    2
    >>> history
    History of 2 epochs: training loss 0.800, accuracy 0.700
    """

    train_loss: list = field(default_factory=list)
    train_accuracy: list = field(default_factory=list)
    valid_loss: list = field(default_factory=list)
    valid_accuracy: list = field(default_factory=list)
    seconds: list = field(default_factory=list)
    images_per_second: list = field(default_factory=list)

    def __len__(self):
        return len(self.train_loss)

    def __repr__(self):
        return f"History of {len(self)} epoch{'s' * (len(self) != 1)}" + (f": {self.last()}" if len(self) else "")

    def last(self):
        """Return the last epoch's results as a line of text."""
        parts = [f"training loss {self.train_loss[-1]:.3f}, accuracy {self.train_accuracy[-1]:.3f}"]
        if self.valid_loss:
            parts.append(f"validation loss {self.valid_loss[-1]:.3f}, accuracy {self.valid_accuracy[-1]:.3f}")
        return "; ".join(parts)

    def add(self, train, valid, images, seconds):
        """Add an epoch: `(loss, accuracy)` of both sets (`valid` may be None), images trained on, seconds."""
        self.train_loss.append(train[0])
        self.train_accuracy.append(train[1])
        if valid is not None:
            self.valid_loss.append(valid[0])
            self.valid_accuracy.append(valid[1])
        self.seconds.append(seconds)
        self.images_per_second.append(images / seconds)

    def plot(self, axes=None):
        """Draw loss and accuracy over the epochs, on the two `axes` or a new figure, and return the figure."""
        from . import plots

        if axes is None:
            _, axes = plots.subplots(1, 2, height=3)
        plots.plot_history(self, axes)
        return axes[0].figure
