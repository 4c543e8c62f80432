"""AdamW and its schedule, as masked autoencoders are trained (arXiv:2111.06377, table 8)."""

import math

import torch
from torch import nn

from brep_mae.settings import PretrainParams

BETAS = (0.9, 0.95)


def adamw(model: nn.Module, lr: float, weight_decay: float) -> torch.optim.AdamW:
    """Decays weight matrices only: not biases, norms, or learned tokens."""
    trained = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    decayed = [p for n, p in trained if p.ndim > 1 and not n.endswith("token")]
    rest = [p for n, p in trained if p.ndim <= 1 or n.endswith("token")]
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": rest, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=lr, betas=BETAS, fused=True)


def lr_at(step: int, steps: int, peak: float, params: PretrainParams) -> float:
    """Linear warm-up from 0 over the share `params.warmup` of all steps, then half a cosine down to 0, as in the
    method's own code: the very first step moves nothing."""
    warmup = round(params.warmup * steps)
    if step < warmup:
        return peak * step / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))
