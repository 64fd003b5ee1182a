"""What each operation of PyTorch does to the receptive field: one short rule a kind, none for the rest.

A rule gets the output, then the operation's own arguments (modules hand theirs on to the function's rule);
tensors arrive as `Signal`s. It returns a `Field` or raises `UnknownField` with the reason in plain words.
An operation that is not listed here has no rule, and the field is unknown from there on.
"""

from functools import partial

from torch import nn

from . import receptive_field as rf
from .receptive_field import UnknownField
from .trace_field import Signal, flattened, laid, mixed
from .trace_layout import elementwise, expand, flatten, getitem, join, part, permute, reshape, transpose

# Value by value

def _pass(out, module, x):
    return x.field


def _copy(out, x, *_, **__):  # may change the number type, or the layout in memory
    return x.field


# Windows

def _pair(value):
    return tuple(value) if isinstance(value, (tuple, list)) else (value, value)


def _slide(x, kernel, stride, padding=0, dilation=1):
    if padding == "same":  # d(k - 1) in all; the smaller half in front
        padding = tuple(d * (k - 1) // 2 for d, k in zip(_pair(dilation), _pair(kernel)))
    sizes = map(_pair, (kernel, stride or kernel, 0 if padding == "valid" else padding, dilation))
    return laid(x, *(rf.sliding(*axis) for axis in zip(*sizes)))


def _conv2d(out, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    _refuse_computed(weight)
    return _slide(x, weight.shape[-2:], stride, padding, dilation)


def _conv_transpose2d(out, x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    _refuse_computed(weight)
    return _spread(x, weight.shape[-2:], stride, padding, dilation)


def _spread(x, kernel, stride, padding, dilation):
    sizes = map(_pair, (kernel, stride, padding, dilation))
    return laid(x, *(rf.transposed(*axis) for axis in zip(*sizes)))


def _refuse_computed(weight):
    if weight.field is not None:
        raise UnknownField("its weights are computed from the image")


def _max_pool2d(out, x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    return _slide(x, kernel_size, stride, padding, dilation)


def _avg_pool2d(out, x, kernel_size, stride=None, padding=0, *_, **__):
    return _slide(x, kernel_size, stride, padding)


def _adaptive(out, x, *_, **__):
    out = out[0] if isinstance(out, tuple) else out  # with return_indices
    return _resize(out, x, rf.adaptive, shared=[dim for dim in (-2, -1) if 1 in (x.shape[dim], out.shape[dim])])


def _resize(out, x, window, shared):
    """A window that depends on both sizes; along `shared` dimensions all outputs see the same."""
    x = Signal(x.value, mixed(x, shared))
    return laid(x, *(window(*size) for size in zip(x.shape[-2:], out.shape[-2:])))


def _interpolate(out, x, size=None, scale_factor=None, mode="nearest", align_corners=None,
                 recompute_scale_factor=None, antialias=False):
    if mode == "area":
        return _adaptive(out, x)
    scales = [] if scale_factor is None or recompute_scale_factor else _pair(scale_factor)
    sizes = list(zip(x.shape[-2:], out.shape[-2:]))
    whole = all(outputs % units == 0 or units % outputs == 0 for units, outputs in sizes)
    if not whole or any(scale % 1 and 1 / scale % 1 for scale in scales):
        raise UnknownField(f"trace knows resizing by whole factors only, not {sizes[0][0]}×{sizes[1][0]} "
                           f"to {sizes[0][1]}×{sizes[1][1]}")
    windows = {"nearest": rf.nearest, "bilinear": partial(rf.bilinear, align_corners=bool(align_corners))}
    if mode not in windows or antialias:
        raise UnknownField(f"trace has no rule for resizing with mode={mode!r}, antialias={antialias}")
    return _resize(out, x, windows[mode], shared=[dim for dim in (-2, -1) if x.shape[dim] == 1])


def _pad(out, x, pad, mode="constant", value=None):
    left, top = pad[0], pad[2] if len(pad) > 2 else 0  # counted from the last dimension
    return laid(x, rf.sliding(1, 1, top), rf.sliding(1, 1, left))


def _pixel_shuffle(out, x, factor):
    return laid(x, rf.nearest(1, factor), rf.nearest(1, factor))


# All of the map

def _linear(out, x, weight, bias=None):
    if x.field is None or not isinstance(weight, Signal) or weight.field is not None:
        raise UnknownField("it multiplies what it computed from the image, not an image by weights")
    return mixed(x, [-1])


def _softmax(out, x, dim=None, *_, **__):
    return mixed(x, [int(len(x.shape) not in (0, 1, 3)) if dim is None else dim])  # PyTorch's choice


def _reduce(out, x, dim=None, *_, axis=None, other=None, **__):
    if isinstance(dim, Signal) or other is not None:  # torch.max(x, y)
        return elementwise(out, x, dim, other)
    out, rank = out[0] if isinstance(out, tuple) else out, len(x.shape)  # torch.max(x, dim) gives indices, too
    dim = axis if dim is None else dim
    dims = range(rank) if dim is None else [dim] if isinstance(dim, int) else dim
    field = mixed(x, dims)
    gone = len(out.shape) < rank and any(dim % rank >= rank - 2 for dim in dims)
    return flattened(x, field) if gone else field


def _batch_norm(out, x, running_mean, running_var, weight=None, bias=None, training=False, *_, **__):
    own_statistics = training or running_mean is None  # of these very images
    return _all_of_it(out, x) if own_statistics else x.field


def _batch_norm_2d(out, module, x):
    return _batch_norm(out, x, module.running_mean, None)


def _all_of_it(out, x, *_, **__):
    return mixed(x, [-1, -2])


def _layer_norm(out, x, normalized_shape, *_, **__):
    return mixed(x, range(-len(normalized_shape), 0))


_PASS = """
    relu relu6 leaky_relu prelu rrelu elu selu celu gelu silu mish sigmoid tanh hardswish hardsigmoid hardtanh
    logsigmoid softplus softsign threshold tanhshrink hardshrink softshrink dropout dropout2d dropout1d alpha_dropout
    feature_dropout feature_alpha_dropout stochastic_depth local_response_norm channel_shuffle add sub rsub mul div
    true_divide neg abs exp expm1 log log1p sqrt rsqrt square pow reciprocal erf clamp clamp_min clamp_max minimum
    maximum where lerp addcmul addcdiv
    """
FUNCTIONS = {
    **dict.fromkeys(_PASS.split(), elementwise),
    **dict.fromkeys("contiguous clone detach to float double half bfloat16 type type_as".split(), _copy),
    **dict.fromkeys("mean sum amax amin max min std var prod logsumexp".split(), _reduce),
    **dict.fromkeys("reshape view reshape_as view_as squeeze unsqueeze unflatten".split(), reshape),
    **dict.fromkeys("expand expand_as broadcast_to repeat tile".split(), expand),
    **dict.fromkeys("cat concat concatenate stack".split(), join),
    **dict.fromkeys("chunk split narrow".split(), part),
    **dict.fromkeys("softmax log_softmax softmin".split(), _softmax),
    **dict.fromkeys("adaptive_avg_pool2d adaptive_max_pool2d".split(), _adaptive),
    **dict.fromkeys("linear matmul".split(), _linear),
    **dict.fromkeys("layer_norm rms_norm".split(), _layer_norm),
    "conv2d": _conv2d, "conv_transpose2d": _conv_transpose2d, "max_pool2d": _max_pool2d, "avg_pool2d": _avg_pool2d,
    "interpolate": _interpolate, "upsample": _interpolate, "pad": _pad,
    "pixel_shuffle": _pixel_shuffle, "batch_norm": _batch_norm,
    "group_norm": _all_of_it, "flatten": flatten, "permute": permute,
    "transpose": transpose, "getitem": getitem,
}

_PASSING = (
    nn.Identity, nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.RReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU,
    nn.Mish, nn.Sigmoid, nn.Tanh, nn.Hardswish, nn.Hardsigmoid, nn.Hardtanh, nn.LogSigmoid, nn.Softplus, nn.Softsign,
    nn.Threshold, nn.Tanhshrink, nn.Hardshrink, nn.Softshrink, nn.Dropout, nn.Dropout2d, nn.AlphaDropout,
    nn.FeatureAlphaDropout, nn.LocalResponseNorm,
)
# A module's rule gets the output, the module and its inputs.
MODULES = {
    **dict.fromkeys(_PASSING, _pass),
    **dict.fromkeys((nn.PReLU, nn.ChannelShuffle, nn.Softmax2d), lambda out, m, x: x.field),  # may refuse x
    nn.BatchNorm1d: lambda out, m, x: _batch_norm(out, x, m.running_mean, None),
    nn.BatchNorm2d: _batch_norm_2d,
    **dict.fromkeys((nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d), lambda out, m, x: _adaptive(out, x)),
    **dict.fromkeys((nn.Softmax, nn.LogSoftmax, nn.Softmin), lambda out, m, x: _softmax(out, x, m.dim)),
    **dict.fromkeys((nn.LayerNorm, nn.RMSNorm), lambda out, m, x: _layer_norm(out, x, m.normalized_shape)),
    **dict.fromkeys((nn.ZeroPad2d, nn.ConstantPad2d, nn.ReflectionPad2d, nn.ReplicationPad2d, nn.CircularPad2d),
                    lambda out, m, x: _pad(out, x, m.padding)),
    nn.Conv2d: lambda out, m, x: _slide(x, m.kernel_size, m.stride, m.padding, m.dilation),
    nn.ConvTranspose2d: lambda out, m, x, *_, **__: _spread(x, m.kernel_size, m.stride, m.padding, m.dilation),
    nn.MaxPool2d: lambda out, m, x: _slide(x, m.kernel_size, m.stride, m.padding, m.dilation),
    nn.AvgPool2d: lambda out, m, x: _slide(x, m.kernel_size, m.stride, m.padding),
    nn.LPPool2d: lambda out, m, x: _slide(x, m.kernel_size, m.stride),
    nn.InstanceNorm2d: lambda out, m, x: _batch_norm(out, x, m.running_mean, None),
    nn.GroupNorm: lambda out, m, x: _all_of_it(out, x),
    nn.Linear: lambda out, m, x: mixed(x, [-1]),
    nn.Flatten: lambda out, m, x: flatten(out, x, m.start_dim, m.end_dim),
    nn.Unflatten: lambda out, m, x: reshape(out, x),
    nn.Upsample: lambda out, m, x: _interpolate(out, x, m.size, m.scale_factor, m.mode, m.align_corners,
                                                m.recompute_scale_factor),
    nn.PixelShuffle: lambda out, m, x: _pixel_shuffle(out, x, m.upscale_factor),
}


# Rules of operations whose output has the shape of their input, or inputs: it need not be worked out.
SAME_SHAPE = (elementwise, _pass, _batch_norm_2d)


def rule_for(module):
    """The rule of a module's class, or of the class of torch.nn that it derives from; None without one."""
    return next((MODULES[cls] for cls in type(module).__mro__ if cls in MODULES), None)
