"""Training: the loop of the training lesson, and what a run of hours needs around it.

    history = fit(net, train, valid, epochs=10, lr=0.1)
    loss, accuracy = evaluate(net, test)

`_train_epoch` is the loop. The rest of `fit` chooses device and precision, validates, shows progress,
writes checkpoints, stops early. `evaluate` is in evaluation.py.
"""

import math
import time
from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from ._checks import check_count
from .checkpoint import Checkpoint, check_path, random_state, set_random_state
from .device import forward_context, pick_device
from .distributed import check_same, own_random, parallel, rank_and_world, same_buffers, same_random, weighted
from .evaluation import Sums, evaluate, evaluation_sums, mean_loss, modes_kept, moved
from .history import History
from .progress import reporter


class DivergedError(RuntimeError):
    """Training gave a loss that is not finite; `history` holds the epochs before."""

    def __init__(self, message, history):
        super().__init__(message)
        self.history = history


def fit(net, train, valid=None, *, epochs, loss=F.cross_entropy, optimizer=None, lr=0.05, schedule=None, device=None,
        precision="fp32", checkpoint=None, resume=False, patience=None, callback=None, progress=True):
    """Train `net` in place for `epochs` epochs in all and return the `History`.

    Data. `train` and `valid` are iterables of `(X, y)`, gone through once an epoch: a DataLoader, a list
    of batches, what `fashion_mnist` gives. `X` is `(B, ...)`, `y` labels `(B,)`, the net's scores `(B, K)`.
    Batches are moved to the device; `train.set_epoch(e)`, e = 0, 1, …, is called where it exists.
    `loss(scores, y)` is the mean over the batch.

    Steps. Without an `optimizer`, SGD with `lr`, momentum 0.9, weight decay 5e-4; an optimizer brings its
    own learning rate. `schedule(optimizer, steps)`, steps = batches in all epochs, returns a torch
    scheduler, stepped after each batch; a `ReduceLROnPlateau` after each epoch, on the validation loss.

    Machine. `device=None` is the accelerator if there is one, else the CPU; the net stays there.
    `precision` is "fp32", "bf16" (autocast; slow where the hardware has to emulate it) or "auto", bf16
    where the hardware has it. The loss is computed in float32.

    Long runs. `checkpoint`, a path, is written after each epoch; with `resume=True` a run goes on from it,
    on a CPU bit for bit as if it had not stopped. `patience` stops after so many epochs without a lower
    validation loss; the net then ends with its best weights. Ctrl-C (Kernel > Interrupt) ends training and
    returns the history of the finished epochs. `callback(history, net)` watches after each epoch: random
    numbers it draws change nothing. Each child's training mode is left as it was.

    Several processes. Under `torchrun` each trains on its share of every batch, with DistributedDataParallel: of
    `train.shard(rank, world)` where that exists, else of a slice. All must be given the same batches in the same
    order. Gradients are weighted by images, so the step is the whole batch's, but for batch norm, which normalises
    by its own share. Rank 0 alone prints and writes; all return the same history (but for seconds) and weights.

    Raises `ValueError` or `TypeError` for arguments that make no sense, `FileExistsError` for a checkpoint
    that would be overwritten or that another run writes, `DivergedError` when a loss is not finite,
    `MemoryError` when a batch does not fit into memory.

    >>> data = [(torch.eye(2), torch.tensor([0, 1]))]
    >>> history = fit(torch.nn.Linear(2, 2), data, epochs=20, lr=1.0, device="cpu", progress=False)
    >>> len(history), history.train_accuracy[-1]
    (20, 1.0)
    """
    _check_arguments(net, valid, epochs, optimizer, lr, patience)
    check_path(checkpoint, resume)
    device = pick_device(device)
    forward = forward_context(precision, device)
    net.to(device)
    if optimizer is None:
        optimizer = torch.optim.SGD(net.parameters(), lr=lr, momentum=0.9, weight_decay=5e-4)
    num_batches = _length(train)
    scheduler, plateau = _schedulers(schedule, optimizer, num_batches, valid, epochs)

    rank, _ = rank_and_world()
    model = parallel(net, device)
    history, best = History(), None  # best: loss, epoch and weights, kept for `patience`
    keeper = checkpoint and Checkpoint(checkpoint, net, optimizer, plateau or scheduler, train, device,
                                       {"lr": lr, "validation": valid is not None})
    writing = keeper if rank == 0 else None
    with writing.held() if writing else nullcontext(), modes_kept(net):
        if writing:
            check_path(checkpoint, resume)  # again: another run may have ended there before we held it
        check_same(resume, "resume")  # here the others wait, so that all find the same file
        if keeper and keeper.path.exists():
            history, best = keeper.load()
        check_same(len(history), "the epochs that are done")
        with reporter(progress and rank == 0, epochs, done=len(history), batches=num_batches) as watch:
            try:
                for epoch in range(len(history), epochs):
                    if patience and best and epoch - best["epoch"] >= patience:
                        break
                    _set_epoch(train, epoch)
                    start = time.perf_counter()
                    sums = _train_epoch(model, train, loss, optimizer, scheduler, device, forward, watch)
                    trained = sums.means("train", epoch)  # the epoch's one synchronisation
                    seconds = time.perf_counter() - start
                    same_buffers(net)
                    validated = None
                    if valid is not None:
                        validated = evaluation_sums(net, valid, loss, device, forward).means("valid", epoch)
                    _refuse_divergence(trained, validated, optimizer, checkpoint, history)
                    if plateau:
                        plateau.step(validated[0])
                    history.add(trained, validated, sums.images, seconds)
                    if patience and (best is None or validated[0] < best["loss"]):
                        weights = {name: value.clone() for name, value in net.state_dict().items()}
                        best = {"loss": validated[0], "epoch": epoch + 1, "weights": weights}
                    if writing:
                        writing.save(history, best)
                    random = random_state(device)
                    watch(history, net)
                    if callback:
                        callback(history, net)
                    set_random_state(random, device)
            except KeyboardInterrupt:
                watch.interrupted()
            except (RuntimeError, MemoryError) as error:
                _explain_memory(error, checkpoint, history)
                raise
    if patience and best:
        net.load_state_dict(best["weights"])
    return history


def _train_epoch(net, train, loss, optimizer, scheduler, device, forward, watch):
    """Go through the training batches once: this is the loop."""
    net.train()
    sums = Sums(device)
    same_random()
    for i, (X, y) in enumerate(moved(train, device)):
        if i == 0:                                   # from here on, the order of the images is drawn
            own_random()
        with forward:
            scores = net(X)                          # (B, K)
        batch_loss = mean_loss(loss, scores, y)
        optimizer.zero_grad()
        weighted(batch_loss, len(y)).backward()
        optimizer.step()
        if scheduler:
            scheduler.step()
        sums.add(batch_loss, scores, y)
        watch.batch()
    return sums


def _length(train):
    """Return the number of batches, or None where the data can't tell."""
    try:
        return len(train)
    except TypeError:
        return None


def _schedulers(schedule, optimizer, num_batches, valid, epochs):
    """Return the scheduler to step after each batch, and the one to step after each epoch; None where there is none."""
    if schedule is None:
        return None, None
    if num_batches is None:
        raise ValueError("a schedule needs the number of batches: give train as a list or something else with a len()")
    scheduler = schedule(optimizer, num_batches * epochs)
    if not isinstance(scheduler, LRScheduler):
        raise TypeError(f"schedule(optimizer, steps) must return a torch scheduler, got {type(scheduler).__name__}")
    if not isinstance(scheduler, ReduceLROnPlateau):
        return scheduler, None
    if valid is None:
        raise ValueError("ReduceLROnPlateau follows the validation loss: give valid")
    return None, scheduler


def _check_arguments(net, valid, epochs, optimizer, lr, patience):
    check_count("epochs", epochs)
    if patience is not None:
        check_count("patience", patience)
        if valid is None:
            raise ValueError("patience follows the validation loss: give valid")
    own = {id(p) for p in net.parameters() if p.requires_grad}
    if not own:
        raise ValueError("the net has no parameters to train")
    if optimizer is None:
        return
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise TypeError(f"optimizer must be a torch optimizer made from net.parameters(), got {optimizer!r}")
    if lr != 0.05:
        raise ValueError(f"lr={lr} is for the SGD that fit makes itself; set it in the optimizer you give")
    if not own & {id(p) for group in optimizer.param_groups for p in group["params"]}:
        raise ValueError("the optimizer holds none of this net's parameters: make it anew from net.parameters()")


def _refuse_divergence(trained, validated, optimizer, checkpoint, history):
    if math.isfinite(trained[0]) and (validated is None or math.isfinite(validated[0])):
        return
    part, value = ("training", trained[0]) if not math.isfinite(trained[0]) else ("validation", validated[0])
    rate = max(group["lr"] for group in optimizer.param_groups)
    after = f"; {checkpoint} holds the last good epoch" if checkpoint and len(history) else ""
    raise DivergedError(f"the {part} loss of epoch {len(history) + 1} is {value}. Usual causes: a learning rate "
                        f"that is too large (now {rate:g}), images that are not normalised or contain NaN, "
                        f"initial weights that are too large{after}", history)


def _explain_memory(error, checkpoint, history):
    """Raise MemoryError in place of what PyTorch says where memory runs out; leave other errors alone."""
    if not (isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "can't allocate memory" in str(error)):
        return
    after = f" {checkpoint} holds the last good epoch: go on with resume=True." if checkpoint and len(history) else ""
    raise MemoryError(f"memory ran out in epoch {len(history) + 1}. Take smaller batches (batch_size), smaller images "
                      f"(size) or a narrower net; on a GPU restart the kernel, which frees what earlier cells hold."
                      f"{after}") from error


def _set_epoch(train, epoch):
    """Tell the data, and a DataLoader's sampler, which epoch begins."""
    for part in (train, getattr(train, "sampler", None)):
        if hasattr(part, "set_epoch"):
            part.set_epoch(epoch)
