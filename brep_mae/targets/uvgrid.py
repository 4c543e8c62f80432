"""The UV-grid of hidden faces, each in its own frame."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from brep_mae.datasets.batch import Batch
from brep_mae.models.blocks import init_weights
from brep_mae.schema import INSIDE, NORMAL, POINT, SURFACE_TYPES
from brep_mae.targets.constants import log_odds, log_shares, mean_of
from brep_mae.targets.selection import Selection
from brep_mae.targets.target import Target, Values
from brep_mae.targets.terms import Term
from brep_mae.tokens.symmetry import equal_views, inverse, nearest_view, turned_grid
from brep_mae.tokens.tokens import FACE


class UVGrid(Target):
    """Points, normals and trimming of a face's grid, its size and its surface type.

    Points are centred, turned and divided by one size per face (its rms radius), not per channel: a plane has a
    channel without variance. Five terms: `point` squared error over inside samples; `normal` 1 - cosine over inside
    samples; `inside` binary cross-entropy; `size` squared error of the log size and centre-free extent; `surface`
    cross-entropy of the type. Of a symmetric face the errors are those of the view that fits best.

    Args:
        code_dim: width of a code.
        grid: samples per side.
    """

    terms = ("point", "normal", "inside", "size", "surface")
    kind = FACE
    by_surface = True
    reads = frozenset({"faces", "uvgrid"})

    def __init__(self, code_dim: int, grid: int) -> None:
        super().__init__()
        self.grid = grid
        self.head = nn.Linear(code_dim, grid * grid * 7 + 1 + len(SURFACE_TYPES))
        self.head.apply(init_weights)

    def truth(self, selection: Selection, batch: Batch) -> Values:
        faces, row = batch.faces_with(self.reads), selection.row
        pose = faces.pose.of(row)
        local = pose.local_grid(faces.grid[row])
        return {"grid": local, "turns": pose.turns, "size": pose.size.log(), "surface": faces.surface[row]}

    def predicted(self, codes: Tensor, truth: Values) -> Values:
        grid, size, surface = self.head(codes).split([self.grid**2 * 7, 1, len(SURFACE_TYPES)], 1)
        return {"grid": grid.view(-1, self.grid, self.grid, 7), "size": size[:, 0], "surface": surface}

    def code_free(self, known: Values, asked: Values) -> Values:
        grid, like = known["grid"], asked["grid"]
        inside = grid[..., INSIDE:]
        within = mean_of(grid[..., :INSIDE], like, inside)
        grid = torch.cat([within, log_odds(mean_of(inside, like))], -1)
        surface = log_shares(known["surface"], like, len(SURFACE_TYPES))
        return {"grid": grid, "size": mean_of(known["size"], like), "surface": surface}

    def error(self, predicted: Values, truth: Values) -> dict[str, Term]:
        view = _nearest(predicted["grid"], truth)
        point, normal, inside = _grid_errors(predicted["grid"], turned_grid(truth["grid"], view))
        return {
            "point": Term(point),
            "normal": Term(normal),
            "inside": Term(inside),
            "size": Term((predicted["size"] - truth["size"]).square()),
            "surface": Term(F.cross_entropy(predicted["surface"], truth["surface"], reduction="none")),
        }

    @torch.no_grad()
    def predict(self, selection: Selection, truth: Batch) -> Tensor:
        """UV-grids (M, U, V, 7) in the solid's unit box. Shape, size and trimming are predicted; the true pose puts
        the face where it belongs, since the target does not ask for it."""
        pose = truth.faces_with(self.reads).pose.of(selection.row)
        asked = self.truth(selection, truth)
        predicted = self.predicted(selection.codes, asked)
        grid = predicted["grid"]
        grid = turned_grid(grid, inverse(_nearest(grid, asked), self.grid))
        points = (grid[..., POINT] * predicted["size"].exp()[:, None, None, None]).flatten(1, 2) @ pose.axes
        normals = F.normalize(grid[..., NORMAL], dim=-1).flatten(1, 2) @ pose.axes
        shape = (*grid.shape[:3], 3)
        inside = (grid[..., INSIDE:] > 0).to(grid)
        placed = torch.cat([(points + pose.center[:, None]).view(shape), normals.view(shape), inside], -1)
        return pose.stored(placed)


@torch.no_grad()
def _nearest(predicted: Tensor, truth: Values) -> Tensor:
    """The view of each face that fits what is predicted best. (M, U, V, 7) -> (M,)"""
    which = equal_views(truth["turns"], predicted.shape[1])
    several = (which > 0).any(1).nonzero()[:, 0]
    views = [turned_grid(truth["grid"][several], view) for view in which[several].unbind(1)]
    different = torch.stack([_grid_errors(predicted[several], view).sum(0) for view in views], 1)
    errors = different.new_zeros(which.shape)
    errors[several] = different
    return nearest_view(errors, which)


def _grid_errors(predicted: Tensor, grid: Tensor) -> Tensor:
    """Of points, normals and trimming. Shapes: (M, U, V, 7) twice -> (3, M)"""
    inside = grid[..., INSIDE]
    share = inside / inside.sum((1, 2), keepdim=True).clamp(min=1)
    point = (predicted[..., POINT] - grid[..., POINT]).square().mean(-1)
    normal = 1 - F.cosine_similarity(predicted[..., NORMAL], grid[..., NORMAL], dim=-1)
    trimming = F.binary_cross_entropy_with_logits(predicted[..., INSIDE], inside, reduction="none")
    return torch.stack([(share * point).sum((1, 2)), (share * normal).sum((1, 2)), trimming.mean((1, 2))])
