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
from brep_mae.features.invariants import invariants
from brep_mae.features.typical import standardised
from brep_mae.features.walks import WALK_STEPS, walk_encoding

WHERE_DIM = WALK_STEPS + 1
"""Where in the graph a face sits: return probabilities of random walks of every length, and the log of its degree."""
ARC_KIND_DIM = len(schema.CONVEXITY) + len(schema.CURVE_TYPES)


@dataclass(frozen=True)
class Analytic:
    """Exact parameters of surfaces, curves and points, and who touches whom: a solid without any sample of it.

    Axes: F faces, E edges, P vertices, C coedges, K ends of edges. face (F, 21), edge (E, 18), vertex (P, 3) as the
    schema has them, in the unit box; edge_face (2, C) an edge and a face that uses it; forward (C,) True = the edge has
    that face on its left; vertex_edge (2, K) a vertex and an edge that ends there; start (K,) True = it begins there.
    """

    face: Tensor
    edge: Tensor
    vertex: Tensor
    edge_face: Tensor
    forward: Tensor
    vertex_edge: Tensor
    start: Tensor

    def to(self, device: torch.device) -> "Analytic":
        return Analytic(**{k: v.to(device) for k, v in vars(self).items()})


@dataclass(frozen=True)
class Faces:
    """Faces of B solids. Axes: F faces, A arcs, U, V grid samples, S field samples.

    grid (F, U, V, 7) point (unit), outward normal, inside 0/1; surface (F,) index in SURFACE_TYPES;
    scalars (F, 2) log area (unit^2), number of loops; solid (F,) index into the batch; where (F, WHERE_DIM) place in
    the graph, free of geometry; arc_index (2, A) into the F faces; arc_grid (A, U, 6) point (unit), tangent;
    arc_kind (A, ARC_KIND_DIM) one-hot convexity and curve type; arc_scalars (A, 3) cos and sin of the signed dihedral
    angle, log length (unit); field (F, S, 6) uv, point (unit), signed distance; bounded (F,) True = the face has a
    trimming distance; label (F,) and part (B,) long, UNLABELLED where unknown; analytic of the same solids;
    invariant (F, FACE_DIM) and arc_invariant (A, ARC_DIM) as datasets/invariants.py has them, standardised.
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
    analytic: Analytic
    invariant: Tensor
    arc_invariant: Tensor

    @property
    def n_solids(self) -> int:
        return len(self.part)

    @property
    def nbytes(self) -> int:
        tensors = {**vars(self), **vars(self.analytic)}.values()
        return sum(each.nbytes for each in tensors if isinstance(each, Tensor))


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


def analytic_of(graph: schema.FaceGraph) -> Analytic:
    """The parameters of one stored solid. An edge without a vertex at one end has no end there."""
    vertex = graph.edge_vertex.astype(np.int64)
    edge = np.broadcast_to(np.arange(vertex.shape[1]), vertex.shape)
    start = np.broadcast_to(np.array([[True], [False]]), vertex.shape)
    there = vertex >= 0
    return Analytic(
        face=torch.from_numpy(graph.face_params_unit.copy()),
        edge=torch.from_numpy(graph.edge_params_unit.copy()),
        vertex=torch.from_numpy(graph.vertex_unit.copy()),
        edge_face=torch.from_numpy(graph.coedge_index[::-1].astype(np.int64)),
        forward=torch.from_numpy(graph.coedge_forward.copy()),
        vertex_edge=torch.from_numpy(np.stack([vertex[there], edge[there]])),
        start=torch.from_numpy(start[there]),
    )


def from_graph(graph: schema.FaceGraph) -> Faces:
    """One stored solid as a batch of one. Seam arcs are left out: a face is not its own neighbour."""
    scale = float(graph.scale_mm)
    between = ~graph.arc_seam & (graph.arc_index[0] != graph.arc_index[1])
    scalars = standardised(invariants(graph))
    arc_index = scalars.arc_index

    def rescale(array: np.ndarray, points: slice) -> Tensor:
        array = array.copy()
        array[..., points] /= scale
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
        analytic=analytic_of(graph),
        invariant=torch.from_numpy(scalars.face),
        arc_invariant=torch.from_numpy(scalars.arc),
    )


def _before(parts: Sequence[Tensor]) -> Tensor:
    """How many rows lie before each of the parts, once they are concatenated. (parts,)"""
    return torch.tensor([0, *map(len, parts[:-1])]).cumsum(0)


def _pointing(parts: Sequence[Tensor], *before: Tensor) -> Tensor:
    """Concatenates indices (R, n) into concatenated rows, row r into those of which `before[r]` tells the offsets."""
    counts = torch.tensor([part.shape[1] for part in parts])
    return torch.cat(list(parts), 1) + torch.stack(before).repeat_interleave(counts, 1)


def _collate_analytic(solids: Sequence[Analytic]) -> Analytic:
    columns = {k: [getattr(s, k) for s in solids] for k in Analytic.__dataclass_fields__}
    face, edge, vertex = (_before(columns[k]) for k in ("face", "edge", "vertex"))
    pointing = {
        "edge_face": _pointing(columns.pop("edge_face"), edge, face),
        "vertex_edge": _pointing(columns.pop("vertex_edge"), vertex, edge),
    }
    return Analytic(**pointing, **{k: torch.cat(v) for k, v in columns.items()})


def collate(solids: Sequence[Faces]) -> Faces:
    """Concatenates batches of faces; all that points at faces, edges, vertices or solids is shifted to stay right."""
    columns = {k: [getattr(s, k) for s in solids] for k in Faces.__dataclass_fields__ if k != "analytic"}
    arcs, rows = columns.pop("arc_index"), columns["solid"]
    faces, parts = _before(rows), _before(columns["part"])
    columns["solid"] = [_pointing([row[None] for row in rows], parts)[0]]
    return Faces(
        arc_index=_pointing(arcs, faces, faces),
        analytic=_collate_analytic([s.analytic for s in solids]),
        **{k: torch.cat(v) for k, v in columns.items()},
    )
