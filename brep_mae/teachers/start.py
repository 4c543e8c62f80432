"""An encoder of patches that starts from a vision transformer of timm, such as one that ImageNet has taught."""

from typing import Any

import torch
from timm.layers import resample_patch_embed
from timm.models.vision_transformer import VisionTransformer

from brep_mae.checkpoints.weights import CheckpointError
from brep_mae.checks import Section
from brep_mae.models.transformer import TransformerEncoder
from brep_mae.teachers.images import timm_model
from brep_mae.tokens.patches import DEVIATION, MEAN, PatchTokens


class StartParams(Section):
    """`model` of timm and the file of its weights, `path`: .safetensors, or a state dict as torch saves it. Nothing is
    downloaded."""

    model: str
    path: str


@torch.no_grad()
def start_from(p: StartParams, tokens: PatchTokens, encoder: TransformerEncoder) -> None:
    """Patch projection, class token, blocks and last norm become those of the model.

    Patches of another size are read by a resampled projection (Beyer et al. 2022, arXiv:2212.08013, section 3.4), and
    the scale of the model's colours goes into it. Positions stay sine-cosine codes, which are those of MAE's weights;
    learned ones are left behind, but for the class token's.

    Raises CheckpointError where the file does not hold that model, or the model does not fit the encoder.
    """
    model: Any = timm_model(p.model, p.path)
    blocks: Any = encoder.stack.blocks
    theirs, ours = _shape(model, p), (encoder.dim, len(blocks), blocks[0].attn.num_heads if len(blocks) else 0)
    if theirs != ours:
        wanted, given = ("{{dim: {}, depth: {}, heads: {}}}".format(*shape) for shape in (theirs, ours))
        raise CheckpointError(f"{p.path}: {p.model} is of size {wanted}, the encoder of {given}; set size: {wanted}")
    state = model.state_dict()
    kernel = tokens.embed.proj.weight
    mean, deviation = (kernel.new_tensor(model.pretrained_cfg[key]).view(3, 1, 1) for key in ("mean", "std"))
    weight = resample_patch_embed(state["patch_embed.proj.weight"], list(kernel.shape[-2:]))
    kernel.copy_(weight * (DEVIATION / deviation))
    tokens.embed.proj.bias.copy_(state["patch_embed.proj.bias"] + (weight * ((MEAN - mean) / deviation)).sum((1, 2, 3)))
    encoder.class_token.copy_(state["cls_token"] + state["pos_embed"][:, :1])
    try:
        blocks.load_state_dict(_below("blocks.", state))
        encoder.stack.norm.load_state_dict(_below("norm.", state))
    except RuntimeError as error:
        raise CheckpointError(
            f"{p.path}: the blocks of {p.model} are of another kind ({error}); take a plain vit_*"
        ) from None


def _shape(model: Any, p: StartParams) -> tuple[int, int, int]:
    """Width, depth, heads. Raises CheckpointError for a model whose tokens are not patches and a class token."""
    if not isinstance(model, VisionTransformer) or model.cls_token is None or model.num_prefix_tokens != 1:
        raise CheckpointError(f"{p.path}: {p.model} is no vision transformer with a class token; take a plain vit_*")
    blocks: Any = model.blocks
    return model.embed_dim, len(blocks), blocks[0].attn.num_heads


def _below(prefix: str, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
