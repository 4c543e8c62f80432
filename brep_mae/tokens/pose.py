"""A face's own reference frame, so that its shape can be told without saying where or how it lies."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from brep_mae.schema import NORMAL, POINT


@dataclass(frozen=True)
class Pose:
    """axes (F, 3, 3), rows: u direction, n x u, mean outward normal n; center (F, 3), size (F,) = rms radius, unit."""

    axes: Tensor
    center: Tensor
    size: Tensor

    def local(self, points: Tensor, rows: Tensor | slice = slice(None)) -> Tensor:
        """Points (M, ..., 3) in the frame of faces `rows`, divided by the face's size."""
        center, size = self.center[rows], self.size[rows]
        shape = (len(center),) + (1,) * (points.dim() - 2)
        return self.turn(points - center.view(*shape, 3), rows) / size.view(*shape, 1)

    def turn(self, vectors: Tensor, rows: Tensor | slice = slice(None)) -> Tensor:
        """Vectors (M, ..., 3) in the axes of faces `rows`."""
        axes = self.axes[rows]
        # The number is spelt out: none of zero vectors is -1 of anything.
        flat = vectors.reshape(len(axes), math.prod(vectors.shape[1:-1]), 3) @ axes.transpose(1, 2)
        return flat.view(vectors.shape)


def pose_of(grid: Tensor) -> Pose:
    """Pose of each face from its own UV-grid alone. Shapes: (F, U, V, 7) -> F poses.

    All samples of the parameter box count, inside or not: a thin ring may have a single sample inside, and no size.
    Where the mean normal vanishes (a full cylinder, a sphere) the mean chord along v takes its place: it is the axis.
    """
    points, normals = grid[..., POINT], grid[..., NORMAL]
    center = points.mean((1, 2))
    size = (points - center[:, None, None]).square().sum(-1).mean((1, 2)).sqrt().clamp(min=1e-4)

    normal = normals.mean((1, 2))
    along_v = (points[:, :, -1] - points[:, :, 0]).mean(1)
    along_u = (points[:, 1:] - points[:, :-1])[:, 0].mean(1)
    n = F.normalize(torch.where(normal.norm(dim=1, keepdim=True) > 0.05, normal, along_v), dim=1, eps=1e-9)
    u = along_u - (along_u * n).sum(1, keepdim=True) * n
    spare = torch.eye(3, device=n.device, dtype=n.dtype)[n.abs().argmin(1)]
    spare = spare - (spare * n).sum(1, keepdim=True) * n
    u = F.normalize(torch.where(u.norm(dim=1, keepdim=True) > 1e-6, u, spare), dim=1)
    return Pose(torch.stack([u, torch.linalg.cross(n, u), n], 1), center, size)
