"""What regrouping does to the receptive field: units combined, joined, picked out or laid out anew.

The rules have the form that `trace_rules` describes.
"""

from . import receptive_field as rf
from .receptive_field import UnknownField
from .trace_field import Field, Signal, flattened, joined


def elementwise(out, *args, **kwargs):
    tensors = [arg for arg in (*args, *kwargs.values()) if isinstance(arg, Signal) and arg.field]
    return joined([(x.field, x.shape) for x in tensors], out.shape)


def reshape(out, x, *_, **__):
    same = len(out.shape) > 2 and out.shape[-2:] == x.shape[-2:]  # only what lies in front is regrouped
    return x.field if same else flattened(x)


def flatten(out, x, start_dim=0, end_dim=-1):
    return x.field if end_dim % len(x.shape) < len(x.shape) - 2 else flattened(x)


def permute(out, x, *dims):
    dims = dims[0] if isinstance(dims[0], (tuple, list)) else dims
    return x.field if [dim % len(x.shape) for dim in dims[-2:]] == [*range(len(x.shape))][-2:] else flattened(x)


def transpose(out, x, dim0, dim1):
    return x.field if max(dim0 % len(x.shape), dim1 % len(x.shape)) < len(x.shape) - 2 else flattened(x)


def expand(out, x, *_, **__):
    if any(units not in (1, outputs) for units, outputs in zip(x.shape[-2:], out.shape[-2:])) and not x.field.uniform:
        raise UnknownField("it repeats the map side by side")
    return elementwise(out, x)


def join(out, tensors, dim=0):
    """cat and stack."""
    spatial = dim % len(out.shape) >= len(out.shape) - 2
    if spatial and any(x.field and not (x.field.uniform or x.field.scattered) for x in tensors):
        raise UnknownField("it joins maps side by side along rows or columns, so their units follow different rules")
    return elementwise(out, *tensors)


def part(out, x, *_, **__):
    """chunk, split, narrow: each part of the channels sees what the whole saw."""
    part = out[0] if isinstance(out, (tuple, list)) else out
    if not x.field.uniform and (x.field.scattered or part.shape[-2:] != x.shape[-2:]):
        raise UnknownField("it takes a part along rows, columns or a flattened map; write x[:, :, a:b, c:d] instead")
    return x.field


def getitem(out, x, index):
    if isinstance(x.value, (tuple, list)) or x.field.uniform:
        return x.field
    index = list(index) if isinstance(index, tuple) else [index]
    if x.field.scattered or any(not isinstance(i, (int, slice, type(None), type(...))) for i in index):
        raise UnknownField("it picks units out of a flattened map, or picks them by a list or a tensor")
    index = index if ... in index else [*index, ...]
    rest = len(x.shape) - sum(i is not None and i is not ... for i in index)
    at = index.index(...)
    index[at:at + 1] = [slice(None)] * rest
    field, sizes, lost = [], [], None in index[-2:]
    for i, units, window in zip([i for i in index if i is not None][-2:], x.shape[-2:], (x.field.h, x.field.w)):
        lost = lost or isinstance(i, int)
        units = range(units)[i] if isinstance(i, slice) else range(i % units, i % units + 1)
        field.append(rf.through(rf.sliding(1, units.step, -units.start), window))
        sizes.append(len(units))
    crop = Signal(x.value.new_empty(sizes), Field(*field))
    return flattened(crop) if lost else crop.field
