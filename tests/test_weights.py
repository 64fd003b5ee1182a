"""initialise, preinitialise and load_official: PyTorch's and torchvision's own nets are the oracles."""

import math
import pickle

import pytest
import torch
import torchvision
from torch import nn
from torchvision.models import Weights, WeightsEnum
from torchvision.models.vgg import VGG, make_layers

from course_lib.alexnet import alexnet
from course_lib.vgg import VGG_CONFIGS, vgg
from course_lib.weights import initialise, load_official, preinitialise


def copy_of(net):
    return {name: tensor.clone() for name, tensor in net.state_dict().items()}


def assert_unchanged(net, before):
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def randomise(net):
    """Give every tensor of a net numbers that tell it from its neighbours, batch norm's statistics included."""
    for module in net.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                nn.init.uniform_(tensor, 0.5, 1.5)
    return net


# initialise

def small_net(**options):
    return vgg(((1, 4), (2, 8)), input_size=8, hidden=16, **options)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_default_gives_the_weights_that_pytorch_builds_a_net_with(batch_norm):
    torch.manual_seed(1)
    fresh = small_net(batch_norm=batch_norm)
    used = randomise(small_net(batch_norm=batch_norm))
    torch.manual_seed(1)
    assert_unchanged(initialise(used, "default"), copy_of(fresh))


def test_xavier_is_uniform_up_to_glorots_bound():
    torch.manual_seed(0)
    conv = initialise(nn.Conv2d(20, 60, 5), "xavier")
    bound = math.sqrt(6 / (20 * 25 + 60 * 25))
    assert 0.99 * bound < conv.weight.abs().max() <= bound
    assert conv.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.02)


@pytest.mark.parametrize("layer, fan_in", [
    (nn.Linear(400, 300), 400), (nn.Conv2d(20, 80, 5), 500), (nn.Conv2d(40, 80, 5, groups=2), 500)])
def test_kaiming_is_normal_with_variance_two_over_fan_in(layer, fan_in):
    torch.manual_seed(0)
    weight = initialise(layer, "kaiming").weight * math.sqrt(fan_in / 2)
    assert weight.std().item() == pytest.approx(1, rel=0.02)
    assert (weight.abs() < 1).float().mean().item() == pytest.approx(0.6827, abs=0.01)


def test_kaiming_carries_a_signal_through_thirty_layers_and_the_papers_scale_does_not():
    torch.manual_seed(0)
    net = nn.Sequential(*(layer for _ in range(30) for layer in (nn.Linear(256, 256), nn.ReLU())))
    X = torch.randn(64, 256)
    assert 0.1 < initialise(net, "kaiming")(X).std() < 10
    assert initialise(net, "normal", std=0.01)(X).std() < 1e-12


def test_normal_has_the_standard_deviation_asked_for():
    torch.manual_seed(0)
    weight = initialise(nn.Linear(400, 300), "normal", std=0.01).weight / 0.01
    assert weight.mean().item() == pytest.approx(0, abs=0.02)
    assert weight.std().item() == pytest.approx(1, rel=0.02)
    assert (weight.abs() < 1).float().mean().item() == pytest.approx(0.6827, abs=0.01)


@pytest.mark.parametrize("scheme, options", [("xavier", {}), ("kaiming", {}), ("normal", {"std": 0.1})])
def test_biases_become_zero_and_batch_norm_starts_afresh(scheme, options):
    net = randomise(small_net(batch_norm=True))
    before = copy_of(net)
    assert initialise(net, scheme, **options) is net
    fresh = nn.BatchNorm2d(4)
    assert_unchanged(net[0][1], fresh.state_dict())
    for name, tensor in net.state_dict().items():
        if name.endswith("bias"):
            assert not tensor.any(), name
        elif name.endswith("weight"):
            assert not torch.equal(tensor, before[name]), name


def test_layers_without_bias_are_welcome():
    assert initialise(nn.Conv2d(1, 2, 3, bias=False), "kaiming").bias is None


@pytest.mark.parametrize("scheme", ["default", "kaiming"])
def test_the_seed_alone_decides(scheme):
    drawn = []
    for _ in range(2):
        torch.manual_seed(5)
        drawn.append(copy_of(initialise(small_net(), scheme)))
    torch.manual_seed(6)
    other = copy_of(initialise(small_net(), scheme))
    assert torch.equal(drawn[0]["0.0.weight"], drawn[1]["0.0.weight"])
    assert not torch.equal(drawn[0]["0.0.weight"], other["0.0.weight"])


@pytest.mark.parametrize("scheme", ["he", "Xavier", None, 3, ["normal"]])
def test_unknown_schemes_are_told_what_is_allowed(scheme):
    with pytest.raises(ValueError, match="unknown scheme .*default, xavier, kaiming, normal"):
        initialise(nn.Linear(2, 2), scheme)


@pytest.mark.parametrize("std", [None, 0, -1.0, math.nan, math.inf, True, "0.01"])
def test_normal_needs_a_standard_deviation(std):
    with pytest.raises(ValueError, match=f"needs std=.*got {std!r}"):
        initialise(nn.Linear(2, 2), "normal", std=std)


@pytest.mark.parametrize("scheme", ["default", "xavier", "kaiming"])
def test_other_schemes_refuse_a_standard_deviation(scheme):
    with pytest.raises(ValueError, match="std=0.1 belongs to"):
        initialise(nn.Linear(2, 2), scheme, std=0.1)


@pytest.mark.parametrize("scheme", ["default", "kaiming"])
def test_parameters_without_a_default_are_refused_before_anything_is_drawn(scheme):
    class Scale(nn.Module):
        def __init__(self):
            super().__init__()
            self.factor = nn.Parameter(torch.ones(2))

    net = nn.Sequential(nn.Linear(2, 2), Scale())
    before = copy_of(net)
    with pytest.raises(ValueError, match="cannot initialise 1, a Scale"):
        initialise(net, scheme)
    assert_unchanged(net, before)


# preinitialise

def narrow(name, width=8, **options):
    """Build a net of the paper's table 1 with its channels divided by 64 / width."""
    arch = [(n, channels * width // 64, *more) for n, channels, *more in VGG_CONFIGS[name]]
    return vgg(arch, **{"input_size": 32, "hidden": 16, **options})


# Positions in the blocks of the layers copied, counted by hand: (block, layer in net, layer in A).
PLACES = [(0, 0, 0), (1, 0, 0), (2, 0, 0), (2, 2, 2)]
PLACES_WITH_NORM = [(0, 0, 0), (0, 1, 1), (1, 0, 0), (1, 1, 1), (2, 0, 0), (2, 1, 1), (2, 3, 3), (2, 4, 4)]


@pytest.mark.parametrize("name, batch_norm", [("B", False), ("C", False), ("D", False), ("E", False), ("D", True)])
def test_the_first_four_convolutions_and_the_head_come_from_net_a(name, batch_norm):
    source, net = (randomise(narrow(n, batch_norm=batch_norm)) for n in ("A", name))
    before, source_before = copy_of(net), copy_of(source)
    assert preinitialise(net, source) is net
    copied = [(f"{b}.{ours}", f"{b}.{theirs}") for b, ours, theirs in (PLACES_WITH_NORM if batch_norm else PLACES)]
    copied = dict(copied + [(f"{i}", f"{i}") for i in (6, 9, 12)])
    for key, tensor in net.state_dict().items():
        layer, _, leaf = key.rpartition(".")
        expected = source_before[f"{copied[layer]}.{leaf}"] if layer in copied else before[key]
        assert torch.equal(tensor, expected), key
    assert_unchanged(source, source_before)


def test_training_the_deeper_net_leaves_the_source_alone():
    source, net = narrow("A"), narrow("B")
    preinitialise(net, source)
    before = copy_of(source)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(1)
    assert_unchanged(source, before)


@pytest.mark.parametrize("net, source, problem", [
    (narrow("D", hidden=32), narrow("A"), "fc1 does not fit: .*out_features=16.*out_features=32"),
    (narrow("D", num_classes=7), narrow("A"), "fc3 does not fit"),
    (narrow("D", width=16), narrow("A"), "conv1_1 does not fit: the source has Conv2d.1, 8,.*the net Conv2d.1, 16,"),
    (narrow("D", batch_norm=True), narrow("A"), "conv1_1 does not fit: .*BatchNorm2d"),
    (narrow("D"), narrow("A", batch_norm=True), "conv1_1 does not fit: .*BatchNorm2d"),
    (narrow("A"), narrow("D"), "the net has no conv1_2"),
    (alexnet("half", input_size=64), narrow("A"), "the net must be a net built by vgg"),
    (narrow("D"), alexnet("half", input_size=64), "the source must be a net built by vgg"),
    (narrow("D"), None, "the source must be a net built by vgg.*NoneType"),
])
def test_what_does_not_fit_is_named_and_nothing_is_copied(net, source, problem):
    before = copy_of(net)
    with pytest.raises(ValueError, match=problem):
        preinitialise(net, source)
    assert_unchanged(net, before)


# load_official

@pytest.mark.parametrize("official, name, batch_norm", [("vgg11", "A", False), ("vgg16_bn", "D", True)])
def test_official_vggs_give_the_same_scores(official, name, batch_norm):
    with torch.device("meta"):
        theirs = getattr(torchvision.models, official)()
        ours = vgg(name, in_channels=3, num_classes=1000, batch_norm=batch_norm)
    theirs, ours = randomise(theirs.to_empty(device="cpu")).eval(), ours.to_empty(device="cpu").eval()
    assert load_official(ours, theirs.state_dict()) is ours
    with torch.no_grad():
        X = torch.randn(1, 3, 224, 224)
        torch.testing.assert_close(ours(X), theirs(X))


def with_small_head(build, numbers):
    """Build an official VGG and make its head, which takes 25,088 numbers, take few, to be quick."""
    with torch.device("meta"):
        net = build()
    net.avgpool = nn.Identity()
    for place, layer in [(0, nn.Linear(numbers, 24)), (3, nn.Linear(24, 24)), (6, nn.Linear(24, 5))]:
        net.classifier[place] = layer
    return randomise(net.to_empty(device="cpu")).eval()


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("depth, name", [(11, "A"), (13, "B"), (16, "D"), (19, "E")])
def test_every_official_vgg_has_its_net(depth, name, batch_norm):
    build = getattr(torchvision.models, f"vgg{depth}{'_bn' if batch_norm else ''}")
    theirs = with_small_head(build, 512)
    ours = vgg(name, in_channels=3, num_classes=5, input_size=32, hidden=24, batch_norm=batch_norm).eval()
    load_official(ours, theirs.state_dict())
    with torch.no_grad():
        X = torch.randn(2, 3, 32, 32)
        torch.testing.assert_close(ours(X), theirs(X))


def test_official_alexnet_gives_the_same_scores():
    theirs = torchvision.models.alexnet().eval()
    ours = load_official(alexnet("torchvision", in_channels=3, num_classes=1000), theirs.state_dict()).eval()
    with torch.no_grad():
        X = torch.randn(1, 3, 224, 224)
        torch.testing.assert_close(ours(X), theirs(X))


def small_official(batch_norm=False):
    """Build torchvision's VGG with two narrow blocks for images of 8 pixels."""
    features = make_layers([4, "M", 4, 4, "M"], batch_norm=batch_norm)
    return with_small_head(lambda: VGG(features, init_weights=False), 16)


def small_ours(batch_norm=False, **options):
    sizes = {"in_channels": 3, "num_classes": 5, "input_size": 8, "hidden": 24, **options}
    return vgg(((1, 4), (2, 4)), batch_norm=batch_norm, **sizes)


def assert_same_scores(ours, theirs):
    X = torch.randn(2, 3, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(ours.eval()(X), theirs.eval()(X))


def test_a_state_dict_of_the_net_itself_is_loaded_by_name_in_any_order():
    source, net = torchvision.models.resnet18(), torchvision.models.resnet18()
    load_official(net, dict(reversed(source.state_dict().items())))
    assert_unchanged(net, source.state_dict())


def test_numbered_layers_are_taken_by_number_whatever_the_order_in_the_file():
    theirs = small_official()
    state = theirs.state_dict()
    names = list(state)
    # features.3 and features.5 have the same shapes: only their numbers tell which is which.
    i, j = names.index("features.3.weight"), names.index("features.5.weight")
    names[i], names[j] = names[j], names[i]
    assert_same_scores(load_official(small_ours(), {name: state[name] for name in names}), theirs)


def test_loading_copies_the_numbers():
    theirs, ours = small_official(), small_ours()
    load_official(ours, theirs.state_dict())
    before = copy_of(ours)
    with torch.no_grad():
        theirs.features[0].weight.add_(1)
    assert_unchanged(ours, before)


def without(*names):
    return lambda state: {name: tensor for name, tensor in state.items() if name not in names}


@pytest.mark.parametrize("change, options, problem", [
    (without(), {"num_classes": 7}, r"classifier.6.weight .5, 24. for 9.weight .7, 24."),
    (without(), {"in_channels": 1}, r"features.0.weight .4, 3, 3, 3. for 0.0.weight .4, 1, 3, 3."),
    (without(), {"batch_norm": True}, r"features.3.weight .4, 4, 3, 3. for 0.1.weight .4,."),
    (without("features.3.bias"), {}, r"Missing: features.3.bias .for 1.0.bias."),
    (without("classifier.6.weight", "classifier.6.bias"), {}, r"Missing: 9.weight, 9.bias"),
    (lambda state: state | {"features.0.scale": torch.ones(4)}, {}, "Surplus: features.0.scale"),
    (lambda state: state | {"classifier.8.bias": torch.ones(4)}, {}, "Surplus: classifier.8.bias"),
    (lambda state: state | {"aux1.conv.weight": torch.ones(4)}, {}, "Surplus: aux1.conv.weight"),
    (lambda state: state | {"features.0.num_batches_tracked": torch.tensor(0)}, {}, "Surplus: features.0.num_batches"),
])
def test_a_tensor_that_does_not_fit_is_named_and_the_net_left_alone(change, options, problem):
    net = small_ours(**options)
    before = copy_of(net)
    with pytest.raises(ValueError, match=f"do not fit the net.*{problem}"):
        load_official(net, change(small_official().state_dict()))
    assert_unchanged(net, before)


def test_googlenets_auxiliary_heads_are_dropped_where_the_net_has_none():
    full = torchvision.models.googlenet(aux_logits=True, init_weights=False)
    bare = torchvision.models.googlenet(aux_logits=False, init_weights=False)
    load_official(bare, full.state_dict())
    assert_unchanged(bare, {name: full.state_dict()[name] for name in bare.state_dict()})


def test_googlenets_auxiliary_heads_are_kept_where_the_net_has_them():
    full, other = (torchvision.models.googlenet(aux_logits=True, init_weights=False) for _ in range(2))
    assert_unchanged(load_official(other, full.state_dict()), full.state_dict())


@pytest.mark.parametrize("build", [lambda: torchvision.models.resnet18(), lambda: small_official(batch_norm=True)])
def test_a_missing_num_batches_tracked_is_filled_in(build):
    theirs = build()
    old = {name: tensor for name, tensor in theirs.state_dict().items() if not name.endswith("num_batches_tracked")}
    net = build()
    for name, tensor in net.state_dict().items():
        if name.endswith("num_batches_tracked"):
            tensor.fill_(7)
    load_official(net, old)
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, old[name]) if name in old else tensor == 0, name


def test_old_batch_norm_files_load_into_our_nets_too():
    theirs = small_official(batch_norm=True)
    old = {name: tensor for name, tensor in theirs.state_dict().items() if not name.endswith("num_batches_tracked")}
    assert_same_scores(load_official(small_ours(batch_norm=True), old), theirs)


# Files

@pytest.mark.parametrize("as_path", [str, lambda path: path])
def test_a_file_is_read(tmp_path, as_path):
    theirs = small_official()
    torch.save(theirs.state_dict(), tmp_path / "w.pth")
    assert_same_scores(load_official(small_ours(), as_path(tmp_path / "w.pth")), theirs)


class Cached(WeightsEnum):
    """A torchvision enum whose file lies in torch.hub's cache, so that no network is needed."""

    DEFAULT = Weights(url="https://example.invalid/w.pth", transforms=None, meta={})


def test_an_enum_is_read_from_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    theirs = small_official()
    torch.save(theirs.state_dict(), tmp_path / "hub" / "checkpoints" / "w.pth")
    assert_same_scores(load_official(small_ours(), Cached.DEFAULT), theirs)


def test_a_damaged_download_is_named_with_its_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    (tmp_path / "hub" / "checkpoints" / "w.pth").write_bytes(b"half a file")
    with pytest.raises(ValueError, match=f"cannot read Cached.DEFAULT: .*Delete it .*{tmp_path}"):
        load_official(small_ours(), Cached.DEFAULT)


class Bomb:
    def __reduce__(self):
        return open, ("exploded", "w")


@pytest.mark.parametrize("spoil", [
    lambda path: path.write_bytes(path.read_bytes()[:-500]),
    lambda path: path.write_bytes(b""),
    lambda path: path.write_bytes(b"<html>404</html>"),
    lambda path: torch.save(small_ours(), path),
    lambda path: path.write_bytes(pickle.dumps({"weight": Bomb()}, protocol=2)),
])
def test_files_that_hold_no_state_dict_are_refused_by_name_and_run_nothing(tmp_path, monkeypatch, spoil):
    monkeypatch.chdir(tmp_path)
    torch.save(small_ours().state_dict(), tmp_path / "w.pth")
    spoil(tmp_path / "w.pth")
    with pytest.raises(ValueError, match="cannot read .*w.pth"):
        load_official(small_ours(), tmp_path / "w.pth")
    assert not (tmp_path / "exploded").exists()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.pth"):
        load_official(small_ours(), tmp_path / "none.pth")


@pytest.mark.parametrize("weights, problem", [
    ({"epoch": 3}, "'epoch' is a int, not a tensor"),
    ({"state_dict": {"a": torch.ones(1)}}, "'state_dict' is a dict, .*weights..state_dict"),
    ({}, "got an empty one"), (None, "got NoneType"), (nn.Linear(1, 1), "got Linear"), ([torch.ones(1)], "got list"),
])
def test_what_is_no_state_dict_is_refused(weights, problem):
    with pytest.raises(ValueError, match=problem):
        load_official(small_ours(), weights)
