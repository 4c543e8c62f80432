"""Faces and patches of the same solid as one sequence, with a learned vector that tells which is which."""

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from brep_mae.datasets.batch import ARC_KIND_DIM, WHERE_DIM, Batch, Frames
from brep_mae.tokens.faces import FaceTokens
from brep_mae.tokens.patches import PatchTokens, sine_cosine
from brep_mae.tokens.tokens import FACE, KINDS, PATCH, Arcs, Tokens

JOINT_WHERE_DIM = 1 + WHERE_DIM + 2
"""Columns of Tokens.where: kind, place in the face graph, row and column; those of the other kind are 0."""


class JointPosition(nn.Module):
    """Where a hidden token is and of what kind: per-kind position plus a learned type vector.

    Geng et al. 2022, arXiv:2205.14204, section 3; the reference gives the decoder types of its own.

    Shapes: (..., JOINT_WHERE_DIM) -> (..., dim)
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.graph = nn.Linear(WHERE_DIM, dim)
        self.type_token = nn.Parameter(torch.zeros(len(KINDS), dim))
        nn.init.normal_(self.type_token, std=0.02)

    def forward(self, where: Tensor) -> Tensor:
        kind, face, patch = where.split([1, WHERE_DIM, 2], -1)
        kind = kind.long()
        place = torch.where(kind == PATCH, sine_cosine(patch, self.dim), self.graph(face))
        return place + self.type_token[kind[..., 0]]


class JointTokens(nn.Module):
    """One sample a solid: its faces, then the patches of its first frame.

    Every part is embedded by itself before anything is hidden. A batch without frames gives faces only, one without
    faces gives patches only; all samples of a batch have the same kinds.

    Args:
        grid: samples per side of a UV-grid.
        image: height and width of a frame in pixels; a multiple of `patch`.
        patch: side of a patch in pixels.
        dim: width of a token.

    Shapes:
        Batch of B solids -> Tokens (B, N + P, dim), N = most faces of a solid, P = (image / patch)^2
    """

    reads = FaceTokens.reads | PatchTokens.reads

    def __init__(self, grid: int, image: int, patch: int, dim: int) -> None:
        super().__init__()
        self.faces = FaceTokens(grid, dim)
        self.patches = PatchTokens(image, patch, dim)
        self.type_token = nn.Parameter(torch.zeros(len(KINDS), dim))
        nn.init.normal_(self.type_token, std=0.02)

    def forward(self, batch: Batch) -> Tokens:
        parts: list[Tokens] = []
        if batch.faces is not None:
            tokens = self.faces(batch)
            parts.append(replace(tokens, where=F.pad(tokens.where, (0, 2))))
        if batch.frames is not None:
            first = Frames(batch.frames.image[:, :1], batch.frames.face[:, :1])
            tokens = self.patches(replace(batch, frames=first))
            parts.append(replace(tokens, where=F.pad(tokens.where, (WHERE_DIM, 0))))
        if not parts:
            raise ValueError("joint tokens need a batch with faces, frames or both")
        if len({len(part.x) for part in parts}) > 1:
            raise ValueError(f"{len(parts[0].x)} solids with faces but {len(parts[1].x)} with frames in one batch")
        x, where, valid = (torch.cat([getattr(p, name) for p in parts], 1) for name in ("x", "where", "valid"))
        kind = torch.cat([p.kind for p in parts])
        kind_column = kind.to(where)[None, :, None].expand(len(x), -1, 1)
        # Without faces there are no arcs, but layers that pass messages must still treat patches as they always do.
        arcs = self._arcs(parts[0], x.shape[1]) if batch.faces is not None else no_arcs(x)
        return Tokens(x + self.type_token[kind], torch.cat([kind_column, where], -1), valid, kind, arcs)

    @staticmethod
    def _arcs(faces: Tokens, length: int) -> Arcs:
        """The arcs of the faces, whose rows are now `length` tokens long."""
        assert faces.arcs is not None and int(faces.kind[0]) == FACE
        own = faces.x.shape[1]
        return replace(faces.arcs, index=faces.arcs.index // own * length + faces.arcs.index % own)


def no_arcs(x: Tensor) -> Arcs:
    """Zero arcs for tokens x (B, N, D)."""
    index = torch.zeros(2, 0, dtype=torch.long, device=x.device)
    return Arcs(index, x.new_zeros(0, x.shape[-1]), x.new_zeros(0, ARC_KIND_DIM))
