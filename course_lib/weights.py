"""Where a net's weights come from: random numbers, a shallower net, or an official file."""

import math
import os
from numbers import Real
from urllib.error import URLError

import torch
from torch import nn

_AUXILIARY = ("aux1.", "aux2.")  # GoogLeNet's two extra heads, for training only


def initialise(net, scheme, *, std=None):
    """Draw the weights of all convolutions and linear layers anew, and return the net.

    "default" is PyTorch's own, "xavier" Glorot's uniform, "kaiming" He's normal for ReLU over fan-in (keeps the
    forward signal's scale), "normal" has mean zero and the standard deviation `std`, as in section 3.1 of the VGG
    paper. But for "default", biases become zero. All other layers go back to PyTorch's default, batch norm to ones
    and zeros. Random numbers come from PyTorch's global generator, which `torch.manual_seed` sets.
    ValueError, before anything is changed, for an unknown scheme, an `std` missing or out of place, or a layer
    whose parameters PyTorch has no default for.

    >>> from torch import nn
    >>> initialise(nn.Linear(2, 3), "normal", std=0.01).bias
    Parameter containing:
    tensor([0., 0., 0.], requires_grad=True)
    """
    schemes = {
        "default": None,
        "xavier": nn.init.xavier_uniform_,
        "kaiming": lambda weight: nn.init.kaiming_normal_(weight, mode="fan_in", nonlinearity="relu"),
        "normal": lambda weight: nn.init.normal_(weight, std=std),
    }
    if not isinstance(scheme, str) or scheme not in schemes:
        raise ValueError(f"unknown scheme {scheme!r}: allowed are {', '.join(schemes)}")
    if scheme != "normal" and std is not None:
        raise ValueError(f"std={std!r} belongs to scheme \"normal\"; {scheme!r} finds its own scale")
    if scheme == "normal" and (not isinstance(std, Real) or isinstance(std, bool) or not 0 < std < math.inf):
        raise ValueError(f"scheme \"normal\" needs std=, a number above zero (the VGG nets: 0.01), got {std!r}")
    for name, layer in net.named_modules():
        if next(layer.parameters(recurse=False), None) is not None and not hasattr(layer, "reset_parameters"):
            raise ValueError(f"cannot initialise {name or 'the net'}, a {type(layer).__name__}: it has parameters "
                             "but no reset_parameters()")
    for layer in net.modules():
        if scheme != "default" and isinstance(layer, (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)):
            schemes[scheme](layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif hasattr(layer, "reset_parameters"):
            layer.reset_parameters()
    return net


def preinitialise(net, source):
    """Copy the first four convolutions and the fully connected layers of VGG A, `source`, into a deeper VGG `net`.

    So the paper started its deeper nets (section 3.1). It doesn't say where in them A's convolutions went, and by
    position they do not fit: A's second is 64→128, D's is 64→64. By block and place is our reading: conv1_1,
    conv2_1, conv3_1 and conv3_2 go where the deeper net has layers of these names. A batch norm goes with its
    convolution. Both nets come from `vgg`, and both or neither with batch norm. Returns `net`, whose other layers
    are left as they are; `source` shares nothing with it. ValueError, before anything is changed, for what does
    not fit.

    >>> from course_lib.vgg import vgg
    >>> shallow, deep = (vgg(((n, 4), (n, 8)), input_size=8, hidden=16) for n in (1, 2))
    >>> bool((preinitialise(deep, shallow)[1][0].weight == shallow[1][0].weight).all())
    True
    """
    ours, theirs = _named_layers(net, "net"), _named_layers(source, "source")
    names = [name for name in theirs if name.startswith("conv")][:4] + ["fc1", "fc2", "fc3"]
    for name in names:
        if name not in ours:
            raise ValueError(f"the net has no {name}, which the source would be copied to: is the net the deeper one?")
        if _shapes(ours[name]) != _shapes(theirs[name]):
            raise ValueError(f"{name} does not fit: the source has {', '.join(map(str, theirs[name]))}, "
                             f"the net {', '.join(map(str, ours[name]))}")
    for name in names:
        ours[name].load_state_dict(theirs[name].state_dict())
    return net


def _named_layers(net, role):
    """Return the weighted layers of a VGG by name: {"conv1_1": Sequential(conv[, norm]), …, "fc3": …}."""
    children = list(net) if isinstance(net, nn.Sequential) else []
    blocks = [child for child in children if isinstance(child, nn.Sequential)]
    linears = [child for child in children if isinstance(child, nn.Linear)]
    if not blocks or len(linears) != 3:
        raise ValueError(f"the {role} must be a net built by vgg (blocks and three linear layers), "
                         f"got {type(net).__name__}")
    layers = {}
    for b, block in enumerate(blocks, 1):
        place = 0
        for layer in block:
            if isinstance(layer, nn.Conv2d):
                place += 1
                layers[f"conv{b}_{place}"] = nn.Sequential(layer)
            elif isinstance(layer, nn.BatchNorm2d):
                layers[f"conv{b}_{place}"].append(layer)
    return layers | {f"fc{i}": nn.Sequential(layer) for i, layer in enumerate(linears, 1)}


def _shapes(net):
    return {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}


def load_official(net, weights):
    """Load official weights into the net that matches them, every tensor accounted for, and return the net.

    `weights` is a state dict, the path of a file that holds one, or a torchvision weights enum (downloaded once, to
    torch.hub's cache). Layers are paired by name if all names agree and otherwise in the order of definition, the
    tensors of a layer by name. Two things may differ: GoogLeNet's auxiliary heads are dropped where the net has
    none, and a missing `num_batches_tracked` is filled in with zero. ValueError, with the net untouched, for
    anything else that does not fit and for a file that cannot be read; FileNotFoundError for a missing one.

    >>> import torchvision
    >>> from course_lib.alexnet import alexnet
    >>> with torch.device("meta"):  # shapes without numbers, to be quick
    ...     official = torchvision.models.alexnet()
    ...     net = alexnet("torchvision", in_channels=3)
    >>> load_official(net, official.state_dict())  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: ... Wrong shape: classifier.6.weight (1000, 4096) for 20.weight (10, 4096), ...
    """
    state, own = _read(weights), net.state_dict()
    ours, theirs = _by_layer(own), _by_layer(state)
    if "inception3a.branch1.conv" in theirs and not any(layer.startswith(_AUXILIARY) for layer in ours):
        theirs = {layer: names for layer, names in theirs.items() if not layer.startswith(_AUXILIARY)}
    pairs = list(zip(ours, ours if ours.keys() == theirs.keys() else theirs))
    loaded, wrong = {}, []
    missing = [name for layer in list(ours)[len(pairs):] for name in ours[layer].values()]
    surplus = [name for layer in list(theirs)[len(pairs):] for name in theirs[layer].values()]
    for layer, official in pairs:
        for leaf, name in ours[layer].items():
            other = theirs[official].pop(leaf, None)
            if other is None and leaf == "num_batches_tracked":
                loaded[name] = torch.zeros_like(own[name])
            elif other is None:
                missing.append(f"{official}.{leaf} (for {name})")
            elif state[other].shape != own[name].shape:
                wrong.append(f"{other} {tuple(state[other].shape)} for {name} {tuple(own[name].shape)}")
            else:
                loaded[name] = state[other]
        surplus += theirs[official].values()
    problems = [f"{what}: {', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}"
                for what, names in [("Wrong shape", wrong), ("Missing", missing), ("Surplus", surplus)] if names]
    if problems:
        raise ValueError(f"the weights do not fit the net. {'. '.join(problems)}")
    net.load_state_dict(loaded)
    return net


def _by_layer(state):
    """Group the names of a state dict by layer: {"features.0": {"weight": "features.0.weight", "bias": …}, …}.

    Numbered layers come by their number and others in the dict's order, which is the order of definition.
    """
    seen, layers = {}, {}

    def position(name):
        parts = name.split(".")
        return [int(part) if part.isdigit() else seen.setdefault(tuple(parts[:i]), len(seen))
                for i, part in enumerate(parts, 1)]

    for name in sorted(state, key=position):
        layer, _, leaf = name.rpartition(".")
        layers.setdefault(layer, {})[leaf] = name
    return layers


def _read(weights):
    """Return the state dict that `weights`, whatever its form, stands for."""
    try:
        if hasattr(weights, "get_state_dict"):  # a torchvision enum, without importing torchvision
            weights = weights.get_state_dict(check_hash=True, map_location="cpu", weights_only=True)
        elif isinstance(weights, (str, os.PathLike)):
            weights = torch.load(weights, map_location="cpu", weights_only=True)
    except (FileNotFoundError, IsADirectoryError, PermissionError, URLError):  # the message says which, or no network
        raise
    except Exception as error:  # what a damaged file raises depends on where the damage is
        raise ValueError(f"cannot read {weights}: the file is damaged or holds more than tensors. Delete it (torch.hub "
                         f"keeps downloads in {torch.hub.get_dir()}) and fetch it again, or save net.state_dict() "
                         "rather than the net") from error
    if not isinstance(weights, dict) or not weights:
        raise ValueError("weights must be a state dict with tensors, a path or a torchvision weights enum, "
                         f"got {'an empty one' if weights == {} else type(weights).__name__}")
    for name, value in weights.items():
        if not isinstance(value, torch.Tensor):
            raise ValueError(f"weights is not a state dict: {name!r} is a {type(value).__name__}, not a tensor. If the "
                             "state dict lies inside, pass that, as in weights['state_dict']")
    return weights
