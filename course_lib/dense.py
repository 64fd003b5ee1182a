"""Dense evaluation: the head of a net as convolutions, so that the net slides over images of any size."""

import copy

import torch
from torch import nn
from torch.func import functional_call

from ._checks import height_width

_ADAPTIVE = (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
# Layers that treat every number by itself do the same to a vector and to a map.
_ELEMENTWISE = (nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.Dropout, nn.Identity)


def convolutionalize(net, input_size):
    """Return the net with the linear layers of its head as convolutions, which slides over larger images.

    The new net maps (N, C, H, W) to a score map (N, K, h, w): (N, K, 1, 1) at `input_size` (H = W or the pair (H, W),
    in pixels, as `net` was built for), where it gives what `net` gives, and more positions on anything larger. The
    first linear layer becomes a convolution as large as the feature map, the others 1×1 (section 3.2 of the VGG
    paper). `net` is an `nn.Sequential`, nested or not, with one `nn.Flatten`; an adaptive pooling before that is
    left out if it changes nothing at `input_size`. The layers are new, in the modes of the old, but the weights
    lie in the same memory, for VGG's head is half a gigabyte: training one net changes the other; `.to(device)`
    parts them. ValueError for a net of another form.

    >>> from course_lib.vgg import vgg
    >>> net = convolutionalize(vgg(((1, 4), (1, 8)), input_size=28, hidden=16), 28)
    >>> net(torch.ones(1, 1, 28, 28)).shape, net(torch.ones(1, 1, 28, 36)).shape
    (torch.Size([1, 10, 1, 1]), torch.Size([1, 10, 1, 3]))
    """
    if not isinstance(net, nn.Sequential):
        raise ValueError(f"net must be an nn.Sequential, got {type(net).__name__}: for a net with a forward of its own "
                         "pass nn.Sequential(net.features, nn.Flatten(), net.classifier) or the like")
    # New layers around the old tensors: deepcopy takes what it finds in the memo instead of copying it.
    memo = {id(p): nn.Parameter(p.detach(), requires_grad=p.requires_grad) for p in net.parameters()}
    memo |= {id(b): b.detach() for b in net.buffers()}
    layers = _unnest(copy.deepcopy(net, memo))
    flattens = [i for i, layer in enumerate(layers) if isinstance(layer, nn.Flatten)]
    if len(flattens) != 1:
        raise ValueError(f"net must have one nn.Flatten between features and head, got {len(flattens)}")
    features, head = layers[:flattens[0]], layers[flattens[0] + 1:]
    shape = _feature_shape(features, input_size)
    if features and isinstance(features[-1], _ADAPTIVE) and _feature_shape(features[:-1], input_size) == shape:
        features.pop()  # the identity at `input_size`; on larger images it would undo the map
    for layer in nn.Sequential(*features).modules():
        if isinstance(layer, _ADAPTIVE):
            raise ValueError(f"{layer} gives one size for every image, so that there is no score map: build the net "
                             f"without it, or use an input_size at which it changes nothing, got {input_size}")
    return nn.Sequential(*features, *_convolutional(head, shape, input_size))


def _unnest(net):
    """Return the children as a list, nested Sequentials that hold parts of the head opened."""
    layers = []
    for child in net:
        opened = isinstance(child, nn.Sequential) and any(
            isinstance(layer, (nn.Flatten, nn.Linear, *_ADAPTIVE)) for layer in child.modules())
        layers += _unnest(child) if opened else [child]
    return layers


def _feature_shape(features, input_size):
    """Return (C, h, w) of the feature map at `input_size`, without computing it."""
    features = nn.Sequential(*features)
    conv = next((layer for layer in features.modules() if isinstance(layer, nn.Conv2d)), None)
    if conv is None:
        raise ValueError("net must have a convolution before its nn.Flatten")
    tensors = {name: tensor.to("meta") for name, tensor in features.state_dict().items()}  # shapes without numbers
    X = torch.empty(2, conv.in_channels, *height_width(input_size), dtype=conv.weight.dtype, device="meta")
    try:
        return tuple(functional_call(features, tensors, X).shape[1:])
    except RuntimeError as error:
        raise ValueError(f"the layers before nn.Flatten cannot take input_size {input_size}: {error}") from error


def _convolutional(head, shape, input_size):
    """Return the layers of the head for maps instead of vectors; the first linear one takes maps of `shape`."""
    channels, height, width = shape
    layers = []
    for layer in head:
        if isinstance(layer, nn.Linear):
            if layer.in_features != channels * height * width:
                raise ValueError(f"a linear layer takes {layer.in_features} numbers, but at input_size {input_size} it "
                                 f"gets {channels}×{height}×{width}: pass the size that the net was built for")
            conv = nn.Conv2d(channels, layer.out_features, (height, width), bias=layer.bias is not None, device="meta")
            # (out, C·h·w) and (out, C, h, w) are the same numbers in the same order, as nn.Flatten keeps it.
            conv.weight = nn.Parameter(layer.weight.detach().view_as(conv.weight), layer.weight.requires_grad)
            conv.bias = layer.bias
            layers.append(conv.train(layer.training))
            channels, height, width = layer.out_features, 1, 1
        elif isinstance(layer, _ELEMENTWISE):
            layers.append(layer)
        else:
            raise ValueError(f"the head may hold linear layers, dropout and activations, got {layer}")
    if not any(isinstance(layer, nn.Conv2d) for layer in layers):
        raise ValueError("net must have a linear layer after its nn.Flatten")
    return layers
