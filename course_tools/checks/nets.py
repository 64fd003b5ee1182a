"""Probes for exercises whose answer builds a net: what it is made of and what it computes, as plain data."""

import math
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import nn


def describe(build, arguments, shape) -> dict:
    """Builds a net with `build(*arguments)` and says what it is.

    Keys: "parameters", the shape of each in order; "output", what it gives for a fixed input of `shape` with fixed
    weights, when it is not training; "dropout", the chance of each dropout and the number of units that it works on,
    while training and "dropout when not training". How a net is written, as `nn.Sequential` or as a class, with
    `nn.ReLU` or `F.relu`, makes no difference.
    """
    net = build(*arguments)
    if not isinstance(net, nn.Module):
        raise TypeError(f"a net (nn.Module) is expected from the function, came {type(net).__name__}")
    with torch.no_grad():
        fill(net)
        shapes = [list(parameter.shape) for parameter in net.parameters()]
        X = torch.rand(shape, generator=torch.Generator().manual_seed(1))
        while_training = run(net.train(), X)[1]
        output, when_not = run(net.eval(), X)
    return {"parameters": shapes, "dropout": while_training, "dropout when not training": when_not, "output": output}


def run(net: nn.Module, X: torch.Tensor) -> tuple[torch.Tensor, list]:
    """What `net` gives for `X`, and the chance and units of each dropout on the way."""
    seen, plain = [], F.dropout

    def watched(X, p=0.5, training=True, inplace=False):
        if training and p > 0:
            seen.append([p, X.shape[-1]])
        return plain(X, p, training, inplace)

    with patch.object(F, "dropout", watched):  # nn.Dropout calls it, too
        return net(X), seen


def fill(net: nn.Module) -> None:
    """Gives `net` weights that depend on their order and shapes alone and let a signal through."""
    generator = torch.Generator().manual_seed(2)
    for parameter in net.parameters():
        if parameter.dim() > 1:
            fan_in = parameter[0].numel()
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * math.sqrt(2 / fan_in))
        else:
            parameter.copy_(torch.rand(parameter.shape, generator=generator) - 0.3)
