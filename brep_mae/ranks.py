"""Processes that train one network together, each on its part of every batch (`torchrun`).

Inside `together`, whatever is summed over a batch is summed over the parts of all processes, and what is drawn for a
batch is drawn for all of it, of which a process takes its part: so many processes compute what one does with the whole
batch. Outside of it, and in one process alone, all of this is without effect.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, distributed, nn

PATIENCE = timedelta(minutes=30)
"""How long a process waits for the others: the first one writes checkpoints, figures and a report meanwhile."""
_together = False


class RankError(RuntimeError):
    """Another process of the training ended; the message says what to do."""


def rank() -> int:
    """Number of this process, from 0 on; 0 where it is alone."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def world() -> int:
    """Processes that train together; 1 where this one is alone."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def device() -> torch.device:
    """Where this process computes, its GPU or the CPU where there is none: whoever runs a network moves it and its
    batches there, and brings back what others read."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def joined() -> Iterator[None]:
    """Joins the processes that `torchrun` started, if it did; each has a GPU of its own where there are some."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    gpu = device().type == "cuda"
    if gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if gpu else "gloo", timeout=PATIENCE)
    try:
        yield
    finally:
        distributed.destroy_process_group()


@contextmanager
def together() -> Iterator[None]:
    """While it lasts, every process has a part of one batch."""
    global _together
    _together = world() > 1
    try:
        yield
    finally:
        _together = False


def parts() -> int:
    """Into how many parts a batch is divided now."""
    return world() if _together else 1


def part(rows: Tensor) -> Tensor:
    """This process's part of the rows of a batch, whose number is a multiple of `parts`."""
    size = len(rows) // parts()
    return rows[rank() * size : (rank() + 1) * size] if _together else rows


def rows(own: int, turns: int = 1) -> Tensor:
    """Which rows of a batch the `own` rows of this process's part are. Where it stands there `turns` times over, all of
    it and then all of it again, they are as many of each turn. (own,)"""
    return part(torch.arange(own * parts()).view(turns, -1).T).T.flatten()


def total(x: Tensor) -> Tensor:
    """The sum over the parts of all processes; without a gradient."""
    return _reduced(x.detach().clone()) if _together else x


def joined_rows(x: Tensor) -> Tensor:
    """The rows of all parts, one after the other; every part has as many, of one shape. A gradient of them is that of
    the sum of what all processes make of them."""
    joined: Tensor = _Joined.apply(x) if _together else x
    return joined


def of_first(make: Callable[[], Any]) -> Any:
    """What the first process makes, in all of them."""
    made = [make() if rank() == 0 else None]
    if world() > 1:
        with _told():
            distributed.broadcast_object_list(made, 0)
    return made[0]


def start_alike(model: nn.Module) -> None:
    """Gives every process the weights of the first, bit by bit."""
    if world() > 1:
        with _told():
            for value in model.state_dict().values():
                distributed.broadcast(value, 0)


class _Joined(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        rows = x.new_zeros(parts(), *x.shape)
        rows[rank()] = x
        return _reduced(rows).flatten(0, 1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return part(_reduced(gradients[0].clone()))


def _reduced(x: Tensor) -> Tensor:
    with _told():
        distributed.all_reduce(x)
    return x


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        raise RankError(
            f"rank {rank()} of {world()}: another process ended or cannot be reached ({reason}); look at its error, "
            "then run the same command again: the training goes on from its last checkpoint"
        ) from None
