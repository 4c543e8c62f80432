"""The hybrid implicit/explicit surface of faces, hidden or seen (Jones et al. 2023, arXiv:2210.10807)."""

import torch
from torch import Tensor

from brep_mae.datasets.batch import Batch
from brep_mae.models.surface import SurfaceHead
from brep_mae.schema import FIELD_DISTANCE, FIELD_POINT, FIELD_UV, POINT
from brep_mae.targets.selection import Selection
from brep_mae.targets.target import Target
from brep_mae.targets.terms import Term
from brep_mae.targets.uvgrid import pose_at
from brep_mae.tokens.tokens import FACE


class Surface(Target):
    """Position and signed trimming distance at sampled uv, and at the points of the UV-grid.

    Terms: `explicit` squared error of the position at the field samples, in the face's own frame; `implicit` squared
    error of the signed distance (inside negative, in units of the uv box); `grid` squared error of the position at
    the UV-grid's points, whose uv is known. Differs from the paper: points are told in the face's own frame instead
    of the solid's, since the encoder is invariant to rigid motion. A face without a trimming distance (nothing of
    its box lies outside it) counts in `explicit` only.

    Args:
        code_dim: width of a code.
        hidden, depth: of the head.
        queries: field samples, and as many points of the grid, asked of each face per step.
    """

    terms: tuple[str, ...] = ("explicit", "implicit", "grid")
    kind = FACE
    reads = frozenset({"faces", "uvgrid", "field"})

    def __init__(self, code_dim: int, hidden: int, depth: int, queries: int) -> None:
        super().__init__()
        self.head = SurfaceHead(code_dim, hidden, depth)
        self.queries = queries

    @staticmethod
    def _grid_uv(n: int, like: Tensor) -> Tensor:
        t = torch.linspace(0, 1, n, device=like.device, dtype=like.dtype)
        return torch.stack(torch.meshgrid(t, t, indexing="ij"), -1).view(1, -1, 2)

    def forward(self, selection: Selection, truth: Batch, rng: torch.Generator) -> dict[str, Term]:
        faces, row, codes = truth.faces_with(self.reads), selection.row, selection.codes
        pose, uv_of_grid = pose_at(faces, row), self._grid_uv(faces.grid.shape[1], codes)
        drawn = self._draw(faces.field.shape[1], rng, codes)
        drawn_grid = self._draw(uv_of_grid.shape[1], rng, codes)
        field = faces.field[row][:, drawn]
        points = faces.grid[row][..., POINT].flatten(1, 2)[:, drawn_grid]
        uv = torch.cat([field[..., FIELD_UV], uv_of_grid[:, drawn_grid].expand(len(row), -1, -1)], 1)
        out = self.head(codes, uv)
        at_field, at_grid = out[:, : len(drawn)], out[:, len(drawn) :]
        explicit = (at_field[..., :3] - pose.local(field[..., FIELD_POINT])).square().mean((1, 2))
        implicit = (at_field[..., 3] - field[..., FIELD_DISTANCE]).square().mean(1)
        on_grid = (at_grid[..., :3] - pose.local(points)).square().mean((1, 2))
        return {
            "explicit": Term(explicit),
            "implicit": Term(implicit, faces.bounded[row]),
            "grid": Term(on_grid),
        }

    def _at_grid(self, codes: Tensor, n: int) -> Tensor:
        """What the head says at n x n points of every face: (M, D) -> (M, n * n, 4)"""
        return self.head(codes, self._grid_uv(n, codes).expand(len(codes), -1, -1))

    def _draw(self, stored: int, rng: torch.Generator, like: Tensor) -> Tensor:
        return torch.randperm(stored, generator=rng)[: self.queries].to(like.device)

    @torch.no_grad()
    def predict(self, selection: Selection, truth: Batch) -> Tensor:
        """UV-grids (M, U, V, 7) in the solid's unit box, trimming from the sign of the distance; normals are zero.
        The true pose and size put the face where it belongs."""
        faces = truth.faces_with(self.reads)
        pose, n = pose_at(faces, selection.row), faces.grid.shape[1]
        out = self._at_grid(selection.codes, n)
        points = (out[..., :3] * pose.size[:, None, None]) @ pose.axes + pose.center[:, None]
        grid = torch.cat([points, torch.zeros_like(points), (out[..., 3:] < 0).to(points)], -1)
        return grid.view(-1, n, n, 7)


class PlacedSurface(Surface):
    """The paper's own target: position in the solid's unit box and signed trimming distance, of the faces seen.

    Terms: `explicit` squared error of the position at the field samples; `implicit` squared error of the signed
    distance. For an encoder that reads where a face's surface lies, but neither its extent nor a single point of it.
    A face without a trimming distance counts in `explicit` only.
    """

    terms = ("explicit", "implicit")
    on = "seen"

    def forward(self, selection: Selection, truth: Batch, rng: torch.Generator) -> dict[str, Term]:
        faces, row, codes = truth.faces_with(self.reads), selection.row, selection.codes
        field = faces.field[row][:, self._draw(faces.field.shape[1], rng, codes)]
        out = self.head(codes, field[..., FIELD_UV])
        explicit = (out[..., :3] - field[..., FIELD_POINT]).square().mean((1, 2))
        implicit = (out[..., 3] - field[..., FIELD_DISTANCE]).square().mean(1)
        return {"explicit": Term(explicit), "implicit": Term(implicit, faces.bounded[row])}

    @torch.no_grad()
    def predict(self, selection: Selection, truth: Batch) -> Tensor:
        """UV-grids (M, U, V, 7) in the solid's unit box, trimming from the sign of the distance; normals are zero.
        Nothing of the true face enters."""
        n = truth.faces_with(self.reads).grid.shape[1]
        out = self._at_grid(selection.codes, n)
        inside = (out[..., 3:] < 0).to(out)
        return torch.cat([out[..., :3], torch.zeros_like(out[..., :3]), inside], -1).view(-1, n, n, 7)
