"""resnet: torchvision's ResNets, parameter by parameter and score by score."""

import pytest
import torch
import torchvision
from torch import nn

from course_lib.resnet import Residual, residual_block, resnet
from course_lib.weights import load_official


def on_meta(depth, **options):
    with torch.device("meta"):
        return resnet(depth, **options)


@pytest.mark.parametrize("depth, count", [
    (18, 11_689_512), (34, 21_797_672), (50, 25_557_032), (101, 44_549_160), (152, 60_192_808)])
def test_parameters_are_the_official_ones(depth, count):
    with torch.device("meta"):
        official = getattr(torchvision.models, f"resnet{depth}")()
    net = on_meta(depth, in_channels=3, num_classes=1000)
    assert sum(p.numel() for p in net.parameters()) == sum(p.numel() for p in official.parameters()) == count


@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152])
def test_the_depth_is_the_number_of_weighted_layers_without_the_shortcuts(depth):
    weighted = [name for name, layer in on_meta(depth).named_modules()
                if isinstance(layer, (nn.Conv2d, nn.Linear)) and "shortcut" not in name]
    assert len(weighted) == depth


def test_feature_maps_have_the_sides_of_table_1():
    X, sides = torch.empty(1, 3, 224, 224, device="meta"), []
    for layer in on_meta(34, in_channels=3):
        X = layer(X)
        if isinstance(layer, (nn.Conv2d, nn.Sequential)):
            sides.append(X.shape[-1])
    assert sides == [112, 56, 28, 14, 7]


def randomised(net):
    """Give batch norm's statistics and scales numbers that tell one from its neighbour."""
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for tensor in (layer.weight, layer.bias, layer.running_mean, layer.running_var):
                nn.init.uniform_(tensor, 0.5, 1.5)
    return net


@pytest.mark.parametrize("depth", [18, 50])
def test_official_weights_give_the_official_scores(depth):
    torch.manual_seed(0)
    theirs = randomised(getattr(torchvision.models, f"resnet{depth}")(num_classes=7)).eval()
    ours = load_official(resnet(depth, in_channels=3, num_classes=7), theirs.state_dict()).eval()
    X = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(ours(X), theirs(X))


@pytest.mark.parametrize("depth", [34, 101, 152])
def test_the_files_of_the_others_fit_too_also_without_num_batches_tracked(depth):
    with torch.device("meta"):
        state = getattr(torchvision.models, f"resnet{depth}")(num_classes=7).state_dict()
    state = {name: torch.rand(tensor.shape) for name, tensor in state.items() if "num_batches" not in name}
    net = load_official(resnet(depth, in_channels=3, num_classes=7), state)
    assert sum(t.double().sum() for n, t in net.state_dict().items() if "num_batches" not in n).item() == pytest.approx(
        sum(tensor.double().sum() for tensor in state.values()).item())


def test_a_block_whose_branch_gives_nothing_passes_its_input_on():
    block = residual_block("basic", 8, 8)
    assert isinstance(block, Residual) and isinstance(block.shortcut, nn.Identity)
    nn.init.zeros_(block.branch[-1].weight)
    X = torch.rand(2, 8, 5, 5)
    assert torch.equal(block(X), X)


@pytest.mark.parametrize("kind, in_channels, stride, same", [
    ("basic", 16, 1, True), ("basic", 8, 1, False), ("basic", 16, 2, False), ("bottleneck", 64, 1, True),
    ("bottleneck", 16, 1, False)])
def test_the_shortcut_is_the_identity_where_shapes_agree(kind, in_channels, stride, same):
    block = residual_block(kind, in_channels, 16, stride)
    assert isinstance(block.shortcut, nn.Identity) == same
    side = 9
    out = 16 if kind == "basic" else 64
    assert block(torch.rand(1, in_channels, side, side)).shape == (1, out, -(-side // stride), -(-side // stride))


@pytest.mark.parametrize("shape", [(28, 28), (33, 70), (1, 1)])
def test_any_input_size_is_taken(shape):
    assert on_meta(18, in_channels=2, num_classes=4).eval()(torch.empty(3, 2, *shape, device="meta")).shape == (3, 4)


@pytest.mark.parametrize("depth", [20, "18", None, True, 18.5])
def test_unknown_depths_are_told_what_is_allowed(depth):
    with pytest.raises(ValueError, match="unknown depth .*18, 34, 50, 101, 152"):
        resnet(depth)


@pytest.mark.parametrize("name", ["in_channels", "num_classes"])
def test_bad_counts_are_refused_by_name(name):
    with pytest.raises(ValueError, match=f"{name} must be a whole number of at least 1, got 0"):
        resnet(18, **{name: 0})
