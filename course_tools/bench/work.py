"""The same work by four loops: `fit`, the loop written plainly, d2l's Trainer and Lightning's."""

import contextlib
import copy
import io
import logging
import warnings

import torch
import torch.nn.functional as F

import course_lib
from course_lib.device import pick_device
from course_lib.recipes import slim_vgg

from .measure import BENCH, D2L, in_turns, optional, seconds, with_ratio

ARCH = ((1, 16), (1, 32), (1, 64), (1, 128))
LR = 0.05


def same_work(quick):
    """Train copies of one net on the same batches, in 32-bit floats, with the optimizer of `fit`, in turns."""
    device = pick_device()
    batches = [batch for batch, _ in zip(course_lib.fashion_mnist(256, device=device)[0], range(2 if quick else 60))]
    images = sum(len(y) for _, y in batches)
    torch.manual_seed(0)
    net = slim_vgg(ARCH).to(device, memory_format=torch.channels_last)
    loops = {"fit": by_fit, "plain": by_hand}
    if optional("d2l.torch", "same_work", D2L):
        loops["d2l"] = by_d2l
    if optional("lightning", "same_work", BENCH):
        loops["lightning"] = by_lightning
    figures = in_turns("same_work", 1 if quick else 9, {
        name: lambda loop=loop: images / seconds(lambda: loop(copy.deepcopy(net), batches))
        for name, loop in loops.items()})
    for other, name in [("plain", "ratio"), ("d2l", "ratio_to_d2l"), ("lightning", "ratio_to_lightning")]:
        figures = with_ratio(figures, "same_work", "fit", other, name)
    return figures


def sgd(net):
    """The optimizer that `fit` makes."""
    return torch.optim.SGD(net.parameters(), lr=LR, momentum=0.9, weight_decay=5e-4)


def by_fit(net, batches):
    return course_lib.fit(net, batches, epochs=1, lr=LR, progress=False).train_loss[0]


def by_hand(net, batches):
    """Train an epoch as a student writes it; return the mean loss over images."""
    optimizer = sgd(net)
    loss_sum = correct = images = 0
    net.train()
    for X, y in batches:
        optimizer.zero_grad()
        scores = net(X)
        loss = F.cross_entropy(scores, y)
        loss.backward()
        optimizer.step()
        loss_sum += loss.detach() * len(y)  # stays on the device: one synchronisation an epoch, as in fit
        correct += (scores.argmax(1) == y).sum()
        images += len(y)
    (correct / images).item()
    return loss_sum.item() / images


def by_d2l(net, batches):
    """Train an epoch with d2l's Trainer, which reads the loss of every batch; its drawing is switched off."""
    from d2l import torch as d2l

    class Net(d2l.Classifier):
        def __init__(self):
            super().__init__()
            self.net = net

        def configure_optimizers(self):
            return sgd(self)

    class Data:
        def train_dataloader(self):
            return batches

        def val_dataloader(self):
            return None

    model = Net()
    model.board.display = False
    d2l.Trainer(max_epochs=1, num_gpus=int(pick_device().type == "cuda")).fit(model, Data())


def by_lightning(net, batches):
    """Train an epoch with Lightning's Trainer, which keeps loss and accuracy of the epoch as `fit` does."""
    import lightning

    class Net(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = net

        def training_step(self, batch, number):
            X, y = batch
            scores = self.net(X)
            loss = F.cross_entropy(scores, y)
            self.log("loss", loss, on_step=False, on_epoch=True, batch_size=len(y))
            self.log("accuracy", (scores.argmax(1) == y).float().mean(), on_step=False, on_epoch=True, batch_size=len(y))
            return loss

        def configure_optimizers(self):
            return sgd(self)

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)  # it tells of its devices, and of its makers
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        trainer = lightning.Trainer(max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
                                    enable_model_summary=False, accelerator="auto", devices=1)
        trainer.fit(Net(), torch.utils.data.DataLoader(batches, batch_size=None))  # it takes a list for many loaders
    return trainer.callback_metrics["loss"].item()
