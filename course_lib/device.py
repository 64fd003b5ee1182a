"""Where a net computes, and in which precision."""

import os
from contextlib import nullcontext

import torch


def pick_device(device=None):
    """Return `device` as a `torch.device`; None is the accelerator if there is one, else the CPU.

    Under `torchrun` each process of a machine takes an accelerator of its own; ValueError where there are too few.

    >>> pick_device("cpu")
    device(type='cpu')
    """
    if device is not None or not torch.accelerator.is_available():
        return torch.device("cpu" if device is None else device)
    accelerator = torch.accelerator.current_accelerator()
    if "LOCAL_RANK" not in os.environ:
        return accelerator
    place, count = int(os.environ["LOCAL_RANK"]), torch.accelerator.device_count()
    if place >= count:
        raise ValueError(f"process {place} of this machine has no accelerator of its own, as there are {count}: start "
                         f"torchrun with --nproc-per-node {count}, or give device='cpu'")
    return torch.device(accelerator.type, place)


def has_bf16(device):
    """Say whether the device computes in bfloat16 by itself; emulation, as on a T4, does not count."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu" and hasattr(torch.cpu, "get_capabilities"):  # older releases can't tell
        return any(torch.cpu.get_capabilities().get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    return False


def forward_context(precision, device):
    """Return the context for a net's forward pass in "fp32", "bf16" or "auto": bf16 where the hardware has it."""
    if precision not in ("fp32", "bf16", "auto"):
        raise ValueError(f'precision must be "fp32", "bf16" or "auto", got {precision!r}')
    if precision == "bf16" or precision == "auto" and has_bf16(device):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()
