"""Faces as tokens of scalars alone, which do not change when the solid is turned, moved, scaled or mirrored."""

from torch import nn

from brep_mae.datasets.batch import WHERE_DIM, Batch
from brep_mae.features.invariants import ARC_DIM, FACE_DIM
from brep_mae.tokens.faces import per_solid
from brep_mae.tokens.tokens import Tokens


class InvariantTokens(nn.Module):
    """One token a face, one embedded arc a coedge, both from the scalars of features/invariants.py.

    Args:
        dim: width of a token.

    Shapes:
        Batch.faces with F faces of B solids -> Tokens (B, N, dim), N = most faces of a solid
    """

    reads = frozenset({"faces", "invariants", "arcs", "walks"})

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(FACE_DIM, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))
        self.embed_arc = nn.Sequential(nn.Linear(ARC_DIM, dim), nn.GELU(), nn.Linear(dim, dim))
        self.where_dim = WHERE_DIM

    def forward(self, batch: Batch) -> Tokens:
        faces = batch.faces_with(self.reads)
        return per_solid(faces, self.embed(faces.invariant), self.embed_arc(faces.arc_invariant))
