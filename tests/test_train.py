"""fit and evaluate, against the loop written out, whole-set losses and PyTorch's own classes."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR, ReduceLROnPlateau, StepLR
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

from course_lib import evaluation
from course_lib.device import forward_context, has_bf16, pick_device
from course_lib.evaluation import moved
from course_lib.train import DivergedError, evaluate, fit


def make_batches(sizes=(8, 8, 3), seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [(torch.randn(n, 1, 6, 6, generator=generator), torch.randint(0, 4, (n,), generator=generator))
            for n in sizes]


def make_net(dropout=0.0):
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(dropout),
                         nn.Flatten(), nn.Linear(64, 4))


def quiet_fit(net, *args, **options):
    return fit(net, *args, device="cpu", progress=False, **options)


def whole(net, batches):
    """Loss and accuracy from one forward pass over all images together, in double precision."""
    net = copy.deepcopy(net).double().eval()
    X, y = (torch.cat(parts) for parts in zip(*batches))
    scores = net(X.double())
    return F.cross_entropy(scores, y).item(), (scores.argmax(1) == y).double().mean().item()


def same_weights(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


# The loop

def sgd(net):
    return torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9, weight_decay=5e-4)


def adamw(net):
    return torch.optim.AdamW(net.parameters(), lr=0.01, weight_decay=0.1)


@pytest.mark.parametrize("make_optimizer, schedule", [
    (sgd, None),
    (sgd, lambda optimizer, steps: OneCycleLR(optimizer, 0.1, total_steps=steps)),
    (adamw, lambda optimizer, steps: StepLR(optimizer, 4)),
])
def test_fit_gives_the_weights_of_the_loop_written_out(make_optimizer, schedule):
    batches, valid = make_batches(), make_batches((5, 2), seed=1)

    expected = make_net(dropout=0.3)
    optimizer = make_optimizer(expected)
    scheduler = schedule(optimizer, 9) if schedule else None
    losses = []
    for _ in range(3):
        expected.train()
        total, images = 0.0, 0
        for X, y in batches:
            optimizer.zero_grad()
            loss = F.cross_entropy(expected(X), y)
            loss.backward()
            optimizer.step()
            if scheduler:
                scheduler.step()
            total += loss.item() * len(y)
            images += len(y)
        losses.append(total / images)

    net = make_net(dropout=0.3)
    options = {"lr": 0.02} if make_optimizer is sgd else {"optimizer": make_optimizer(net)}
    history = quiet_fit(net, batches, valid, epochs=3, schedule=schedule, **options)
    assert same_weights(net, expected)
    assert history.train_loss == pytest.approx(losses, rel=1e-12)
    assert (history.valid_loss[-1], history.valid_accuracy[-1]) == pytest.approx(whole(expected, valid), rel=1e-5)


def test_the_history_counts_images_and_not_batches():
    net = nn.Sequential(nn.Flatten(), nn.Linear(36, 4))
    batches, valid = make_batches((8, 8, 1)), make_batches((7, 1), seed=1)
    history = quiet_fit(net, batches, valid, epochs=2, lr=0.0)  # the net stays as it is
    loss, accuracy = whole(net, batches)
    assert history.train_loss == pytest.approx([loss, loss], rel=1e-6)
    assert history.train_accuracy == pytest.approx([accuracy, accuracy])
    assert (history.valid_loss[1], history.valid_accuracy[1]) == pytest.approx(whole(net, valid), rel=1e-6)
    assert [s * r for s, r in zip(history.seconds, history.images_per_second)] == pytest.approx([17, 17])


def test_without_validation_its_lists_are_empty():
    history = quiet_fit(make_net(), make_batches(), epochs=2)
    assert len(history) == len(history.train_loss) == len(history.seconds) == 2
    assert history.valid_loss == history.valid_accuracy == []


class CountReads(TorchDispatchMode):
    """Count the operations that make Python wait for a number from the device."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.equal.default,
                               torch.ops.aten.nonzero.default)
        return func(*args, **(kwargs or {}))


def test_the_device_is_read_once_a_pass_and_not_once_a_batch(monkeypatch):
    reads = []
    tolist = torch.Tensor.tolist
    monkeypatch.setattr(torch.Tensor, "tolist", lambda self: reads.append(self.shape) or tolist(self))
    with CountReads() as counter:
        quiet_fit(make_net(0.5), make_batches((4,) * 12), make_batches((4,) * 9), epochs=2,
                  schedule=lambda optimizer, steps: OneCycleLR(optimizer, 0.1, total_steps=steps))
    assert counter.count == 0
    assert len(reads) == 4  # two epochs of training and of validation


def test_a_custom_loss_trains_and_validates():
    def smooth(scores, y):
        return F.cross_entropy(scores, y, label_smoothing=0.2)

    net, valid = make_net(), make_batches((5,), seed=1)
    history = quiet_fit(net, make_batches(), valid, epochs=1, loss=smooth)
    net.eval()
    assert history.valid_loss[0] == pytest.approx(smooth(net(valid[0][0]), valid[0][1]).item(), rel=1e-6)


# Data

def test_a_dataloader_trains_as_the_list_of_its_batches_does():
    X, y = (torch.cat(parts) for parts in zip(*make_batches()))
    a, b = make_net(), make_net()
    quiet_fit(a, DataLoader(TensorDataset(X, y), batch_size=8), epochs=2)
    quiet_fit(b, list(zip(X.split(8), y.split(8))), epochs=2)
    assert same_weights(a, b)


def test_a_generator_lasts_one_epoch():
    history = quiet_fit(make_net(), (batch for batch in make_batches()), epochs=1)
    assert len(history) == 1
    with pytest.raises(ValueError, match="train gave no batch in epoch 2.*generator"):
        quiet_fit(make_net(), (batch for batch in make_batches()), epochs=2)
    with pytest.raises(ValueError, match="valid gave no batch in epoch 2.*generator"):
        quiet_fit(make_net(), make_batches(), (batch for batch in make_batches()), epochs=2)


def test_data_without_a_batch_is_refused():
    for data, valid in (([], None), (make_batches(), [])):
        with pytest.raises(ValueError, match="gave no batch: it is empty"):
            quiet_fit(make_net(), data, valid, epochs=1)


class Epochs:
    """Something that wants to know which epoch begins."""

    def __init__(self):
        self.seen = []

    def set_epoch(self, epoch):
        self.seen.append(epoch)


class Announced(Epochs):
    def __iter__(self):
        return iter(make_batches())


def test_data_and_sampler_are_told_the_epoch():
    data = Announced()
    quiet_fit(make_net(), data, epochs=3)
    assert data.seen == [0, 1, 2]

    class Sampler(RandomSampler, Epochs):
        def __init__(self, source):
            RandomSampler.__init__(self, source)
            Epochs.__init__(self)

    source = TensorDataset(torch.randn(6, 1, 6, 6), torch.zeros(6, dtype=torch.long))
    loader = DataLoader(source, 3, sampler=Sampler(source))
    quiet_fit(make_net(), loader, epochs=2)
    assert loader.sampler.seen == [0, 1]


def test_batches_are_moved_to_the_device():
    X, y = next(moved(make_batches(), torch.device("meta")))
    assert X.device.type == y.device.type == "meta"


# Schedules

def test_a_schedule_learns_the_number_of_steps_and_moves_each_batch():
    rates, told = [], []

    def schedule(optimizer, steps):
        told.append(steps)
        return OneCycleLR(optimizer, 0.5, total_steps=steps)

    net = make_net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    quiet_fit(net, make_batches(), epochs=4, optimizer=optimizer, schedule=schedule,
              callback=lambda history, net: rates.append(optimizer.param_groups[0]["lr"]))
    alone = torch.optim.SGD(make_net().parameters(), lr=0.1)
    oracle, expected = OneCycleLR(alone, 0.5, total_steps=12), []
    for step in range(1, 12):
        alone.step()
        oracle.step()
        if step % 3 == 0:
            expected.append(alone.param_groups[0]["lr"])
    assert told == [12]
    assert rates[:3] == expected


def test_plateau_moves_each_epoch_on_the_validation_loss():
    net, wrong = make_net(), [(X, 3 - y) for X, y in make_batches()]
    optimizer, rates = torch.optim.SGD(net.parameters(), lr=0.1), []
    history = quiet_fit(net, make_batches(), wrong, epochs=6, optimizer=optimizer,
                        schedule=lambda optimizer, steps: ReduceLROnPlateau(optimizer, patience=1),
                        callback=lambda history, net: rates.append(optimizer.param_groups[0]["lr"]))
    alone = torch.optim.SGD(make_net().parameters(), lr=0.1)
    oracle, expected = ReduceLROnPlateau(alone, patience=1), []
    for loss in history.valid_loss:
        oracle.step(loss)
        expected.append(alone.param_groups[0]["lr"])
    assert rates == expected
    assert rates[-1] < rates[0]  # the case is one in which something happens


def test_schedules_that_cannot_work_are_refused():
    with pytest.raises(ValueError, match="follows the validation loss"):
        quiet_fit(make_net(), make_batches(), epochs=1, schedule=lambda optimizer, steps: ReduceLROnPlateau(optimizer))
    with pytest.raises(ValueError, match="needs the number of batches"):
        quiet_fit(make_net(), iter(make_batches()), epochs=1, schedule=lambda optimizer, steps: StepLR(optimizer, 1))
    with pytest.raises(TypeError, match="must return a torch scheduler, got float"):
        quiet_fit(make_net(), make_batches(), epochs=1, schedule=lambda optimizer, steps: 0.1)


# Precision and device

class Spy(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.seen = nn.Linear(36, 4), []

    def forward(self, X):
        scores = self.linear(X.flatten(1))
        self.seen.append((self.training, scores.dtype))
        return scores


@pytest.mark.parametrize("precision, hardware, expected", [
    ("fp32", True, torch.float32), ("bf16", False, torch.bfloat16),
    ("auto", True, torch.bfloat16), ("auto", False, torch.float32)])
def test_precision_is_that_of_training_and_validation_and_the_loss_is_float32(
        monkeypatch, precision, hardware, expected):
    monkeypatch.setattr("course_lib.device.has_bf16", lambda device: hardware)
    net, kinds = Spy(), set()

    def loss(scores, y):
        kinds.add(scores.dtype)
        return F.cross_entropy(scores, y)

    quiet_fit(net, make_batches((4,)), make_batches((4,)), epochs=1, precision=precision, loss=loss)
    assert net.seen == [(True, expected), (False, expected)]
    assert kinds == {torch.float32}
    assert net.linear.weight.dtype == net.linear.weight.grad.dtype == torch.float32
    net.seen.clear()
    evaluate(net, make_batches((4,)))
    assert net.seen == [(False, torch.float32)]


def test_bf16_is_found_where_the_processor_lists_it(monkeypatch):
    cpu = torch.device("cpu")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "avx512_bf16": False}, raising=False)
    assert not has_bf16(cpu)
    for name in ("avx512_bf16", "amx_bf16", "bf16"):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {name: True})
        assert has_bf16(cpu)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    assert not has_bf16(torch.device("cuda"))  # a T4 would only emulate it


def test_an_unknown_precision_is_refused():
    with pytest.raises(ValueError, match='"fp32", "bf16" or "auto", got \'fp16\''):
        forward_context("fp16", torch.device("cpu"))


def test_the_accelerator_is_taken_where_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("meta"))
    assert pick_device() == torch.device("meta")
    assert pick_device("cpu") == torch.device("cpu")
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    assert pick_device() == torch.device("cpu")


# What is refused

@pytest.mark.parametrize("epochs", [0, -1, 1.5, True, "3", None])
def test_epochs_must_be_a_whole_number(epochs):
    with pytest.raises(ValueError, match="epochs must be a whole number"):
        quiet_fit(make_net(), make_batches(), epochs=epochs)


def test_nets_without_anything_to_train_are_refused():
    for net in (nn.Flatten(), make_net().requires_grad_(False)):
        with pytest.raises(ValueError, match="no parameters to train"):
            quiet_fit(net, make_batches(), epochs=1)


def test_optimizers_that_do_not_fit_are_refused():
    net, batches = make_net(), make_batches()
    with pytest.raises(TypeError, match="optimizer must be a torch optimizer"):
        quiet_fit(net, batches, epochs=1, optimizer=torch.optim.SGD)
    with pytest.raises(ValueError, match="lr=0.1 is for the SGD"):
        quiet_fit(net, batches, epochs=1, optimizer=adamw(net), lr=0.1)
    with pytest.raises(ValueError, match="none of this net's parameters"):
        quiet_fit(net, batches, epochs=1, optimizer=adamw(make_net()))


@pytest.mark.parametrize("patience", [0, -1, 1.5])
def test_patience_must_be_a_whole_number(patience):
    with pytest.raises(ValueError, match="patience must be a whole number"):
        quiet_fit(make_net(), make_batches(), make_batches(), epochs=1, patience=patience)


def test_patience_needs_validation():
    with pytest.raises(ValueError, match="patience follows the validation loss"):
        quiet_fit(make_net(), make_batches(), epochs=1, patience=2)


@pytest.mark.parametrize("label", [4, -1])
def test_labels_out_of_range_are_named(label):
    with pytest.raises(ValueError, match=rf"labels must lie in 0 … 3.*got {label} … {label}"):
        quiet_fit(make_net(), [(torch.randn(2, 1, 6, 6), torch.full((2,), label))], epochs=1)


def test_batches_and_losses_of_the_wrong_shape_are_refused():
    X, y = make_batches((4,))[0]
    with pytest.raises(ValueError, match=r"scores \(B, K\).*got \(4, 4\) for labels \(4, 1\)"):
        quiet_fit(make_net(), [(X, y[:, None])], epochs=1)
    with pytest.raises(ValueError, match=r"got \(4, 4, 4, 4\)"):
        quiet_fit(nn.Conv2d(1, 4, 3), [(X, y)], epochs=1)
    with pytest.raises(TypeError, match="DataLoader"):
        quiet_fit(make_net(), [(X[0], 3)], epochs=1)
    with pytest.raises(TypeError, match="expected batches"):
        quiet_fit(make_net(), [X], epochs=1)
    with pytest.raises(ValueError, match=r"loss must return one number.*\(4,\)"):
        quiet_fit(make_net(), [(X, y)], epochs=1, loss=nn.CrossEntropyLoss(reduction="none"))


# How training ends

def test_a_loss_that_is_not_finite_ends_training():
    with pytest.raises(DivergedError, match=r"training loss of epoch \d is (nan|inf).*learning rate.*now 1e\+30"):
        quiet_fit(make_net(), make_batches(), epochs=3, lr=1e30)
    bad = [(torch.full((2, 1, 6, 6), float("nan")), torch.zeros(2, dtype=torch.long))]
    with pytest.raises(DivergedError, match="validation loss of epoch 1 is nan"):
        quiet_fit(make_net(), make_batches(), bad, epochs=1)


def test_divergence_keeps_the_history_of_the_epochs_before():
    class Spoilt(Announced):
        def __iter__(self):
            for X, y in make_batches():
                yield (X * float("inf") if self.seen[-1] == 2 else X), y

    with pytest.raises(DivergedError, match="epoch 3") as caught:
        quiet_fit(make_net(), Spoilt(), epochs=4)
    assert len(caught.value.history) == 2


def test_patience_stops_and_restores_the_best_weights():
    net, weights = make_net(), []
    noisy = [(X + 1.5 * torch.randn(X.shape, generator=torch.Generator().manual_seed(3)), y) for X, y in make_batches()]
    history = quiet_fit(net, make_batches(), noisy, epochs=60, patience=3, lr=0.01,
                        callback=lambda history, net: weights.append(copy.deepcopy(net)))
    best = min(range(len(history)), key=history.valid_loss.__getitem__)
    assert 0 < best and len(history) == best + 1 + 3 < 60
    assert same_weights(net, weights[best])
    assert not same_weights(net, weights[-1])


def test_the_best_weights_come_back_when_the_epochs_run_out_first():
    net, weights = make_net(), []
    wrong = [(X, 3 - y) for X, y in make_batches()]  # the better the training, the worse this
    history = quiet_fit(net, make_batches(), wrong, epochs=3, patience=5,
                        callback=lambda history, net: weights.append(copy.deepcopy(net)))
    assert history.valid_loss[0] == min(history.valid_loss) < history.valid_loss[2]
    assert len(history) == 3 and same_weights(net, weights[0])


def test_stopping_by_hand_returns_the_finished_epochs():
    class Interrupted(Announced):
        def __iter__(self):
            for i, batch in enumerate(make_batches()):
                if self.seen[-1] == 2 and i == 1:
                    raise KeyboardInterrupt
                yield batch

    net = make_net()
    history = quiet_fit(net, Interrupted(), make_batches(), epochs=9)
    assert len(history) == len(history.valid_loss) == len(history.seconds) == 2
    assert len(quiet_fit(net, make_batches(), epochs=1)) == 1  # the net goes on from there


def test_each_childs_mode_is_left_as_it_was():
    net = make_net(0.5)
    net[1].eval()
    modes = [child.training for child in net.modules()]
    quiet_fit(net, make_batches(), make_batches(), epochs=1)
    assert [child.training for child in net.modules()] == modes
    with pytest.raises(DivergedError):
        quiet_fit(net, make_batches(), epochs=1, lr=1e30, loss=lambda scores, y: scores.sum() * float("nan"))
    assert [child.training for child in net.modules()] == modes


def test_training_is_in_training_mode_although_the_net_came_in_evaluation_mode():
    net = Spy().eval()
    quiet_fit(net, make_batches((4,)), make_batches((4,)), epochs=2)
    assert [training for training, _ in net.seen] == [True, False, True, False]


def test_the_callback_sees_each_epoch_and_its_random_numbers_change_nothing():
    seen, nets = [], [make_net(0.5), make_net(0.5)]

    def watch(history, net):
        seen.append((len(history), net))
        torch.rand(7)

    torch.manual_seed(2)
    quiet_fit(nets[0], make_batches(), epochs=3, callback=watch)
    torch.manual_seed(2)
    quiet_fit(nets[1], make_batches(), epochs=3)
    assert seen == [(1, nets[0]), (2, nets[0]), (3, nets[0])]
    assert same_weights(*nets)


# evaluate

def test_evaluate_is_exact_over_images_and_changes_nothing():
    net, batches = make_net(0.5), make_batches((8, 8, 1))
    quiet_fit(net, batches, epochs=1)  # so that batch norm has statistics of its own
    net[3].eval()
    before, modes = copy.deepcopy(net), [child.training for child in net.modules()]
    net.zero_grad()
    assert evaluate(net, batches) == pytest.approx(whole(net, batches), rel=1e-6)
    assert same_weights(net, before)
    assert [child.training for child in net.modules()] == modes
    assert all(p.grad is None for p in net.parameters())


def test_evaluate_builds_no_graph(monkeypatch):
    modes, mean_loss = [], evaluation.mean_loss
    monkeypatch.setattr(evaluation, "mean_loss", lambda *args: modes.append(args[1].requires_grad) or mean_loss(*args))
    evaluate(make_net(), make_batches())
    assert modes == [False, False, False]


def test_evaluate_works_where_the_net_is_and_moves_it_when_told(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("meta"))
    loss, _ = evaluate(nn.Flatten(), [(torch.eye(2), torch.tensor([0, 1]))])  # no parameters: the CPU
    assert loss == pytest.approx(F.cross_entropy(torch.eye(2), torch.tensor([0, 1])).item())
    net = make_net()
    evaluate(net, make_batches())
    assert net[0].weight.device.type == "cpu"


def test_evaluate_refuses_to_average_nothing():
    with pytest.raises(ValueError, match="batches gave no batch: it is empty"):
        evaluate(make_net(), [])


# Memory

def too_much():
    torch.empty(10**15)  # PyTorch's own error on a CPU


def memory_error():
    raise MemoryError


def out_of_memory():
    raise torch.OutOfMemoryError("CUDA out of memory")


class Hungry(nn.Module):
    """Asks for too much memory in its fourth batch."""

    def __init__(self, ask):
        super().__init__()
        self.net, self.ask, self.batches = make_net(), ask, 0

    def forward(self, X):
        self.batches += self.training
        if self.batches == 4:
            self.ask()
        return self.net(X)


@pytest.mark.parametrize("ask", [too_much, memory_error, out_of_memory])
def test_memory_that_runs_out_is_said_with_what_to_do_and_the_checkpoint_stays(tmp_path, ask):
    path = tmp_path / "run.pt"
    with pytest.raises(MemoryError, match=r"memory ran out in epoch 2.*batch_size.*run.pt holds the last good epoch"):
        quiet_fit(Hungry(ask), make_batches(), epochs=3, checkpoint=path)
    state = torch.load(path, weights_only=True)
    assert state["epoch"] == 1 and all(torch.isfinite(value).all() for value in state["model"].values())
    assert len(quiet_fit(Hungry(int), make_batches(), epochs=3, checkpoint=path, resume=True)) == 3


def test_other_errors_of_a_net_are_left_as_they_are():
    class Broken(nn.Linear):
        def forward(self, X):
            raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="^shapes do not fit$"):
        quiet_fit(Broken(2, 2), [(torch.eye(2), torch.tensor([0, 1]))], epochs=1)
