"""Several processes that train one net, as `torchrun` starts them: who we are, and what has to agree.

    torchrun --nproc-per-node 2 train.py        # train.py calls fit as ever

Every process holds the whole net and goes through its share of each batch; DistributedDataParallel averages the
gradients. Alone, that is not under `torchrun`, everything here does nothing.
"""

import atexit
import os
from contextlib import contextmanager

import torch
import torch.distributed as dist


def rank_and_world():
    """Return this process's number and how many there are, and join the others first where `torchrun` started us.

    >>> rank_and_world()
    (0, 1)
    """
    if not dist.is_available():
        return 0, 1
    if not dist.is_initialized() and dist.is_torchelastic_launched() and os.environ["WORLD_SIZE"] != "1":
        store, rank, world = next(dist.rendezvous("env://"))
        if os.environ["LOCAL_WORLD_SIZE"] == os.environ["WORLD_SIZE"]:
            # After a restart, torchrun's store still holds the addresses of the dead (pytorch/pytorch issue 135712).
            # The count of restarts is the same for all processes of one machine, but not for those of several.
            store = dist.PrefixStore(f"restart {os.environ['TORCHELASTIC_RESTART_COUNT']}", store)
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        dist.init_process_group(backend, store=store, rank=rank, world_size=world)
        atexit.register(leave)  # a process that ends without leaving may abort
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def leave():
    """Leave the group, if it is still there."""
    if dist.is_initialized():
        dist.destroy_process_group()


def share(n, rank, world):
    """Return the slice of `n` items that is the share of process `rank` of `world`: in order, sizes within one.

    >>> [share(7, rank, 3) for rank in range(3)]
    [slice(0, 3, None), slice(3, 5, None), slice(5, 7, None)]
    """
    small, larger = divmod(n, world)
    start = rank * small + min(rank, larger)
    return slice(start, start + small + (rank < larger))


@contextmanager
def sharded(batches):
    """Give the function that says which slice of a batch's `n` items is ours, while `batches` are gone through.

    What has `shard(rank, world)` gives us our share alone, until we are done; of anything else a share is cut off.
    """
    rank, world = rank_and_world()
    if world > 1 and hasattr(batches, "shard"):
        batches.shard(rank, world)
        try:
            yield lambda n: slice(None)
        finally:
            batches.shard(0, 1)
    else:
        yield lambda n: share(n, rank, world)


def parallel(net, device):
    """Wrap `net` so that its gradients are averaged over the processes; all start with the weights of rank 0."""
    if rank_and_world()[1] == 1:
        return net
    devices = None if device.type == "cpu" else [device]
    return torch.nn.parallel.DistributedDataParallel(net, devices)


def weighted(loss, n):
    """Weight the mean loss of `n` images so that the processes' average gradient is that of the whole batch.

    An average of means is wrong where shares differ: it must be Σ n·mean / Σ n. The mean over an empty share is not
    a number, and sends no gradient back.
    """
    world = rank_and_world()[1]
    if world == 1:
        return loss
    return loss * (n * world / add(torch.tensor(float(n), device=loss.device)))


def add(tensor):
    """Add up `tensor` over the processes, in place, and return it."""
    if rank_and_world()[1] > 1:
        dist.all_reduce(tensor)
    return tensor


def same_random():
    """Give all processes rank 0's random numbers, so that they draw one order of the images."""
    if rank_and_world()[1] > 1:
        state = torch.get_rng_state()
        dist.broadcast(state, 0)
        torch.set_rng_state(state)


def own_random():
    """Give each process but rank 0 random numbers of its own, for dropout; they follow from rank 0's."""
    rank, world = rank_and_world()
    if world > 1:
        seed = torch.randint(2**40, ()).item()
        if rank:
            torch.manual_seed(seed + rank)


def same_buffers(net):
    """Give all processes rank 0's buffers: batch norm's running statistics, which each took from its own share."""
    if rank_and_world()[1] > 1:
        for buffer in net.buffers():
            dist.broadcast(buffer, 0)


def check_same(value, what):
    """Refuse to go on where the processes disagree on a whole number; `what` says what it is."""
    world = rank_and_world()[1]
    if world > 1:
        values = [None] * world
        dist.all_gather_object(values, value)
        if len(set(values)) > 1:
            raise ValueError(f"the processes disagree on {what}: {values}, by rank. All must see the same checkpoint "
                             "(on a disk that they share) and be called with the same arguments")
