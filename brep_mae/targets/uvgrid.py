"""The UV-grid of hidden faces, each in its own frame."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from brep_mae.datasets.batch import Batch, Faces
from brep_mae.models.blocks import init_weights
from brep_mae.schema import INSIDE, NORMAL, POINT, SURFACE_TYPES
from brep_mae.targets.selection import Selection
from brep_mae.targets.target import Target
from brep_mae.targets.terms import Term
from brep_mae.tokens.pose import Pose, pose_of
from brep_mae.tokens.tokens import FACE


def pose_at(faces: Faces, row: Tensor) -> Pose:
    return pose_of(faces.grid[row])


class UVGrid(Target):
    """Points, normals and trimming of a face's grid, its size and its surface type.

    Points are centred, turned and divided by one size per face (its rms radius), not per channel: a plane has a
    channel without variance. Five terms: `point` squared error over inside samples; `normal` 1 - cosine over inside
    samples; `inside` binary cross-entropy; `size` squared error of the log size and centre-free extent; `surface`
    cross-entropy of the type.

    Args:
        code_dim: width of a code.
        grid: samples per side.
    """

    terms = ("point", "normal", "inside", "size", "surface")
    kind = FACE
    reads = frozenset({"faces", "uvgrid"})

    def __init__(self, code_dim: int, grid: int) -> None:
        super().__init__()
        self.grid = grid
        self.head = nn.Linear(code_dim, grid * grid * 7 + 1 + len(SURFACE_TYPES))
        self.head.apply(init_weights)

    def _split(self, codes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        grid, size, surface = self.head(codes).split([self.grid**2 * 7, 1, len(SURFACE_TYPES)], 1)
        return grid.view(-1, self.grid, self.grid, 7), size[:, 0], surface

    def forward(self, selection: Selection, truth: Batch, rng: torch.Generator) -> dict[str, Term]:
        faces, row = truth.faces_with(self.reads), selection.row
        grid, size, surface = self._split(selection.codes)
        pose, true_grid = pose_at(faces, row), faces.grid[row]
        inside = true_grid[..., INSIDE]
        share = inside / inside.sum((1, 2), keepdim=True).clamp(min=1)
        point = (grid[..., POINT] - pose.local(true_grid[..., POINT])).square().mean(-1)
        normal = 1 - F.cosine_similarity(grid[..., NORMAL], pose.turn(true_grid[..., NORMAL]), dim=-1)
        trimming = F.binary_cross_entropy_with_logits(grid[..., INSIDE], inside, reduction="none")
        return {
            "point": Term((share * point).sum((1, 2))),
            "normal": Term((share * normal).sum((1, 2))),
            "inside": Term(trimming.mean((1, 2))),
            "size": Term((size - pose.size.log()).square()),
            "surface": Term(F.cross_entropy(surface, faces.surface[row], reduction="none")),
        }

    @torch.no_grad()
    def predict(self, selection: Selection, truth: Batch) -> Tensor:
        """UV-grids (M, U, V, 7) in the solid's unit box. Shape, size and trimming are predicted; the true pose puts
        the face where it belongs, since the target does not ask for it."""
        grid, size, _ = self._split(selection.codes)
        pose = pose_at(truth.faces_with(self.reads), selection.row)
        points = (grid[..., POINT] * size.exp()[:, None, None, None]).flatten(1, 2) @ pose.axes
        normals = F.normalize(grid[..., NORMAL], dim=-1).flatten(1, 2) @ pose.axes
        shape = (*grid.shape[:3], 3)
        inside = (grid[..., INSIDE:] > 0).to(grid)
        return torch.cat([(points + pose.center[:, None]).view(shape), normals.view(shape), inside], -1)
