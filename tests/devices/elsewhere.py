"""A second device for machines that have one alone: it computes on the CPU, but like a GPU with nothing of the CPU.

Its tensors say that they lie on ELSEWHERE, a device that every build of torch knows and nothing else here computes on.
Whoever mixes them with tensors of the CPU gets an error as from a GPU, and so does who hands them to numpy. What torch
allows is allowed: single numbers of the CPU beside tensors, and indices.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim import optimizer
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

ELSEWHERE, HERE = torch.device("meta"), torch.device("cpu")
ATEN = torch.ops.aten
COPIES = (ATEN._to_copy.default, ATEN.copy_.default)
INDEXED = (ATEN.index.Tensor, ATEN.index_put_.default, ATEN.index_put.default, ATEN._index_put_impl_.default)


class There(torch.Tensor):
    """A tensor elsewhere; `held` has its numbers."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> "There":
        made = torch.Tensor._make_wrapper_subclass(
            cls, held.size(), held.stride(), held.storage_offset(), dtype=held.dtype, device=ELSEWHERE
        )
        made.held = held
        return made

    def __repr__(self) -> str:
        return f"There({self.held})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return computed(func, args, kwargs or {})


def computed(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """What an operation gives, and on the device where it would."""
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    there = [x for x in tensors if isinstance(x, There)]
    if any(x.device == ELSEWHERE and not isinstance(x, There) for x in tensors):
        raise RuntimeError(f"{func}: a tensor elsewhere that was made without its numbers")
    asked = kwargs.get("device")
    refuse_mixed(func, args, kwargs, tensors, there)
    moved = bool(there) if asked is None else torch.device(asked) == ELSEWHERE
    if func is ATEN.copy_.default:
        moved = isinstance(args[0], There)
    if asked is not None:
        kwargs = kwargs | {"device": HERE}
    args, kwargs = tree_map(lambda x: x.held if isinstance(x, There) else x, (args, kwargs))
    made = func(*args, **kwargs)
    own = {id(x.held): x for x in there}  # what is changed in place stays the tensor that it was

    def placed(x: Any) -> Any:
        if type(x) is not torch.Tensor or not moved:
            return x
        return own[id(x)] if id(x) in own else There(x)

    return tree_map(placed, made)


def refuse_mixed(func: Any, args: Any, kwargs: Any, tensors: list[torch.Tensor], there: list[There]) -> None:
    asked, rng = kwargs.get("device"), kwargs.get("generator")
    if rng is not None and (there or (asked is not None and torch.device(asked) == ELSEWHERE)):
        raise RuntimeError(f"{func}: a generator of the CPU draws nothing elsewhere")
    if not there or func in COPIES:
        return
    here = [x for x in tensors if not isinstance(x, There) and x.dim()]
    if func in INDEXED and isinstance(args[0], There):
        here = [x for x in here if not any(x is index for index in args[1])]
    if here or (torch.Tag.pointwise not in func.tags and len(there) < len(tensors) and func not in INDEXED):
        raise RuntimeError(f"{func}: all tensors must be on one device, and some are on the CPU, some elsewhere")


class _Everywhere(TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return computed(func, args, kwargs or {})


class _Numbers(TorchFunctionMode):
    """Lists of numbers into a tensor and out of one, which no operation does."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in (torch.tensor, torch.as_tensor) and kwargs.get("device") is not None:
            return func(*args, **kwargs | {"device": HERE}).to(kwargs["device"])
        if func is torch.Tensor.new_tensor and isinstance(args[0], There):
            return func(args[0].held, *args[1:], **kwargs).to(ELSEWHERE)
        if func is torch.Tensor.tolist:
            return args[0].cpu().tolist()
        if func in (torch.Tensor.__getitem__, torch.Tensor.__setitem__) and isinstance(args[0], There):
            index = args[1] if isinstance(args[1], tuple) else (args[1],)
            index = tuple(torch.tensor(each) if isinstance(each, list) else each for each in index)
            args = (args[0], index, *args[2:])
        return func(*args, **kwargs)


@contextmanager
def a_second_device() -> Iterator[torch.device]:
    """While it lasts, tensors can be moved to the device that it gives."""
    fused = optimizer._get_fused_kernels_supported_devices
    optimizer._get_fused_kernels_supported_devices = lambda: [*fused(), ELSEWHERE.type]
    try:
        with sdpa_kernel(SDPBackend.MATH), _Numbers(), _Everywhere():
            yield ELSEWHERE
    finally:
        optimizer._get_fused_kernels_supported_devices = fused
