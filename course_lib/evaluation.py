"""Loss and accuracy, exact over images: `evaluate`, and what it shares with training."""

from contextlib import contextmanager, nullcontext

import torch
import torch.nn.functional as F

from .distributed import add, sharded


def evaluate(net, batches, *, device=None):
    """Return `(loss, accuracy)` of `net` on `batches` of `(X, y)`: cross-entropy, and the share that is right.

    Both are exact means over images, whatever the batches' sizes, in the net's own precision. Each child's
    training mode is left as it was. `device=None` is where the net is. Raises `ValueError` without batches.
    Under `torchrun` all processes call it together, each scores its share, and all get the same answer.

    >>> net = torch.nn.Linear(2, 2)
    >>> _ = torch.nn.init.eye_(net.weight), torch.nn.init.zeros_(net.bias)
    >>> loss, accuracy = evaluate(net, [(torch.eye(2), torch.tensor([0, 0]))])
    >>> round(loss, 3), accuracy
    (0.813, 0.5)
    """
    if device is None:
        device = next((p.device for p in net.parameters()), "cpu")
    device = torch.device(device)
    return evaluation_sums(net.to(device), batches, F.cross_entropy, device, nullcontext()).means("batches")


@torch.no_grad()
def evaluation_sums(net, batches, loss, device, forward):
    """Return the `Sums` over `batches`, with dropout off and batch norm's running statistics."""
    sums = Sums(device)
    with modes_kept(net):
        net.eval()
        for X, y in moved(batches, device):
            with forward:
                scores = net(X)
            sums.add(mean_loss(loss, scores, y), scores, y)
    return sums


class Sums:
    """Sums over images that stay on the device, so that no batch waits for a number to be read."""

    def __init__(self, device):
        exact = torch.float32 if device.type == "mps" else torch.float64  # MPS has no float64
        self.total, self.images = torch.zeros(2, dtype=exact, device=device), 0  # loss, number right

    def add(self, batch_loss, scores, y):
        """Add a batch: its mean loss, scores (B, K) and labels (B,); an empty one (a process's share) adds nothing."""
        if not len(y):
            return
        self.total += torch.stack([batch_loss.detach().to(self.total) * len(y), (scores.argmax(1) == y).sum()])
        self.images += len(y)

    def means(self, name, epoch=0):
        """Return mean loss and accuracy over all processes' images: this reads from the device, and waits for it."""
        loss, right, images = add(torch.cat([self.total, self.total.new_tensor([self.images])])).tolist()
        self.images = round(images)
        if not self.images:
            raise ValueError(f"{name} gave no batch" + (
                f" in epoch {epoch + 1}: an iterator or generator can be gone through only once; give a DataLoader "
                "or a list" if epoch else ": it is empty, or a generator that was used up before"))
        return loss / self.images, right / self.images


def moved(batches, device):
    """Yield this process's share of each `(X, y)`, on the device: alone, the whole of it."""
    with sharded(batches) as ours:
        for batch in batches:
            if not (isinstance(batch, (tuple, list)) and len(batch) == 2
                    and all(isinstance(part, torch.Tensor) for part in batch)):
                raise TypeError(f"expected batches (X, y) of two tensors, got {type(batch).__name__}: "
                                f"{str(batch)[:60]}; a Dataset goes into a DataLoader first")
            yield tuple(part[ours(len(part))].to(device, non_blocking=device.type == "cuda") for part in batch)


def mean_loss(loss, scores, y):
    """Return the loss of a batch, in float32, and refuse shapes and labels that do not fit."""
    if scores.ndim != 2 or y.shape != scores.shape[:1]:
        raise ValueError(f"the net must give scores (B, K) for labels (B,), got {tuple(scores.shape)} "
                         f"for labels {tuple(y.shape)}")
    if scores.dtype == torch.bfloat16:
        scores = scores.float()
    try:
        value = loss(scores, y)
    except IndexError as error:  # on a CPU; an accelerator reports it later and less clearly
        raise ValueError(f"labels must lie in 0 … {scores.shape[1] - 1}, as the net gives {scores.shape[1]} scores; "
                         f"got {y.min().item()} … {y.max().item()}") from error
    if value.ndim:
        raise ValueError(f"loss must return one number, the batch's mean, got shape {tuple(value.shape)}")
    return value


@contextmanager
def modes_kept(net):
    """Give each child back the training mode it had."""
    modes = [(child, child.training) for child in net.modules()]
    try:
        yield
    finally:
        for child, training in modes:
            child.training = training
