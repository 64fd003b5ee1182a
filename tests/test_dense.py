"""convolutionalize: the dense net gives what the net gives on crops and what the head gives on windows."""

import pytest
import torch
import torchvision
from torch import nn

from course_lib.alexnet import alexnet
from course_lib.dense import convolutionalize
from course_lib.vgg import vgg


def small_vgg(**options):
    return vgg(((1, 4), (2, 8)), **{"in_channels": 3, "num_classes": 5, "input_size": 12, "hidden": 16, **options})


def unpadded():
    """Build a net without padding: 18 pixels leave a 3×3 map, and each of its units starts four pixels on."""
    return nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(6 * 3 * 3, 8), nn.Tanh(), nn.Linear(8, 5, bias=False)).eval()


@pytest.mark.parametrize("net, shape", [
    (small_vgg(), (3, 12, 12)),
    (small_vgg(batch_norm=True), (3, 12, 12)),
    (small_vgg(input_size=(12, 20)), (3, 12, 20)),
    (small_vgg(input_size=4), (3, 4, 4)),
    (vgg("A", input_size=32, hidden=32), (1, 32, 32)),
    (alexnet("half", input_size=64), (1, 64, 64)),
    (alexnet("paper", in_channels=3, input_size=67), (3, 67, 67)),
    (unpadded(), (2, 18, 18)),
])
def test_at_input_size_the_scores_are_the_nets(net, shape):
    net.eval()
    X = torch.randn(2, *shape)
    with torch.no_grad():
        scores = convolutionalize(net, shape[1] if shape[1] == shape[2] else shape[1:])(X)
        expected = net(X)
    assert scores.shape == (*expected.shape, 1, 1)
    torch.testing.assert_close(scores[:, :, 0, 0], expected, rtol=1e-5, atol=1e-5)


def test_without_padding_each_score_is_that_of_a_crop():
    net = unpadded()
    X = torch.randn(2, 2, 18 + 3 * 4, 18 + 2 * 4)
    with torch.no_grad():
        scores = convolutionalize(net, 18)(X)
        assert scores.shape == (2, 5, 4, 3)
        for i in range(4):
            for j in range(3):
                crop = X[:, :, 4 * i:4 * i + 18, 4 * j:4 * j + 18]
                torch.testing.assert_close(scores[:, :, i, j], net(crop))


def test_with_padding_each_score_is_that_of_a_window_of_the_feature_map():
    net = small_vgg(batch_norm=True).eval()
    blocks, head = net[:2], net[2:]
    X = torch.randn(1, 3, 24, 20)  # feature map 6×5; the head takes 3×3
    with torch.no_grad():
        scores, features = convolutionalize(net, 12)(X), blocks(X)
        assert scores.shape == (1, 5, 4, 3)
        for i in range(4):
            for j in range(3):
                torch.testing.assert_close(scores[:, :, i, j], head(features[:, :, i:i + 3, j:j + 3]))


def test_the_papers_net_sees_a_map_of_scores_in_a_larger_image():
    with torch.device("meta"):
        net = vgg("D", in_channels=3, num_classes=1000)
        dense = convolutionalize(net, 224)
        assert [layer.kernel_size for layer in dense if isinstance(layer, nn.Conv2d)] == [(7, 7), (1, 1), (1, 1)]
        assert dense(torch.empty(2, 3, 384, 256)).shape == (2, 1000, 6, 2)
    assert sum(p.numel() for p in dense.parameters()) == 138_357_544


def test_the_weights_lie_in_the_same_memory():
    net = small_vgg(batch_norm=True)
    dense = convolutionalize(net, 12)
    assert [t.data_ptr() for t in dense.state_dict().values()] == [t.data_ptr() for t in net.state_dict().values()]


def test_the_net_is_left_as_it_was():
    net = small_vgg(batch_norm=True)
    net[0].eval()
    net[0][0].weight.requires_grad = False
    before, described = {name: tensor.clone() for name, tensor in net.state_dict().items()}, repr(net)
    dense = convolutionalize(net, 12)
    assert [layer.training for layer in dense] == [layer.training for layer in net if not isinstance(layer, nn.Flatten)]
    assert [p.requires_grad for p in dense.parameters()] == [p.requires_grad for p in net.parameters()]
    dense.eval()
    dense.double()
    assert repr(net) == described and net.training and not net[0].training
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, before[name]) and tensor.dtype == before[name].dtype, name


def test_an_adaptive_pooling_that_changes_nothing_is_left_out():
    official = torchvision.models.alexnet(num_classes=10).eval()
    net = nn.Sequential(nn.Sequential(official.features, official.avgpool), nn.Flatten(), official.classifier)
    dense = convolutionalize(net, 224)
    X = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        torch.testing.assert_close(dense(X)[:, :, 0, 0], official(X), rtol=1e-5, atol=1e-5)
        assert dense(torch.randn(1, 3, 224, 256)).shape == (1, 10, 1, 2)


def head(numbers):
    return [nn.Flatten(), nn.Linear(numbers, 2)]


@pytest.mark.parametrize("net, problem", [
    (nn.Sequential(nn.Conv2d(1, 4, 3), nn.AdaptiveAvgPool2d(1), *head(4)), "AdaptiveAvgPool2d.*gives one"),
    (nn.Sequential(nn.AdaptiveMaxPool2d(8), nn.Conv2d(1, 4, 3), *head(144)), "AdaptiveMaxPool2d.*gives one"),
    (torchvision.models.squeezenet1_0(), "must be an nn.Sequential, got SqueezeNet"),
    (nn.Sequential(nn.Conv2d(1, 4, 3)), "one nn.Flatten .*got 0"),
    (nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.ReLU(), nn.Flatten()), "one nn.Flatten .*got 2"),
    (nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.ReLU()), "must have a linear layer after"),
    (nn.Sequential(*head(64)), "must have a convolution before"),
    (nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.BatchNorm1d(144), nn.Linear(144, 2)), "got BatchNorm1d"),
    (nn.Sequential(nn.Conv2d(1, 4, 3), *head(100)), "takes 100 numbers, but at input_size 8 it gets 4×6×6"),
    (nn.Sequential(nn.Conv2d(1, 4, 3), *head(144), nn.Linear(3, 2)), "takes 3 numbers.* gets 2×1×1"),
    (nn.Sequential(nn.Conv2d(1, 4, 11), *head(4)), "cannot take input_size 8: .*[Kk]ernel size"),
])
def test_nets_that_do_not_fit_are_refused(net, problem):
    with pytest.raises(ValueError, match=problem):
        convolutionalize(net, 8)


@pytest.mark.parametrize("size", [0, 12.0, None, (12,), "12"])
def test_bad_sizes_are_refused(size):
    with pytest.raises(ValueError, match="input_size must be .*got"):
        convolutionalize(small_vgg(), size)


def test_another_size_than_the_nets_is_refused():
    with pytest.raises(ValueError, match="takes 72 numbers, but at input_size 24 it gets 8×6×6"):
        convolutionalize(small_vgg(), 24)
