"""Walk through a net layer by layer: shapes, parameters, multiply-adds, receptive fields.

    print(trace(net, (1, 3, 224, 224)))

`torch.fx` records which operations the net's `forward` performs, and in which order. The record is then run
on "meta" tensors, which have a shape and no numbers, so that nothing is computed and no memory is used; at
each step a rule says what the operation does to the receptive field (`trace_rules`, `receptive_field`).
"""

import os
import traceback
from collections.abc import Sequence
from contextlib import contextmanager
from math import prod
from numbers import Integral

import torch
from torch import Tensor, fx, nn

from .receptive_field import PIXEL, UnknownField
from .trace_field import Field, Signal
from .trace_rules import FUNCTIONS, SAME_SHAPE, rule_for
from .trace_table import Row, Trace, times


def trace(net: nn.Module, input_shape: Sequence[int] | Tensor) -> Trace:
    """Trace an image of shape (N, C, H, W), or of an example tensor's shape, through a net in eval mode.

    Nothing is computed or copied, and the net stays as it was; forward hooks are not run. The receptive
    field follows Araujo, Norris and Sim (Distill, 2019). TypeError for what is not a module; ValueError for a
    shape that is not four positive whole numbers, for one that some layer cannot take (naming the layer), and
    for a `forward` that `torch.fx` cannot follow (naming the line).

    >>> print(trace(nn.Sequential(nn.Conv2d(1, 8, 5), nn.ReLU(), nn.MaxPool2d(2)), (1, 1, 28, 28)))
    Sequential, input 1×1×28×28
    name   kind       output shape  parameters  multiply-adds  receptive field  jump  start
    0      Conv2d     1×8×24×24            208        115,200                5     1      0
    1      ReLU       1×8×24×24              0              0                5     1      0
    2      MaxPool2d  1×8×12×12              0              0                6     2      0
    total                                  208        115,200
    """
    if not isinstance(net, nn.Module):
        raise TypeError(f"trace takes a net (torch.nn.Module), got {type(net).__name__}")
    shape = _checked_shape(input_shape)
    lazy = [name for name, p in net.named_parameters() if nn.parameter.is_lazy(p)]
    if lazy:
        raise ValueError(f"{lazy[0]} has no shape yet: run one batch through the net first, then trace it")
    with _as_it_was(net), torch.no_grad():
        root = _Root({"net": net})
        graph = _record(root)
        with torch.device("meta"):  # what forward creates on the way has no storage, either
            rows = _walk(root, graph, shape)
    return Trace(rows, type(net).__name__, shape, sum(p.numel() for p in net.parameters()))


def _checked_shape(input_shape):
    shape = input_shape.shape if isinstance(input_shape, Tensor) else input_shape
    sizes = tuple(shape) if isinstance(shape, Sequence) else ()
    if len(sizes) != 4 or any(isinstance(n, bool) or not isinstance(n, Integral) or n < 1 for n in sizes):
        raise ValueError("input_shape must be four whole numbers from 1 up, (images, channels, height, width) "
                         f"as in (1, 3, 224, 224), or an example tensor of such a shape, got {shape!r}")
    return tuple(map(int, sizes))


@contextmanager
def _as_it_was(net):
    """Put every module into eval mode, and afterwards all its attributes back."""
    before = [(module, dict(vars(module))) for module in net.modules()]
    try:
        for module, _ in before:
            module.training = False
        yield
    finally:
        for module, attributes in before:
            vars(module).clear()
            vars(module).update(attributes)


class _Root(nn.ModuleDict):
    """Calls the net, so that a single layer can be recorded and default arguments apply."""

    def forward(self, image):
        return self["net"](image)


class _Recorder(fx.Tracer):
    """Records the layers of torch.nn as one step each and looks into everything else."""

    proxy_buffer_attributes = True

    def is_leaf_module(self, module, name):
        home = type(module).forward.__module__
        return home.startswith("torch.nn.") and home != "torch.nn.modules.container"

    def call_module(self, module, forward, args, kwargs):
        return super().call_module(module, module.forward, args, kwargs)  # past the hooks


def _record(root):
    try:
        return _Recorder().trace(root)
    except Exception as error:  # whatever the net's code raises when it meets a proxy instead of a tensor
        ours = (os.path.dirname(torch.__file__) + os.sep, __file__)
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(ours)]
        while any(frame.name == "forward" for frame in frames[1:]):
            frames.pop(0)  # from the innermost forward on
        lines = "".join(f"\n  {frame.filename}:{frame.lineno}, in {frame.name}: {frame.line}" for frame in frames)
        raise ValueError(f"trace cannot follow the net's forward: {error}{lines}\nIt calls forward once, with one "
                         "image without numbers: no step may depend on the image's values or size (by if, for, int "
                         "or len), or leave PyTorch.") from error


def _walk(root, graph, shape):
    """Run the record on tensors without storage; a row for each layer, and for each function that matters."""
    modules, signals, rows, counted = dict(root.named_modules()), {}, [], set()
    dtype = next((p.dtype for p in root.parameters() if p.is_floating_point()), torch.get_default_dtype())
    for node in graph.nodes:
        if node.op == "placeholder":
            signals[node] = Signal(torch.empty(shape, dtype=dtype, device="meta"), Field(PIXEL, PIXEL))
        elif node.op == "get_attr":
            path, _, name = node.target.rpartition(".")
            value = getattr(root.get_submodule(path), name)
            signals[node] = Signal(_without_storage(value), weights=(value,) if isinstance(value, nn.Parameter) else ())
        elif node.op != "output":
            module = modules[node.target] if node.op == "call_module" else None
            name, kind = _label(node, module)
            sources = [signals[source] for source in node.all_input_nodes]
            args, kwargs = fx.node.map_arg((node.args, node.kwargs), lambda n: signals[n].argument)
            rule = rule_for(module) if module is not None else _rule_for_function(node, kind)
            value = _run(node, module, rule, f"{name} ({kind})", args, kwargs)
            signal = signals[node] = _follow(module, rule, name, kind, value, sources, args, kwargs)
            if kind.endswith("_") and node.args:
                signals[node.args[0]] = signal  # in place: its input has changed, too
            if module is not None or _matters(signal, sources):
                weights = module.parameters() if module is not None else signal.weights
                new = {id(p): p.numel() for p in weights if id(p) not in counted}
                counted.update(new)
                rows.append(Row(name, kind.rstrip("_"), tuple(_first(value).shape), sum(new.values()),
                                _multiply_adds(module, kind, value, args, kwargs), signal.field, signal.reason))
    return tuple(rows)


_OPERATORS = dict(iadd="add_", isub="sub_", imul="mul_", itruediv="div_", truediv="div", setitem="setitem_")


def _label(node, module):
    """Qualified name and kind; a function is named after the module whose forward calls it."""
    if module is not None:
        return node.target.removeprefix("net").removeprefix("."), type(module).__name__
    kind = node.target if isinstance(node.target, str) else node.target.__name__
    kind = _OPERATORS.get(kind, kind)
    path = list(node.meta["nn_module_stack"].values())[-1][0]
    return f"{path}.{kind.rstrip('_')}".removeprefix("net").removeprefix("."), kind


def _rule_for_function(node, kind):
    home = getattr(node.target, "__module__", None) or "torch"
    known = home.split(".")[0] in ("torch", "_operator", "builtins") or home == "torchvision.ops.stochastic_depth"
    return FUNCTIONS.get(kind.rstrip("_")) if known else None  # a user's function of that name is something else


def _run(node, module, rule, label, args, kwargs):
    """The step's output, without storage."""
    args, kwargs = fx.node.map_aggregate((args, kwargs), lambda a: a.value if isinstance(a, Signal) else a)
    tensors = [a for a in (*args, *kwargs.values()) if isinstance(a, Tensor)]
    if module is not None and tensors:
        _check_size(module, label, tensors[0])
    # Two short cuts, because PyTorch takes milliseconds for some of these on meta tensors.
    if rule in SAME_SHAPE and len({(t.shape, t.dtype) for t in tensors}) == 1:
        return tensors[0].contiguous()
    if type(module) is nn.Linear:
        return tensors[0].new_empty(*tensors[0].shape[:-1], module.out_features)
    try:
        if module is not None:
            return _without_storage(module).forward(*args, **kwargs)
        function = getattr(args[0], node.target) if node.op == "call_method" else node.target
        return function(*args[node.op == "call_method":], **kwargs)
    except Exception as error:
        shapes = " and ".join(times(t.shape) for t in tensors) or args
        raise ValueError(f"{label} cannot take what reaches it, {shapes}: {error}") from error


def _without_storage(value):
    """Meta tensors in place of tensors; a module's twin has no hooks, and the module is not touched."""
    if isinstance(value, Tensor):
        return value.to("meta")
    if isinstance(value, dict):
        return {key: _without_storage(item) for key, item in value.items()}
    if isinstance(value, nn.Module):
        twin = type(value).__new__(type(value))
        vars(twin).update({k: {} if k.endswith("_hooks") else _without_storage(v) for k, v in vars(value).items()})
        return twin
    return value


def _check_size(module, label, x):
    """Refuse a wrong number of channels or features in words."""
    for attribute, dim in (("in_channels", 1), ("num_features", 1), ("num_channels", 1), ("in_features", -1)):
        needed, what = getattr(module, attribute, None), "channels" if dim == 1 else "features in the last dimension"
        if isinstance(needed, int) and x.dim() > 1 and x.shape[dim] != needed:
            raise ValueError(f"{label} takes {needed} {what}, got {x.shape[dim]} (an input of {times(x.shape)})")
    if isinstance(module, nn.BatchNorm2d) and x.dim() != 4:
        raise ValueError(f"{label} takes four dimensions, (N, C, H, W), got {times(x.shape)}")


def _follow(module, rule, name, kind, value, sources, args, kwargs):
    """The step's output with its field, or with the reason why that is unknown."""
    weights = tuple(p for source in sources if not source.seen for p in source.weights)
    if not isinstance(_first(value), Tensor) or not any(source.seen for source in sources):
        return Signal(value, weights=weights)
    for source in sources:
        if source.reason:
            return Signal(value, None, source.reason, weights)
    why = f"trace has no rule for {kind.rstrip('_')}"
    try:
        if rule is not None:
            return Signal(value, rule(value, *(args if module is None else (module, *args)), **kwargs), None, weights)
    except UnknownField as error:
        why = str(error)
    except TypeError:  # the rule has other arguments
        why += " called in this way"
    return Signal(value, None, f"from {name} on: {why}", weights)


def _first(value):
    return value[0] if isinstance(value, (tuple, list)) and value else value  # chunks, values and indices


def _matters(signal, sources):
    """Whether a function gets a row: it changes shape or field, joins branches, or has weights of its own."""
    def state(s):
        return s.field, s.reason, getattr(s.value, "shape", None)

    seen = [source for source in sources if source.seen]
    changes = len(seen) > 1 or signal.weights or any(state(source) != state(signal) for source in seen)
    return bool(seen and changes and isinstance(signal.value, Tensor))


def _multiply_adds(module, kind, value, args, kwargs):
    """Products with weights: of convolutions and linear layers, without biases and norms."""
    weight = module.weight if isinstance(module, (nn.modules.conv._ConvNd, nn.Linear)) else None
    if module is None and kind in ("conv1d", "conv2d", "conv3d", "conv_transpose2d", "linear", "matmul"):
        weight = args[1] if len(args) > 1 else kwargs.get("weight", kwargs.get("other"))
    if weight is None:
        return 0
    if kind == "matmul":  # x @ weight
        return value.numel() * weight.shape[0] if weight.weights else 0
    # Each output unit meets a whole kernel; in a transposed convolution each input unit does.
    transposed = getattr(module, "transposed", kind == "conv_transpose2d")
    return (args[0].value if transposed else value).numel() * prod(weight.shape[1:])
