"""vgg_block and vgg: shapes, the paper's and torchvision's parameter counts, and what is refused."""

import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional as F

from course_lib.vgg import VGG_CONFIGS, vgg, vgg_block


def parameters(net):
    return sum(p.numel() for p in net.parameters())


def on_meta(build, *args, **options):
    """Build a net that has shapes and no numbers: the full-size ones are there at once."""
    with torch.device("meta"):
        return build(*args, **options)


# Blocks

def test_block_is_convolutions_with_relu_and_one_pooling():
    torch.manual_seed(0)
    block = vgg_block(2, 3, 5)
    X = torch.randn(2, 3, 9, 8)
    first, second = (layer for layer in block if isinstance(layer, nn.Conv2d))
    hidden = F.conv2d(X, first.weight, first.bias, padding=1).clamp(min=0)
    hidden = F.conv2d(hidden, second.weight, second.bias, padding=1).clamp(min=0)
    assert first.weight.shape == (5, 3, 3, 3) and second.weight.shape == (5, 5, 3, 3)
    torch.testing.assert_close(block(X), F.max_pool2d(hidden, 2))


@pytest.mark.parametrize("last_kernel", [1, 3, 5])
def test_last_kernel_changes_the_last_convolution_only_and_keeps_the_size(last_kernel):
    block = vgg_block(3, 2, 4, last_kernel=last_kernel)
    kernels = [layer.kernel_size[0] for layer in block if isinstance(layer, nn.Conv2d)]
    assert kernels == [3, 3, last_kernel]
    assert block(torch.ones(1, 2, 8, 6)).shape == (1, 4, 4, 3)


def test_batch_norm_stands_between_each_convolution_and_its_relu():
    names = [type(layer).__name__ for layer in vgg_block(2, 1, 4, batch_norm=True)]
    assert names == ["Conv2d", "BatchNorm2d", "ReLU"] * 2 + ["MaxPool2d"]


def test_lrn_follows_the_first_relu_with_the_papers_constants():
    block = vgg_block(2, 1, 8, lrn=True)
    assert [type(layer).__name__ for layer in block] == [
        "Conv2d", "ReLU", "LocalResponseNorm", "Conv2d", "ReLU", "MaxPool2d"]
    # The paper's formula, b_i = a_i / (k + α Σ a_j²)^β over 5 neighbouring channels, for channel 3.
    a = torch.linspace(10, 80, 8).reshape(1, 8, 1, 1)
    expected = a[0, 3, 0, 0] / (2 + 1e-4 * (a[0, 1:6, 0, 0] ** 2).sum()) ** 0.75
    torch.testing.assert_close(block[2](a)[0, 3, 0, 0], expected)


@pytest.mark.parametrize("counts", [
    (0, 1, 1), (-1, 1, 1), (1, 0, 1), (1, 1, 0), (True, 1, 1), (1, 1, 16.0), (1, None, 1)])
def test_block_refuses_counts_that_are_not_whole_numbers_above_zero(counts):
    with pytest.raises(ValueError, match="whole number of at least 1, got"):
        vgg_block(*counts)


@pytest.mark.parametrize("last_kernel", [0, 2, -3, 3.0, True, None])
def test_block_refuses_kernels_that_cannot_keep_the_size(last_kernel):
    with pytest.raises(ValueError, match=f"last_kernel .*got {last_kernel}"):
        vgg_block(1, 1, 4, last_kernel=last_kernel)


# Nets

@pytest.mark.parametrize("name, count", [
    ("A", 132_863_336), ("A-LRN", 132_863_336), ("B", 133_047_848),
    ("C", 133_638_952), ("D", 138_357_544), ("E", 143_667_240),
])
def test_parameter_counts_are_the_papers(name, count):
    assert parameters(on_meta(vgg, name, in_channels=3, num_classes=1000)) == count


@pytest.mark.parametrize("official, name", [("vgg11_bn", "A"), ("vgg13_bn", "B"), ("vgg16_bn", "D"), ("vgg19_bn", "E")])
def test_batch_norm_counts_are_torchvisions(official, name):
    ours = on_meta(vgg, name, in_channels=3, num_classes=1000, batch_norm=True)
    assert parameters(ours) == parameters(on_meta(getattr(torchvision.models, official)))


def test_counts_for_one_channel_and_ten_classes():
    quarter = [(n, channels // 4) for n, channels in VGG_CONFIGS["A"]]
    assert parameters(on_meta(vgg, "A")) == 128_806_154
    net = on_meta(vgg, quarter)
    assert parameters(net) == 43_093_322
    assert sum(parameters(block) for block in net if isinstance(block, nn.Sequential)) == 576_832
    assert parameters(on_meta(vgg, quarter, hidden=1024)) == 8_060_234


@pytest.mark.parametrize("name", ["A", "A-LRN", "B", "C", "D", "E"])
def test_a_name_stands_for_its_configuration(name):
    assert repr(on_meta(vgg, name)) == repr(on_meta(vgg, VGG_CONFIGS[name]))


def test_a_lrn_normalises_once_and_c_ends_three_blocks_with_1x1():
    assert [type(m).__name__ for m in on_meta(vgg, "A-LRN").modules()].count("LocalResponseNorm") == 1
    kernels = [[m.kernel_size[0] for m in block if isinstance(m, nn.Conv2d)] for block in on_meta(vgg, "C")[:5]]
    assert kernels == [[3, 3], [3, 3], [3, 3, 1], [3, 3, 1], [3, 3, 1]]


def test_children_walk_from_images_to_scores():
    X, walk = torch.ones(2, 3, 20, 12), []
    for layer in vgg([[1, 4], [2, 6]], in_channels=3, num_classes=7, input_size=(20, 12), hidden=9):
        X = layer(X)
        walk.append((type(layer).__name__, *X.shape[1:]))
    assert walk == [
        ("Sequential", 4, 10, 6), ("Sequential", 6, 5, 3), ("Flatten", 90),
        ("Linear", 9), ("ReLU", 9), ("Dropout", 9), ("Linear", 9), ("ReLU", 9), ("Dropout", 9), ("Linear", 7)]


@pytest.mark.parametrize("size", [4, 5, 7, 8, 31])
def test_head_fits_any_size_that_the_blocks_leave_a_pixel_of(size):
    assert vgg(((1, 2), (1, 2)), input_size=size, hidden=4)(torch.ones(1, 1, size, size)).shape == (1, 10)


def test_options_of_a_row_reach_its_block_and_override_the_nets():
    net = vgg(((1, 2, {"batch_norm": False, "last_kernel": 5}), (1, 2)), input_size=8, hidden=4, batch_norm=True)
    assert [type(layer).__name__ for layer in net[0]] == ["Conv2d", "ReLU", "MaxPool2d"]
    assert net[0][0].kernel_size == (5, 5)
    assert isinstance(net[1][1], nn.BatchNorm2d)


def test_dropout_probability_is_the_one_asked_for():
    net = vgg(((1, 2),), input_size=4, hidden=4, dropout=0.25)
    assert [layer.p for layer in net if isinstance(layer, nn.Dropout)] == [0.25, 0.25]


def test_seed_alone_decides_the_weights():
    nets = []
    for _ in range(2):
        torch.manual_seed(3)
        nets.append(vgg(((1, 2),), input_size=4, hidden=4))
    for ours, theirs in zip(*(net.parameters() for net in nets)):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("name, meant", [
    ("vgg11", "'A'"), ("vgg13", "'B'"), ("vgg16", "'D'"), ("VGG19", "'E'"), ("d", "'D'"), ("VGG-C", "'C'"),
    ("a-lrn", "'A-LRN'"), ("vgg16_bn", "'D', with batch_norm=True"),
])
def test_near_misses_are_told_the_name(name, meant):
    with pytest.raises(ValueError, match=f"'{name}'.*A, A-LRN, B, C, D, E.*Do you mean {meant}"):
        vgg(name)


def test_unknown_names_are_told_what_is_allowed():
    with pytest.raises(ValueError, match="'resnet'.*A, A-LRN, B, C, D, E$"):
        vgg("resnet")


@pytest.mark.parametrize("arch", [None, (), [], 5, {"A": 1}, ""])
def test_architectures_that_are_no_rows_are_refused(arch):
    with pytest.raises(ValueError, match="got|unknown net"):
        vgg(arch)


@pytest.mark.parametrize("row", [64, "M", (1,), (1, 64, {}, 3), None])
def test_malformed_rows_are_refused_by_number(row):
    with pytest.raises(ValueError, match="block 2 must be .*got"):
        vgg([(1, 64), row])


@pytest.mark.parametrize("row", [(0, 8), (1, 0), (-1, 8), (1.0, 8), (1, True), (None, 8), ("1", 8)])
def test_bad_counts_are_refused_by_number(row):
    with pytest.raises(ValueError, match="(num_convs|out_channels) of block 2 .*got"):
        vgg([(1, 8), row], input_size=8)


@pytest.mark.parametrize("options", [{"kernel": 1}, {"out_channels": 3}, ["lrn"], None, {1: 2}])
def test_unknown_options_are_refused_with_the_allowed_ones(options):
    with pytest.raises(ValueError, match="block 1 .*batch_norm, last_kernel, lrn, got"):
        vgg([(1, 8, options)])


@pytest.mark.parametrize("name", ["in_channels", "num_classes", "hidden", "input_size"])
@pytest.mark.parametrize("value", [0, -2, 1.5, True, None, "3"])
def test_other_counts_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"{name} must be .*got"):
        vgg([(1, 8)], **{"input_size": 8, name: value})


@pytest.mark.parametrize("dropout", [-0.1, 1.1, True, None, float("nan")])
def test_dropout_outside_zero_to_one_is_refused(dropout):
    with pytest.raises(ValueError, match=f"dropout must be .*got {dropout}"):
        vgg([(1, 8)], input_size=8, dropout=dropout)


@pytest.mark.parametrize("size", [31, (31, 224), (224, 16)])
def test_too_small_an_input_is_told_the_smallest(size):
    with pytest.raises(ValueError, match="too small.*5 times.*at least 32"):
        vgg("A", input_size=size)


@pytest.mark.parametrize("size", [(32,), (32, 32, 32), (32, 0)])
def test_input_size_is_one_number_or_two(size):
    with pytest.raises(ValueError, match="input_size must be .*got"):
        vgg("A", input_size=size)
