"""One stored solid -> the content of a batch that was asked for, and no more."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from brep_mae import schema
from brep_mae.datasets.batch import Analytic, Faces
from brep_mae.datasets.content import FACES
from brep_mae.features.invariants import invariants
from brep_mae.features.typical import standardised
from brep_mae.features.walks import walk_encoding
from brep_mae.schema import FaceGraph


def from_graph(graph: FaceGraph, reads: frozenset[str] = FACES) -> Faces:
    """One stored solid as a batch of one. Seam arcs are left out: a face is not its own neighbour.

    Args:
        reads: names of content; `faces` is there in any case.
    """
    columns = _faces(graph)
    for name, make in _MAKE.items():
        if name in reads:
            columns.update(make(graph))
    return Faces(**columns)


def between(graph: FaceGraph) -> np.ndarray:
    """(A,) True = the arc lies between different faces."""
    return ~graph.arc_seam & (graph.arc_index[0] != graph.arc_index[1])


def _rescaled(graph: FaceGraph, array: np.ndarray, points: slice) -> Tensor:
    array = array.copy()
    array[..., points] /= float(graph.scale_mm)
    return torch.from_numpy(array)


def _faces(graph: FaceGraph) -> dict[str, Any]:
    area_unit = torch.from_numpy(graph.face_area_mm2 / float(graph.scale_mm) ** 2)
    loops = torch.from_numpy(graph.face_loops.astype(np.float32))
    return {
        "solid": torch.zeros(graph.n_faces, dtype=torch.long),
        "surface": torch.from_numpy(graph.face_type.astype(np.int64)),
        "scalars": torch.stack([area_unit.clamp(min=1e-8).log(), loops], 1),
        "label": torch.from_numpy(graph.face_label.astype(np.int64)),
        "part": torch.tensor([graph.part_label]),
    }


def _uvgrid(graph: FaceGraph) -> dict[str, Tensor]:
    return {"grid": _rescaled(graph, graph.face_grid, schema.POINT)}


def _arcs(graph: FaceGraph) -> dict[str, Tensor]:
    here = between(graph)
    curve = F.one_hot(torch.from_numpy(graph.arc_type[here]).long(), len(schema.CURVE_TYPES))
    convexity = F.one_hot(torch.from_numpy(graph.arc_convexity[here]).long(), len(schema.CONVEXITY))
    return {
        "arc_index": torch.from_numpy(graph.arc_index[:, here].astype(np.int64)),
        "arc_kind": torch.cat([convexity, curve], 1).float(),
    }


def _ugrid(graph: FaceGraph) -> dict[str, Tensor]:
    here = between(graph)
    angle = torch.from_numpy(graph.arc_angle_rad[here])
    length_unit = torch.from_numpy(graph.arc_length_mm[here] / float(graph.scale_mm))
    return {
        "arc_grid": _rescaled(graph, graph.arc_grid[here], schema.POINT),
        "arc_scalars": torch.stack([angle.cos(), angle.sin(), length_unit.clamp(min=1e-6).log()], 1),
    }


def _walks(graph: FaceGraph) -> dict[str, Tensor]:
    arc_index = graph.arc_index[:, between(graph)].astype(np.int64)
    return {"where": torch.from_numpy(walk_encoding(arc_index, graph.n_faces))}


def _invariants(graph: FaceGraph) -> dict[str, Tensor]:
    scalars = standardised(invariants(graph))
    return {"invariant": torch.from_numpy(scalars.face), "arc_invariant": torch.from_numpy(scalars.arc)}


def _analytic(graph: FaceGraph) -> dict[str, Analytic]:
    """An edge without a vertex at one end has no end there."""
    vertex = graph.edge_vertex.astype(np.int64)
    edge = np.broadcast_to(np.arange(vertex.shape[1]), vertex.shape)
    start = np.broadcast_to(np.array([[True], [False]]), vertex.shape)
    there = vertex >= 0
    analytic = Analytic(
        face=torch.from_numpy(graph.face_params_unit.copy()),
        edge=torch.from_numpy(graph.edge_params_unit.copy()),
        vertex=torch.from_numpy(graph.vertex_unit.copy()),
        edge_face=torch.from_numpy(graph.coedge_index[::-1].astype(np.int64)),
        forward=torch.from_numpy(graph.coedge_forward.copy()),
        vertex_edge=torch.from_numpy(np.stack([vertex[there], edge[there]])),
        start=torch.from_numpy(start[there]),
    )
    return {"analytic": analytic}


def _field(graph: FaceGraph) -> dict[str, Tensor]:
    return {
        "field": _rescaled(graph, graph.field_samples, schema.FIELD_POINT),
        "bounded": torch.from_numpy(graph.field_bounded.copy()),
    }


_MAKE: dict[str, Callable[[FaceGraph], Mapping[str, Any]]] = {
    "uvgrid": _uvgrid,
    "arcs": _arcs,
    "ugrid": _ugrid,
    "walks": _walks,
    "invariants": _invariants,
    "analytic": _analytic,
    "field": _field,
}
