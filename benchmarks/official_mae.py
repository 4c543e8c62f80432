"""The official MAE (github.com/facebookresearch/mae) as it was cloned, and its weights in our modules.

None of its code is copied. It was written for timm 0.3.2 and an older NumPy: what those had and today's lack is put
in place while it is imported.
"""

import importlib
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import timm.models.vision_transformer as vit
import torch
from torch import Tensor, nn

from brep_mae.composition.pretext import DataSpec, Pretext
from brep_mae.pretext.mae_images import Params, build
from brep_mae.settings import SizeParams

PLACES = (
    ("patch_embed.", "tokens.embed."),
    ("cls_token", "encoder.class_token"),
    ("blocks.", "encoder.stack.blocks."),
    ("norm.", "encoder.stack.norm."),
    ("decoder_embed.", "decoder.embed."),
    ("mask_token", "decoder.mask_token"),
    ("decoder_blocks.", "decoder.stack.blocks."),
    ("decoder_norm.", "decoder.stack.norm."),
    ("decoder_pred.", "targets.pixels.head."),
)
"""Prefix of a weight's name there and here."""

FIXED = ("pos_embed", "decoder_pos_embed")
"""Its positions are constants kept as parameters; ours are computed."""


def official(path: Path, image: int, patch: int, size: SizeParams, decoder: SizeParams) -> nn.Module:
    """Its `MaskedAutoencoderViT` with standardised targets and the epsilon that its own recipes set."""
    if not (path / "models_mae.py").is_file():
        raise SystemExit(f"{path}: holds no models_mae.py; clone github.com/facebookresearch/mae and give that folder")

    def block(dim: int, heads: int, ratio: float, qkv_bias: bool, qk_scale: None, norm_layer: Any) -> nn.Module:
        return vit_block(dim, heads, ratio, qkv_bias=qkv_bias, norm_layer=norm_layer)

    vit_block, vit.Block = vit.Block, block
    lacked = [] if hasattr(np, "float") else ["float"]
    for name in lacked:
        setattr(np, name, float)
    sys.path.insert(0, str(path))
    try:
        module = importlib.import_module("models_mae")
        return module.MaskedAutoencoderViT(
            img_size=image,
            patch_size=patch,
            embed_dim=size.dim,
            depth=size.depth,
            num_heads=size.heads,
            decoder_embed_dim=decoder.dim,
            decoder_depth=decoder.depth,
            decoder_num_heads=decoder.heads,
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
            norm_pix_loss=True,
        )
    finally:
        sys.path.remove(str(path))
        vit.Block = vit_block
        for name in lacked:
            delattr(np, name)


def official_lr(path: Path, step: int, per_epoch: int, lr: float, warmup_epochs: float, epochs: float) -> float:
    """Its learning rate at a step."""
    sys.path.insert(0, str(path))
    try:
        schedule = importlib.import_module("util.lr_sched")
    finally:
        sys.path.remove(str(path))
    args = SimpleNamespace(lr=lr, min_lr=0.0, warmup_epochs=warmup_epochs, epochs=epochs)
    return schedule.adjust_learning_rate(SimpleNamespace(param_groups=[]), step / per_epoch, args)


def official_adamw(model: nn.Module, lr: float, weight_decay: float) -> torch.optim.AdamW:
    """As its `main_pretrain.py` asks timm for: one-dimensional weights and biases do not decay, tokens do."""
    trained = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    free = [p for n, p in trained if p.ndim == 1 or n.endswith(".bias")]
    decayed = [p for n, p in trained if not (p.ndim == 1 or n.endswith(".bias"))]
    groups = [{"params": free, "weight_decay": 0.0}, {"params": decayed, "weight_decay": weight_decay}]
    return torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.95))


def ours(image: int, patch: int, size: SizeParams, decoder: SizeParams, ratio: float) -> Pretext:
    params = Params(
        steps=1,
        batch=1,
        lr=1.0,
        size=size,
        decoder=decoder,
        mask_ratio=ratio,
        patch=patch,
        standardise=True,
        weights={},
    )
    return build(params, DataSpec(grid=8, frame=image))


def take_weights(target: nn.Module, source: nn.Module) -> None:
    """Copies every trained weight of the official model to its place in ours; raises where one is left over."""
    state: dict[str, Tensor] = {}
    for name, value in source.state_dict().items():
        if name in FIXED:
            continue
        there, here = next(pair for pair in PLACES if name.startswith(pair[0]))
        state[here + name.removeprefix(there)] = value
    target.load_state_dict(state)
