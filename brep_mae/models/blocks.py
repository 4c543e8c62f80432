"""The stack of transformer blocks that encoders and decoders share; with arcs, each block passes messages first."""

from functools import partial

from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch_geometric.nn import GINEConv

from brep_mae.settings import SizeParams

EPS = 1e-6
"""LayerNorm's epsilon in the method's own code."""

NORM = partial(nn.LayerNorm, eps=EPS)


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


class Stack(nn.Module):
    """`size.depth` pre-norm transformer blocks, each after a round of messages where `arc_dim` is given (GPS layers,
    Rampasek et al. 2022, arXiv:2205.12454, in sequence rather than in parallel).

    Shapes:
        x (B, N, D); valid (B, N) True = real; index (2, A) into the flattened (B * N); arcs (A, arc_dim) -> (B, N, D)

    `final_norm` False = answers with the residual stream as the last block leaves it.
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
    ) -> Tensor:
        mask = None if bool(valid.all()) else valid[:, None, None, :]
        for i, block in enumerate(self.blocks):
            if self.messages and index is not None and arcs is not None:
                x = self.messages[i](x, index, arcs)
            x = block(x, attn_mask=mask)
        return self.norm(x) if final_norm else x


def init_weights(module: nn.Module) -> None:
    """Xavier-uniform linear layers with zero bias, as in the method's own code; apply with `module.apply`."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
