"""The stack of transformer blocks that encoders and decoders share; with arcs, each block passes messages first."""

from collections.abc import Callable
from functools import partial

import torch
from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint
from torch_geometric.nn import GINEConv

from brep_mae.settings import SizeParams

EPS = 1e-6
"""LayerNorm's epsilon in the method's own code."""

NORM = partial(nn.LayerNorm, eps=EPS)

MOST_PADDED = 1 << 14
"""Tokens of a batch, padding among them, that go through the blocks together whatever the share of the padding."""
MOST_AT_ONCE = 1 << 11
"""Tokens of a sample that all attend to one another; those of a longer one attend in runs, or time would grow with the
square of their number."""
RUN = 1 << 10
"""Tokens of a run."""


class Messages(nn.Module):
    """Messages along arcs (GINE, Hu et al. 2020, arXiv:1905.12265, with the mean over arcs).

    The target of a message is the arc's source: an arc's content is written in the frame of the face it leaves.
    """

    def __init__(self, dim: int, arc_dim: int) -> None:
        super().__init__()
        self.norm = NORM(dim)
        mlp = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, dim))
        self.conv = GINEConv(mlp, edge_dim=arc_dim, aggr="mean")

    def forward(self, x: Tensor, index: Tensor, arcs: Tensor) -> Tensor:
        flat = self.norm(x).flatten(0, 1)
        return x + self.conv(flat, index.flip(0), arcs).view_as(x)


class Layered(nn.Module):
    """Layers one after another.

    Attributes:
        recomputed: True = in training only what passes between two layers is kept for the backward pass, which makes
            the rest again, with the same dropout (activation checkpointing).
    """

    recomputed = False

    def through(self, layer: Callable[..., Tensor], *inputs: Tensor | None) -> Tensor:
        """What the layer makes of the inputs."""
        if self.recomputed and self.training and torch.is_grad_enabled():
            again: Tensor = checkpoint(layer, *inputs, use_reentrant=False)
            return again
        return layer(*inputs)


def checkpoint_activations(model: nn.Module) -> None:
    """Has every `Layered` part of the model make its activations again in the backward pass."""
    for part in model.modules():
        if isinstance(part, Layered):
            part.recomputed = True


class Stack(Layered):
    """`size.depth` pre-norm transformer blocks, each after a round of messages where `arc_dim` is given (GPS layers,
    Rampasek et al. 2022, arXiv:2205.12454, in sequence rather than in parallel).

    Shapes:
        x (B, N, D); valid (B, N) True = real; index (2, A) into the flattened (B * N); arcs (A, arc_dim) -> (B, N, D)

    In samples of more than MOST_AT_ONCE tokens each attends to those of its run of RUN tokens and to the first token,
    the class token; in every second block the runs begin half a run earlier, so that what one knows reaches the next
    (Liu et al. 2021, arXiv:2103.14030, section 3.2, in one dimension). Faces are in the order of the file, in which
    neighbours mostly follow one another.

    `final_norm` False = answers with the residual stream as the last block leaves it. `every` True = with what enters
    the first block and what each of them makes of it, side by side, each normalised: (B, N, (depth + 1) D).
    """

    def __init__(self, size: SizeParams, arc_dim: int = 0) -> None:
        super().__init__()
        blocks = [Block(size.dim, size.heads, qkv_bias=True, norm_layer=NORM) for _ in range(size.depth)]
        self.blocks = nn.ModuleList(blocks)
        self.messages = nn.ModuleList([Messages(size.dim, arc_dim) for _ in blocks] if arc_dim else [])
        self.norm = NORM(size.dim)

    def forward(
        self,
        x: Tensor,
        valid: Tensor,
        index: Tensor | None = None,
        arcs: Tensor | None = None,
        final_norm: bool = True,
        every: bool = False,
    ) -> Tensor:
        in_runs = x.shape[1] > MOST_AT_ONCE
        mixed = in_runs and bool((valid.sum(1) <= MOST_AT_ONCE).any())
        if mixed or valid.numel() > max(MOST_PADDED, 2 * int(valid.sum())):
            return self._by_length(x, valid, index, arcs, final_norm, every)
        return self.layers(x, valid, index, arcs, final_norm, every)

    def layers(
        self,
        x: Tensor,
        valid: Tensor | None,
        index: Tensor | None = None,
        arcs: Tensor | None = None,
        final_norm: bool = True,
        every: bool = False,
    ) -> Tensor:
        """As `forward`, all samples at once; `valid` None = all tokens are real, at most MOST_AT_ONCE a sample."""
        mask = None if valid is None or bool(valid.all()) else valid[:, None, None, :]
        states = [x]
        for i, block in enumerate(self.blocks):
            if self.messages and index is not None and arcs is not None:
                x = self.through(self.messages[i], x, index, arcs)
            if valid is not None and x.shape[1] > MOST_AT_ONCE:
                x = self.through(partial(_by_runs, block, ahead=(i % 2) * RUN // 2), x, valid)
            else:
                x = self.through(block, x, mask)
            states.append(x)
        if every:
            return torch.cat([*(F.layer_norm(state, state.shape[-1:]) for state in states[:-1]), self.norm(x)], -1)
        return self.norm(x) if final_norm else x

    def _by_length(
        self, x: Tensor, valid: Tensor, index: Tensor | None, arcs: Tensor | None, final_norm: bool, every: bool
    ) -> Tensor:
        """Samples of about one length together, each group without the padding of the others: beside one solid of
        10,000 faces small ones would otherwise cost as much as it does. What is padding becomes zero."""
        length, states = x.shape[1], len(self.blocks) + 1 if every else 1
        out = x.new_zeros(*x.shape[:2], states * x.shape[2])
        for rows in _alike_in_length(valid.sum(1)):
            kept = int(valid[rows].sum(1).max())
            ids = valid[rows].float().argsort(dim=1, descending=True, stable=True)[:, :kept]  # real ones first
            at = rows[:, None], ids
            own_index = own_arcs = None
            if index is not None and arcs is not None:
                place = torch.full((valid.numel(),), -1, device=x.device)
                place[rows[:, None] * length + ids] = torch.arange(ids.numel(), device=x.device).view_as(ids)
                own_index = place[index]
                here = (own_index >= 0).all(0)
                own_index, own_arcs = own_index[:, here], arcs[here]
            out[at] = self(x[at], valid[at], own_index, own_arcs, final_norm, every).to(out)
        return out * valid[..., None]


def _by_runs(block: nn.Module, x: Tensor, valid: Tensor, ahead: int) -> Tensor:
    """The block on each run of tokens by itself, with the class token in all of them: that becomes the mean of what the
    runs make of it, as many times as they have tokens.

    Args:
        ahead: places before the first token that the first run covers as well.

    Shapes: (B, 1 + N, D), (B, 1 + N) True = real -> (B, 1 + N, D)
    """
    batch, length, dim = x.shape
    runs = -(-(length - 1 + ahead) // RUN)
    behind = runs * RUN - (length - 1) - ahead
    real = F.pad(valid[:, 1:], (ahead, behind)).view(batch * runs, RUN)
    tokens = F.pad(x[:, 1:], (0, 0, ahead, behind)).view(batch * runs, RUN, dim)
    sees = F.pad(real, (1, 0), value=True)
    out = block(torch.cat([x[:, :1].repeat_interleave(runs, 0), tokens], 1), attn_mask=sees[:, None, None])
    share = real.sum(1).view(batch, runs, 1) / real.sum(1).view(batch, runs, 1).sum(1, keepdim=True)
    class_token = (out[:, 0].view(batch, runs, dim) * share).sum(1, keepdim=True)
    return torch.cat([class_token, out[:, 1:].reshape(batch, -1, dim)[:, ahead : ahead + length - 1]], 1)


def _alike_in_length(length: Tensor) -> list[Tensor]:
    """The numbers of the samples, in groups of which the longest is at most twice as long as the shortest, and all or
    none attend in runs."""
    groups: list[list[int]] = []
    lengths = length.tolist()
    for i in length.argsort().tolist():
        shortest = lengths[groups[-1][0]] if groups else 0
        if lengths[i] > 2 * shortest or shortest <= MOST_AT_ONCE < lengths[i]:
            groups.append([])
        groups[-1].append(i)
    return [torch.tensor(group, device=length.device) for group in groups]


def init_weights(module: nn.Module) -> None:
    """Xavier-uniform linear layers with zero bias, as in the method's own code; apply with `module.apply`."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
