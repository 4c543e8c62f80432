"""Which tensors of a network a supermask selects, which stay frozen, and which every task owns a copy of.

| layer                                    | tensor                     | base "random"      | base "pretrained"  |
|------------------------------------------|----------------------------|--------------------|--------------------|
| Linear, Conv1d/2d/3d, PyG Linear         | weight                     | masked             | masked             |
| nn.MultiheadAttention                    | in_proj_weight, q/k/v_proj | masked             | masked             |
| any layer                                | bias                       | frozen, set to 0   | frozen             |
| BatchNorm, LayerNorm, GroupNorm, RMSNorm | weight, bias               | frozen, identity   | task (copy, tuned) |
| BatchNorm, PyG norms                     | running statistics         | task               | task               |
| Embedding, tokens, positions             | table or vector            | frozen             | frozen             |
| GINE eps, GAT attention, LayerScale      | vector                     | frozen             | frozen             |

Anything else is an error that names it: shared state that nobody classified is how old answers move unseen.
"""

import re
from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

Role = Literal["masked", "frozen", "task"]
Base = Literal["random", "pretrained"]

_NORM = re.compile(r"Norm(Act)?([123]d)?$")
_VECTORS = re.compile(
    r"(^|_)(tokens?|embed|embeddings?|position|positions|bias|table|eps|gamma(_[12])?|att|att_src|att_dst|att_msg)$"
)
_PROJECTIONS = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")


class UnknownParameter(ValueError):
    """A tensor whose role under supermasks is not known; the message names it and how to declare it."""


def is_norm(module: nn.Module) -> bool:
    """True for normalisation layers of torch, timm and PyG, told by their base class or the end of their name."""
    known = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
    return isinstance(module, known) or any(_NORM.search(kind.__name__) for kind in type(module).__mro__)


def is_linear(module: nn.Module) -> bool:
    """True for layers whose `weight` is a plain linear map; PyG's own Linear is told by name, without importing PyG."""
    if isinstance(module, (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)):
        return True
    return type(module).__module__.startswith("torch_geometric.nn.dense") and type(module).__name__ == "Linear"


def _role(module: nn.Module, leaf: str, parameter: Tensor, base: Base) -> Role | None:
    if is_linear(module) and leaf == "weight":
        return "masked"
    if isinstance(module, nn.MultiheadAttention) and leaf in _PROJECTIONS:
        return "masked"
    if is_norm(module) and parameter.ndim <= 1:
        return "frozen" if base == "random" else "task"
    if isinstance(module, (nn.Embedding, nn.EmbeddingBag)) or _VECTORS.search(leaf) or leaf in ("bias_k", "bias_v"):
        return "frozen"
    return None


def parameter_roles(model: nn.Module, base: Base, frozen: Sequence[str] = ()) -> dict[str, Role]:
    """Role of every parameter by its full name; `frozen` names those that the caller declares frozen.

    Raises:
        UnknownParameter: no rule covers a parameter, it has no shape yet (lazy), or it is shared by two layers that
            want different roles.
    """
    roles: dict[str, Role] = {}
    first_name: dict[int, str] = {}
    for prefix, module in model.named_modules():
        for leaf, parameter in module.named_parameters(recurse=False):
            name = f"{prefix}.{leaf}" if prefix else leaf
            kind = type(module).__name__
            if isinstance(parameter, nn.parameter.UninitializedParameter):
                raise UnknownParameter(f"{name} of {kind} has no shape yet; run one batch through the model first")
            role: Role | None = "frozen" if name in frozen else _role(module, leaf, parameter, base)
            if role is None:
                raise UnknownParameter(
                    f"{name} {tuple(parameter.shape)} of {kind}: no rule says whether tasks may share it; "
                    f"if its value never trains, pass frozen=({name!r},)"
                )
            twin = first_name.setdefault(id(parameter), name)
            if roles.get(twin, role) != role:
                raise UnknownParameter(f"{name} and {twin} are one tensor but want roles {role} and {roles[twin]}")
            if twin == name:
                roles[name] = role
    unknown = set(frozen) - set(roles)
    if unknown:
        raise UnknownParameter(f"frozen names parameters that the model lacks: {', '.join(sorted(unknown))}")
    return roles


def task_buffers(model: nn.Module) -> list[str]:
    """Full names of the running statistics; all other buffers are constants (and are checked to stay so)."""
    return [
        f"{prefix}.{leaf}" if prefix else leaf
        for prefix, module in model.named_modules()
        if is_norm(module)
        for leaf, _ in module.named_buffers(recurse=False)
    ]
