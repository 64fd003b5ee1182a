"""Probes for exercises whose answer builds a net: what it is made of and what it computes, as plain data."""

import math

import torch
from torch import nn


def describe(build, arguments, shape) -> dict:
    """Builds a net with `build(*arguments)` and says what it is.

    Keys: "parameters", the shape of each in order; "output", what it gives for a fixed input of `shape` with fixed
    weights, without dropout; "dropout", whether it gives something else while training. How a net is written, as
    `nn.Sequential` or as a class, with `nn.ReLU` or `F.relu`, makes no difference.
    """
    net = build(*arguments)
    if not isinstance(net, nn.Module):
        raise TypeError(f"a net (nn.Module) is expected from the function, came {type(net).__name__}")
    with torch.no_grad():
        fill(net)
        shapes = [list(parameter.shape) for parameter in net.parameters()]
        X = torch.rand(shape, generator=torch.Generator().manual_seed(1))
        output = net.eval()(X)
        drops = any(isinstance(module, nn.modules.dropout._DropoutNd) and module.p > 0 for module in net.modules())
    return {"parameters": shapes, "output": output, "dropout": drops}


def fill(net: nn.Module) -> None:
    """Gives `net` weights that depend on their order and shapes alone and let a signal through."""
    generator = torch.Generator().manual_seed(2)
    for parameter in net.parameters():
        if parameter.dim() > 1:
            fan_in = parameter[0].numel()
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * math.sqrt(2 / fan_in))
        else:
            parameter.copy_(torch.rand(parameter.shape, generator=generator) - 0.3)
