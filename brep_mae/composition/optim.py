"""Which weights AdamW moves by which rate, as masked autoencoders are trained (arXiv:2111.06377, table 8)."""

import math
import re
from typing import Any

import torch
from timm.layers import DropPath
from timm.models.vision_transformer import Block
from torch import nn

from brep_mae.checks import SettingsError
from brep_mae.settings import OptimParams

LAYER = re.compile(r"(?:^|\.)encoder\.(?:stack\.)?(?:blocks|messages|layers)\.(\d+)\.")
"""In the name of a weight: the number of the encoder's layer that it belongs to."""
BELOW = re.compile(r"(?:^|\.)(?:tokens|encoder)\.(?!stack\.norm)")
"""Weights that come before the encoder's first layer, where LAYER says nothing."""


def adamw(model: nn.Module, lr: float, optim: OptimParams) -> torch.optim.AdamW:
    """One optimiser for all weights, in the groups of `weight_groups`. Raises SettingsError as that does."""
    first, second = optim.betas
    return torch.optim.AdamW(weight_groups(model, lr, optim), lr=lr, betas=(first, second), fused=True)


def weight_groups(model: nn.Module, lr: float, optim: OptimParams) -> list[dict[str, Any]]:
    """What an optimiser is made of. Decays weight matrices only: not biases, norms, or learned tokens.

    With `layer_decay` d, layer k of an encoder of n layers has the rate lr d^(n - k), what lies below the first has
    lr d^(n + 1), and all else, heads and decoders, has lr (Bao et al. 2021, arXiv:2106.08254, appendix). Every group
    keeps its own highest rate as "peak". Raises SettingsError for a layer decay where no encoder has layers.
    """
    trained = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
    scales = _scales([name for name, _ in trained], optim.layer_decay)
    groups: list[dict[str, Any]] = []
    for scale in sorted(set(scales.values()), reverse=True):
        of_scale = [(name, weight) for name, weight in trained if scales[name] == scale]
        decayed = [w for name, w in of_scale if w.ndim > 1 and not name.endswith("token")]
        rest = [w for name, w in of_scale if w.ndim <= 1 or name.endswith("token")]
        groups += [{"params": decayed, "weight_decay": optim.weight_decay, "peak": lr * scale}]
        groups += [{"params": rest, "weight_decay": 0.0, "peak": lr * scale}]
    return groups


def _scales(names: list[str], decay: float) -> dict[str, float]:
    """Name of a weight -> its share of the highest rate."""
    if decay == 1:
        return dict.fromkeys(names, 1.0)
    layers = {name: int(found[1]) for name in names if (found := LAYER.search(name))}
    if not layers:
        raise SettingsError("layer_decay: this network has no layers; leave it out")
    count = max(layers.values()) + 1
    depth = {name: count if BELOW.search(name) is None else -1 for name in names} | layers
    return {name: decay ** max(0, count - depth[name]) for name in names}


def drop_paths(model: nn.Module, most: float) -> None:
    """Sets the drop path of every transformer block of the encoder, from 0 in the first to `most` in the last (Huang et
    al. 2016, arXiv:1603.09382). Raises SettingsError where there is no block."""
    if most == 0:
        return
    blocks = [part for name, part in model.named_modules() if isinstance(part, Block) and LAYER.search(f"{name}.")]
    if not blocks:
        raise SettingsError("optim.drop_path: this method's network has no transformer blocks; leave it out")
    for place, block in enumerate(blocks):
        rate = most * (place / (len(blocks) - 1) if len(blocks) > 1 else 1.0)
        block.drop_path1, block.drop_path2 = DropPath(rate), DropPath(rate)


def lr_at(step: int, steps: int, peak: float, warmup: float) -> float:
    """Linear warm-up from 0 over the share `warmup` of all steps, then half a cosine down to 0, as in the method's own
    code: the very first step moves nothing."""
    rising = round(warmup * steps)
    if step < rising:
        return peak * step / rising
    return peak * 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))
