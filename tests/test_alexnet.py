"""alexnet: the paper's shapes and counts, torchvision's outputs, and what is refused."""

import pytest
import torch
import torchvision
from torch import nn

from course_lib.alexnet import ALEXNET_CONFIGS, alexnet


def on_meta(variant, **options):
    with torch.device("meta"):
        return alexnet(variant, **options)


@pytest.mark.parametrize("variant, count", [("paper", 60_965_224), ("torchvision", 61_100_840), ("half", 16_630_440)])
def test_parameter_counts(variant, count):
    net = on_meta(variant, in_channels=3, num_classes=1000)
    assert sum(p.numel() for p in net.parameters()) == count


def test_torchvision_variant_gives_torchvisions_outputs():
    official = torchvision.models.alexnet().eval()
    net = alexnet("torchvision", in_channels=3, num_classes=1000).eval()
    with torch.no_grad():
        for ours, theirs in zip(net.parameters(), official.parameters(), strict=True):
            ours.set_(theirs)
        X = torch.randn(2, 3, 224, 224)
        torch.testing.assert_close(net(X), official(X))


def test_torchvision_variant_drops_what_torchvision_drops():
    official = torchvision.models.alexnet(dropout=0.5)
    names = [type(layer).__name__ for layer in on_meta("torchvision")]
    features = [type(layer).__name__ for layer in official.features]
    assert names == features + ["Flatten"] + [type(layer).__name__ for layer in official.classifier]


def test_paper_variant_has_the_papers_feature_maps():
    X, sides = torch.empty(1, 3, 227, 227, device="meta"), []
    for layer in on_meta("paper", in_channels=3):
        X = layer(X)
        if isinstance(layer, (nn.Conv2d, nn.MaxPool2d)):
            sides.append(X.shape[-1])
    assert sides == [55, 27, 27, 13, 13, 13, 13, 6]


def test_paper_variant_has_towers_and_normalisation_where_the_paper_has_them():
    net = on_meta("paper")
    assert [layer.groups for layer in net if isinstance(layer, nn.Conv2d)] == [1, 2, 1, 2, 2]
    names = [type(layer).__name__ for layer in net]
    assert names[:8] == ["Conv2d", "ReLU", "LocalResponseNorm", "MaxPool2d"] * 2
    assert names.count("LocalResponseNorm") == 2 and names.count("MaxPool2d") == 3
    assert names[-8:] == ["Flatten", "Linear", "ReLU", "Dropout", "Linear", "ReLU", "Dropout", "Linear"]


def test_normalisation_is_the_papers_formula():
    norm = next(layer for layer in on_meta("paper") if isinstance(layer, nn.LocalResponseNorm))
    a = torch.linspace(10, 80, 8).reshape(1, 8, 1, 1)
    expected = a[0, 3, 0, 0] / (2 + 1e-4 * (a[0, 1:6, 0, 0] ** 2).sum()) ** 0.75
    torch.testing.assert_close(norm(a)[0, 3, 0, 0], expected)


@pytest.mark.parametrize("variant, size", [("paper", 227), ("torchvision", 224), ("half", 224)])
def test_without_a_size_the_net_is_built_for_the_variants_own(variant, size):
    net = on_meta(variant)
    assert repr(net) == repr(on_meta(variant, input_size=size))
    assert net(torch.empty(1, 1, size, size, device="meta")).shape == (1, 10)


@pytest.mark.parametrize("variant, size", [("half", 63), ("half", (64, 90)), ("torchvision", 100), ("paper", 67)])
def test_head_fits_other_sizes(variant, size):
    shape = size if isinstance(size, tuple) else (size, size)
    net = on_meta(variant, in_channels=2, num_classes=4, input_size=size)
    assert net(torch.empty(3, 2, *shape, device="meta")).shape == (3, 4)


def test_half_has_half_of_the_papers_channels_and_hidden_units():
    assert [row.channels * 2 for row in ALEXNET_CONFIGS["half"]] == [row.channels for row in ALEXNET_CONFIGS["paper"]]
    assert [layer.out_features for layer in on_meta("half") if isinstance(layer, nn.Linear)] == [2048, 2048, 10]


def test_activations_can_be_exchanged():
    net = on_meta("half")
    for i, layer in enumerate(net):
        if isinstance(layer, nn.ReLU):
            net[i] = nn.Tanh()
    names = [type(layer).__name__ for layer in net]
    assert names.count("Tanh") == 7 and "ReLU" not in names
    assert net(torch.empty(1, 1, 224, 224, device="meta")).shape == (1, 10)


@pytest.mark.parametrize("variant", ["Paper", "alexnet", None, 1, ["half"]])
def test_unknown_variants_are_told_what_is_allowed(variant):
    with pytest.raises(ValueError, match="unknown variant .*paper, torchvision, half"):
        alexnet(variant)


@pytest.mark.parametrize("variant, size, smallest", [
    ("half", 62, 63), ("torchvision", 28, 63), ("paper", 66, 67), ("half", (224, 40), 63), ("half", 1, 63)])
def test_too_small_an_input_is_told_the_smallest(variant, size, smallest):
    with pytest.raises(ValueError, match=f"too small for alexnet.'{variant}'.*at least {smallest} pixels"):
        alexnet(variant, input_size=size)


@pytest.mark.parametrize("name, value", [
    ("in_channels", 0), ("in_channels", True), ("num_classes", 0), ("num_classes", 2.0), ("num_classes", None),
    ("input_size", 0), ("input_size", 64.0), ("input_size", (64,)),
    ("dropout", -0.1), ("dropout", 1.5), ("dropout", None)])
def test_bad_arguments_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"{name} must be .*got"):
        alexnet("half", **{name: value})
