"""Faces as tokens: every face is embedded by itself, before anything is hidden, so that nothing leaks between faces."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch_geometric.utils import to_dense_batch

from brep_mae.datasets.batch import ARC_KIND_DIM, WHERE_DIM, Batch, Faces
from brep_mae.schema import INSIDE, POINT, SURFACE_TYPES, TANGENT
from brep_mae.tokens.tokens import FACE, Arcs, Tokens

FACE_SCALARS = 4
ARC_POSE = 7


def face_content(faces: Faces) -> Tensor:
    """What a face is, whatever its place: its UV-grid in its own frame, surface type and sizes. (F, U*V*7 + ...)"""
    pose, grid = faces.pose, faces.pose.local_grid(faces.grid)
    inside = grid[..., INSIDE:]
    surface = F.one_hot(faces.surface, len(SURFACE_TYPES)).to(grid)
    scalars = torch.cat([faces.scalars, pose.size.log()[:, None], inside.mean((1, 2))], 1)
    return torch.cat([grid.flatten(1), surface, scalars], 1)


def arc_content(faces: Faces) -> Tensor:
    """What lies between two faces, as seen from the source: the U-grid, the angle, and the pose of the other face.

    Directions are folded, since a symmetric source has several frames that are equally right.
    """
    pose, (i, j) = faces.pose, faces.arc_index
    along = torch.stack([pose.local(faces.arc_grid[..., POINT], i), pose.turn(faces.arc_grid[..., TANGENT], i)], 2)
    center, normal = pose.local(pose.center[j][:, None], i), pose.turn(pose.axes[j, 2][:, None], i)
    beyond = torch.cat([center, normal], 1)
    grid, other = pose.folded(along, i).flatten(2), pose.folded(beyond, i).flatten(1)
    ratio = (pose.size[j] / pose.size[i]).log()[:, None]
    # Faces far apart in units of a tiny source would otherwise dominate the layer that reads them.
    other, grid = (x.sign() * x.abs().log1p() for x in (other, grid))
    return torch.cat([grid.flatten(1), other, ratio, faces.arc_kind, faces.arc_scalars], 1)


def per_solid(faces: Faces, x: Tensor, arc_x: Tensor) -> Tokens:
    """Embedded faces x (F, D) and arcs arc_x (A, D) as the tokens of their solids."""
    x, valid = to_dense_batch(x, faces.solid, batch_size=faces.n_solids)
    where, _ = to_dense_batch(faces.where, faces.solid, batch_size=faces.n_solids)
    position = valid.flatten().nonzero().squeeze(1)
    kind = torch.full((x.shape[1],), FACE, device=x.device)
    return Tokens(x, where, valid, kind, Arcs(position[faces.arc_index], arc_x, faces.arc_kind))


class FaceTokens(nn.Module):
    """One token a face, one embedded arc a coedge.

    Args:
        grid: samples per side of a UV-grid.
        dim: width of a token.

    Shapes:
        Batch.faces with F faces of B solids -> Tokens (B, N, dim), N = most faces of a solid

    Inputs are invariant to rigid motion of the solid and, in all but the log sizes, to its scale.
    Raises ValueError for faces with grids of another size.
    """

    reads = frozenset({"faces", "uvgrid", "arcs", "ugrid", "walks"})

    def __init__(self, grid: int, dim: int) -> None:
        super().__init__()
        self.grid = grid
        width = grid * grid * 7 + len(SURFACE_TYPES) + FACE_SCALARS
        arc_width = grid * 6 + ARC_POSE + ARC_KIND_DIM + 3
        self.embed = nn.Sequential(nn.Linear(width, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))
        self.embed_arc = nn.Sequential(nn.Linear(arc_width, dim), nn.GELU(), nn.Linear(dim, dim))
        self.where_dim = WHERE_DIM

    def forward(self, batch: Batch) -> Tokens:
        faces = batch.faces_with(self.reads)
        if (stored := faces.grid.shape[1]) != self.grid:
            raise ValueError(
                f"grids of {stored} samples a side, the network reads {self.grid}: parse again with --grid {self.grid}"
            )
        return per_solid(faces, self.embed(face_content(faces)), self.embed_arc(arc_content(faces)))
