"""The hybrid implicit/explicit surface of faces, hidden or seen (Jones et al. 2023, arXiv:2210.10807)."""

import torch
from torch import Tensor

from brep_mae.datasets.batch import Batch
from brep_mae.models.surface import SurfaceHead
from brep_mae.schema import FIELD_DISTANCE, FIELD_POINT, FIELD_UV, POINT
from brep_mae.targets.constants import mean_of, quadratic
from brep_mae.targets.selection import Selection
from brep_mae.targets.target import Target, Values
from brep_mae.targets.terms import Term
from brep_mae.tokens.symmetry import equal_views, nearest_view, turned_grid, turned_uv, turned_vectors
from brep_mae.tokens.tokens import FACE

MOST_FACES = 1 << 7
"""Faces whose views are compared at a time: a cylinder has as many views as its grid has columns."""


class Surface(Target):
    """Position and signed trimming distance at the stored field samples, and position at the points of the UV-grid.

    Terms: `explicit` squared error of the position at the field samples, in the face's own frame; `implicit` squared
    error of the signed distance (inside negative, in units of the uv box); `grid` squared error of the position at
    the UV-grid's points, whose uv is known. Of a symmetric face the errors are those of the view whose grid fits best.
    Differs from the paper: points are told in the face's own frame instead of the solid's, since the encoder is
    invariant to rigid motion. A face without a trimming distance (nothing of its box lies outside it) counts in
    `explicit` and `grid` only. The predictor without a code is a quadratic function of (u, v).

    Args:
        code_dim: width of a code.
        hidden, depth: of the head.
    """

    terms: tuple[str, ...] = ("explicit", "implicit", "grid")
    kind = FACE
    by_surface = True
    reads = frozenset({"faces", "uvgrid", "field"})

    def __init__(self, code_dim: int, hidden: int, depth: int) -> None:
        super().__init__()
        self.head = SurfaceHead(code_dim, hidden, depth)

    def truth(self, selection: Selection, batch: Batch) -> Values:
        faces, row = batch.faces_with(self.reads), selection.row
        pose, field, grid = faces.pose.of(row), faces.field[row], faces.grid[row]
        local = pose.local_grid(grid)
        uv = pose.laid_out_uv(field[..., FIELD_UV])
        point, distance = pose.local(field[..., FIELD_POINT]), field[..., FIELD_DISTANCE]
        bounded = faces.bounded[row]
        return {"uv": uv, "point": point, "distance": distance, "bounded": bounded, "grid": local, "turns": pose.turns}

    def predicted(self, codes: Tensor, truth: Values) -> Values:
        """The head is asked at the places where the truth lies in the view that it is nearest to."""
        view, side = self._nearest(codes, truth), truth["grid"].shape[1]
        places = torch.cat([turned_uv(truth["uv"], view, side), grid_uv(side, codes)], 1)
        at_field, at_grid = self.head(codes, places).split([truth["uv"].shape[1], side * side], 1)
        return _prediction(at_field, at_grid, view)

    @torch.no_grad()
    def _nearest(self, codes: Tensor, truth: Values) -> Tensor:
        """Of each face the view in which all terms together have the least error. (M,)

        The head says the same of the grid in all views of a face, which differ in what they compare it with."""
        side = truth["grid"].shape[1]
        which = equal_views(truth["turns"], side)
        errors = torch.full_like(which, torch.inf, dtype=truth["grid"].dtype)
        several = (which > 0).any(1).nonzero()[:, 0]
        for own in several.split(MOST_FACES):
            asked, code = {name: values[own] for name, values in truth.items()}, codes[own]
            at_grid = self.head(code, grid_uv(side, code))
            different = which[own] > 0
            different[:, 0] = True
            row, column = different.nonzero(as_tuple=True)
            view = which[own[row], column]
            asked = {name: values[row] for name, values in asked.items()}
            at_field = self.head(code[row], turned_uv(asked["uv"], view, side))
            terms = self.error(_prediction(at_field, at_grid[row], view), asked).values()
            every = [term.error if term.counts is None else term.error * term.counts for term in terms]
            errors[own[row], column] = torch.stack(every).sum(0)
        return nearest_view(errors, which)

    def code_free(self, known: Values, asked: Values) -> Values:
        values = torch.cat([known["point"], known["distance"][..., None]], -1)
        at_field = quadratic(known["uv"], values, asked["uv"])
        grid = mean_of(known["grid"][..., POINT].flatten(1, 2), asked["grid"])
        return _prediction(at_field, grid, torch.zeros(len(grid), dtype=torch.long, device=grid.device))

    def error(self, predicted: Values, truth: Values) -> dict[str, Term]:
        view, side = predicted["view"], truth["grid"].shape[1]
        grid = turned_grid(truth["grid"], view)[..., POINT].flatten(1, 2)
        point = turned_vectors(truth["point"], view, side)
        return {
            "explicit": Term((predicted["point"] - point).square().mean((1, 2))),
            "implicit": Term((predicted["distance"] - truth["distance"]).square().mean(1), truth["bounded"]),
            "grid": Term((predicted["grid"] - grid).square().mean((1, 2))),
        }

    @torch.no_grad()
    def predict(self, selection: Selection, truth: Batch) -> Tensor:
        """UV-grids (M, U, V, 7) in the solid's unit box, trimming from the sign of the distance; normals are zero.
        The true pose and size put the face where it belongs; of a symmetric face the view is the first."""
        faces = truth.faces_with(self.reads)
        pose, side = faces.pose.of(selection.row), faces.grid.shape[1]
        out = self.head(selection.codes, grid_uv(side, selection.codes))
        points = (out[..., :3] * pose.size[:, None, None]) @ pose.axes + pose.center[:, None]
        return pose.stored(_as_grid(points, out[..., 3:], side))


class PlacedSurface(Target):
    """The paper's own target: position in the solid's unit box and signed trimming distance, of the faces seen.

    Terms: `explicit` squared error of the position at the field samples; `implicit` squared error of the signed
    distance. For an encoder that reads where a face's surface lies, but neither its extent nor a single point of it.
    A face without a trimming distance counts in `explicit` only. The predictor without a code is a quadratic function
    of (u, v).

    Args: see Surface.
    """

    terms = ("explicit", "implicit")
    kind = FACE
    on = "seen"
    reads = frozenset({"faces", "uvgrid", "field"})

    def __init__(self, code_dim: int, hidden: int, depth: int) -> None:
        super().__init__()
        self.head = SurfaceHead(code_dim, hidden, depth)

    def truth(self, selection: Selection, batch: Batch) -> Values:
        faces, row = batch.faces_with(self.reads), selection.row
        field = faces.field[row]
        point, distance = field[..., FIELD_POINT], field[..., FIELD_DISTANCE]
        return {"uv": field[..., FIELD_UV], "point": point, "distance": distance, "bounded": faces.bounded[row]}

    def predicted(self, codes: Tensor, truth: Values) -> Values:
        out = self.head(codes, truth["uv"])
        return {"point": out[..., :3], "distance": out[..., 3]}

    def code_free(self, known: Values, asked: Values) -> Values:
        values = torch.cat([known["point"], known["distance"][..., None]], -1)
        at_field = quadratic(known["uv"], values, asked["uv"])
        return {"point": at_field[..., :3], "distance": at_field[..., 3]}

    def error(self, predicted: Values, truth: Values) -> dict[str, Term]:
        return {
            "explicit": Term((predicted["point"] - truth["point"]).square().mean((1, 2))),
            "implicit": Term((predicted["distance"] - truth["distance"]).square().mean(1), truth["bounded"]),
        }

    @torch.no_grad()
    def predict(self, selection: Selection, truth: Batch) -> Tensor:
        """UV-grids (M, U, V, 7) in the solid's unit box, trimming from the sign of the distance; normals are zero.
        Nothing of the true face enters but the number of samples."""
        side = truth.faces_with(self.reads).grid.shape[1]
        out = self.head(selection.codes, grid_uv(side, selection.codes))
        return _as_grid(out[..., :3], out[..., 3:], side)


def grid_uv(side: int, codes: Tensor) -> Tensor:
    """Where the samples of a UV-grid lie, for every code: (M, D) -> (M, side^2, 2)"""
    t = torch.linspace(0, 1, side, device=codes.device, dtype=codes.dtype)
    uv = torch.stack(torch.meshgrid(t, t, indexing="ij"), -1).view(1, -1, 2)
    return uv.expand(len(codes), -1, -1)


def _prediction(at_field: Tensor, at_grid: Tensor, view: Tensor) -> Values:
    """What the head says at the field samples and at those of the grid, of faces in these views."""
    return {"grid": at_grid[..., :3], "point": at_field[..., :3], "distance": at_field[..., 3], "view": view}


def _as_grid(points: Tensor, distance: Tensor, side: int) -> Tensor:
    grid = torch.cat([points, torch.zeros_like(points), (distance < 0).to(points)], -1)
    return grid.view(-1, side, side, 7)
