"""Faces as tokens from topology and analytic parameters alone: no sample of a face, no extent, no neighbouring face."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch_geometric.nn import GeneralConv
from torch_geometric.utils import to_dense_batch

from brep_mae.datasets.batch import WHERE_DIM, Analytic, Batch
from brep_mae.schema import ARRAYS
from brep_mae.tokens.tokens import FACE, Tokens

FAR = 5.0
"""Longest coordinate or radius that is told apart, in half sides of the box; the paper leaves such parts out."""

MOST_MESSAGES = 1 << 11
"""Messages made at a time, or those of one receiver where that has more; of four times as many the tables are so large
that their memory goes back to the system each time."""


def _width(array: str) -> int:
    return int(ARRAYS[array][1][1])


def gathered(conv: GeneralConv, sender: Tensor, receiver: Tensor, index: Tensor, kind: Tensor) -> Tensor:
    """The convolution of a bipartite graph, some receivers at a time: a message is as wide as all heads together, and
    a large solid has tens of thousands. Shapes: (S, D), (R, E), index (2, M) sender and receiver, (M, 1) -> (R, dim)"""
    part = torch.bincount(index[1], minlength=len(receiver)).cumsum(0) // MOST_MESSAGES
    ends = [0, *torch.bincount(part).cumsum(0).tolist()]
    found = []
    for low, high in pairwise(sorted(set(ends))):
        here = (index[1] >= low) & (index[1] < high)
        own = index[:, here] - index.new_tensor([[0], [low]])
        found.append(conv((sender, receiver[low:high]), own, kind[here]))
    return torch.cat(found) if found else conv((sender, receiver), index, kind)


class AnalyticTokens(nn.Module):
    """One token a face, of its own parameters, those of its edges and those of their vertices.

    Jones et al. 2023, arXiv:2210.10807: an attention convolution from vertices to edges, which is told whether the
    edge begins at the vertex, and one from edges to faces, which is told the orientation. Each adds a linear map of the
    receiver's own parameters. How far a face extends must be inferred from its edges and vertices. Faces exchange
    nothing: what two of them share is the edges between them.

    Args:
        dim: width of a token (64 in the paper).
        edge_heads, face_heads: attention heads of the two convolutions (2 and 16).

    Shapes:
        Batch.faces with F faces of B solids -> Tokens (B, N, dim) without arcs, N = most faces of a solid

    Invariant to translation and scale of the solid, not to rotation. A face of a surface without closed form is
    told by its edges.
    """

    reads = frozenset({"faces", "analytic", "walks"})

    def __init__(self, dim: int, edge_heads: int, face_heads: int) -> None:
        super().__init__()
        face, edge, vertex = (_width(k) for k in ("face_params_unit", "edge_params_unit", "vertex_unit"))
        self.to_edge = GeneralConv((vertex, edge), dim, 1, attention=True, heads=edge_heads)
        self.to_face = GeneralConv((dim, face), dim, 1, attention=True, heads=face_heads)
        self.where_dim = WHERE_DIM

    def codes(self, a: Analytic) -> Tensor:
        """Shapes: parameters of F faces -> (F, dim)"""
        face, edge, vertex = (x.clamp(-FAR, FAR) for x in (a.face, a.edge, a.vertex))
        edge = gathered(self.to_edge, vertex, edge, a.vertex_edge, a.start[:, None].to(vertex))
        return gathered(self.to_face, edge, face, a.edge_face, a.forward[:, None].to(face))

    def forward(self, batch: Batch) -> Tokens:
        faces = batch.faces_with(self.reads)
        x, valid = to_dense_batch(self.codes(faces.analytic), faces.solid, batch_size=faces.n_solids)
        where, _ = to_dense_batch(faces.where, faces.solid, batch_size=faces.n_solids)
        return Tokens(x, where, valid, torch.full((x.shape[1],), FACE, device=x.device))
