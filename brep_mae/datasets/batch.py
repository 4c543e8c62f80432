"""Face graphs and frames of several solids, concatenated into tensors.

Nothing is padded here: faces and arcs of all solids lie one after the other, and `solid` says whose they are.
Lengths are rescaled by the solid's own box (`_unit`: the longest side spans [-1, 1]), the only quantity shared by
all faces of a solid, hidden ones included.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from brep_mae import schema

WALK_STEPS = 8
"""Length of the random walks whose return probabilities tell where in the graph a face sits."""

WHERE_DIM = WALK_STEPS + 1
ARC_KIND_DIM = len(schema.CONVEXITY) + len(schema.CURVE_TYPES)


@dataclass(frozen=True)
class Faces:
    """Faces of B solids. Axes: F faces, A arcs, U, V grid samples, S field samples.

    grid (F, U, V, 7) point (unit), outward normal, inside 0/1; surface (F,) index in SURFACE_TYPES;
    scalars (F, 2) log area (unit^2), number of loops; solid (F,) index into the batch; where (F, WHERE_DIM) place in
    the graph, free of geometry; arc_index (2, A) into the F faces; arc_grid (A, U, 6) point (unit), tangent;
    arc_kind (A, ARC_KIND_DIM) one-hot convexity and curve type; arc_scalars (A, 3) cos and sin of the signed dihedral
    angle, log length (unit); field (F, S, 6) uv, point (unit), signed distance; bounded (F,) True = the face has a
    trimming distance; label (F,) and part (B,) long, UNLABELLED where unknown.
    """

    grid: Tensor
    surface: Tensor
    scalars: Tensor
    solid: Tensor
    where: Tensor
    arc_index: Tensor
    arc_grid: Tensor
    arc_kind: Tensor
    arc_scalars: Tensor
    field: Tensor
    bounded: Tensor
    label: Tensor
    part: Tensor

    @property
    def n_solids(self) -> int:
        return len(self.part)


@dataclass(frozen=True)
class Frames:
    """Turntable frames of B solids: image (B, T, 3, H, W) in [0, 1]; face (B, T, H, W) face of a pixel, -1 = none."""

    image: Tensor
    face: Tensor


Part = TypeVar("Part", Faces, Frames)


@dataclass(frozen=True)
class Batch:
    """What a training step reads. A kind of content that was not asked for is None."""

    uid: tuple[str, ...]
    faces: Faces | None = None
    frames: Frames | None = None

    def to(self, device: torch.device) -> "Batch":
        def move(part: Part) -> Part:
            return replace(part, **{k: v.to(device) for k, v in vars(part).items()})

        return replace(self, faces=self.faces and move(self.faces), frames=self.frames and move(self.frames))


def walk_encoding(arc_index: np.ndarray, n_faces: int) -> np.ndarray:
    """Return probabilities of random walks of 1..WALK_STEPS steps, and log degree.

    Dwivedi et al. 2021, arXiv:2110.07875, section 3. Shapes: (2, A), F -> (F, WHERE_DIM) float32.
    """
    adjacency = np.zeros((n_faces, n_faces), np.float32)
    np.add.at(adjacency, (arc_index[0], arc_index[1]), 1.0)
    np.fill_diagonal(adjacency, 0.0)
    degree = adjacency.sum(1)
    step = adjacency / np.maximum(degree, 1.0)[:, None]
    walk, diagonals = step, []
    for _ in range(WALK_STEPS):
        diagonals.append(np.diagonal(walk))
        walk = walk @ step
    return np.stack([*diagonals, np.log1p(degree)], axis=1)


def from_graph(graph: schema.FaceGraph) -> Faces:
    """One stored solid as a batch of one. Seam arcs are left out: a face is not its own neighbour."""
    scale, center = float(graph.scale_mm), graph.center_mm.astype(np.float32)
    between = ~graph.arc_seam & (graph.arc_index[0] != graph.arc_index[1])
    arc_index = graph.arc_index[:, between].astype(np.int64)

    def rescale(array: np.ndarray, points: slice) -> Tensor:
        array = array.copy()
        array[..., points] = (array[..., points] - center) / scale
        return torch.from_numpy(array)

    angle = torch.from_numpy(graph.arc_angle_rad[between])
    length_unit = torch.from_numpy(graph.arc_length_mm[between] / scale)
    area_unit = torch.from_numpy(graph.face_area_mm2 / scale**2)
    curve = F.one_hot(torch.from_numpy(graph.arc_type[between]).long(), len(schema.CURVE_TYPES))
    convexity = F.one_hot(torch.from_numpy(graph.arc_convexity[between]).long(), len(schema.CONVEXITY))
    return Faces(
        grid=rescale(graph.face_grid, schema.POINT),
        surface=torch.from_numpy(graph.face_type.astype(np.int64)),
        scalars=torch.stack(
            [area_unit.clamp(min=1e-8).log(), torch.from_numpy(graph.face_loops.astype(np.float32))], 1
        ),
        solid=torch.zeros(graph.n_faces, dtype=torch.long),
        where=torch.from_numpy(walk_encoding(arc_index, graph.n_faces)),
        arc_index=torch.from_numpy(arc_index),
        arc_grid=rescale(graph.arc_grid[between], schema.POINT),
        arc_kind=torch.cat([convexity, curve], 1).float(),
        arc_scalars=torch.stack([angle.cos(), angle.sin(), length_unit.clamp(min=1e-6).log()], 1),
        field=rescale(graph.field_samples, schema.FIELD_POINT),
        bounded=torch.from_numpy(graph.field_bounded.copy()),
        label=torch.from_numpy(graph.face_label.astype(np.int64)),
        part=torch.tensor([graph.part_label]),
    )


def collate(solids: Sequence[Faces]) -> Faces:
    """Concatenates batches of faces; `solid` and `arc_index` are shifted so that they stay right."""
    n_faces = torch.tensor([0] + [len(s.solid) for s in solids]).cumsum(0)
    n_solids = torch.tensor([0] + [s.n_solids for s in solids]).cumsum(0)
    columns = {k: [getattr(s, k) for s in solids] for k in Faces.__dataclass_fields__}
    columns["solid"] = [s + n for s, n in zip(columns["solid"], n_solids, strict=False)]
    columns["arc_index"] = [a + n for a, n in zip(columns["arc_index"], n_faces, strict=False)]
    return Faces(**{k: torch.cat(v, dim=1 if k == "arc_index" else 0) for k, v in columns.items()})
