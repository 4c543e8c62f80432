"""Files as samples: all solids of a file are one graph, whose parts are not connected, and have one class together."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from brep_mae.datasets.loader import Solids
from brep_mae.schema import ARRAYS, FIELD_POINT, POINT, UNLABELLED, FaceGraph

POINTS = {"face_grid": POINT, "arc_grid": POINT, "field_samples": FIELD_POINT, "face_centroid_mm": POINT}
"""Arrays with points in mm from the middle of the box, and the channels of these."""
NUMBERS = {"arc_index": "FF", "coedge_index": "FE", "edge_vertex": "PP", "arc_edge": "E", "face_parent": "N"}
"""Arrays of row numbers, and the axes that they point along; N is that of the faces before any of them was split."""
FACE_ORIGIN, FACE_NORMAL, FACE_AXIS, FACE_RADII = slice(5, 8), slice(8, 11), slice(11, 14), slice(17, 19)
EDGE_ORIGIN, EDGE_DIRECTION, EDGE_RADII = slice(3, 6), slice(6, 9), slice(15, 17)
"""Columns of the analytic parameters of faces and edges that a shift or a scale changes, or that canonical origins
depend on, see FaceGraph."""
PLANE, CYLINDER, FACE_KINDS, LINE, EDGE_KINDS = 0, 1, slice(0, 5), 0, slice(0, 3)


def file_of(uid: str) -> str:
    """The name of a file among samples: what the uids of its solids have in common."""
    return uid.split("#")[0]


class Files(Solids):
    """The stored files of one split.

    Args:
        shards, labels: as of solids.
        uids: which files, by `file_of`; the order is kept.
        read: content of faces; a file has no frames.
    """

    def __init__(self, shards: Path, uids: Sequence[str], read: frozenset[str], labels: Path | None = None) -> None:
        if "frames" in read:
            raise ValueError(f"{shards}: renders are of solids, so what reads frames can't learn from whole files")
        super().__init__(shards, None, (), read, labels)
        self._solids: dict[str, list[str]] = defaultdict(list)
        for uid in self._shards.uids:
            self._solids[file_of(uid)].append(uid)
        if missing := [uid for uid in uids if uid not in self._solids]:
            raise KeyError(
                f"{shards}: {len(missing)} files of the split are not stored, first {missing[0]}; parse again"
            )
        self.uids = tuple(uids)

    def labelled(self, uids: Sequence[str]) -> np.ndarray:
        solids = [self._solids[uid] for uid in uids]
        file = np.repeat(np.arange(len(uids)), np.array([len(own) for own in solids], int))
        return np.bincount(file, super().labelled(list(chain.from_iterable(solids))), len(uids)) > 0

    def graph(self, uid: str) -> FaceGraph:
        return merged([super(Files, self).graph(solid) for solid in self._solids[uid]])


def merged(graphs: Sequence[FaceGraph]) -> FaceGraph:
    """The solids of one file as one record, in the box that holds them all; `face_parent` counts on from solid to
    solid. Raises ValueError where they are of several classes."""
    first = graphs[0]
    parts = {graph.part_label for graph in graphs} - {UNLABELLED}
    if len(parts) > 1:
        raise ValueError(f"{first.file}: its solids are of several classes; name one for the file, or classify solids")
    low = np.min([graph.face_box_mm[:, :3].min(0) + graph.center_mm for graph in graphs], 0)
    high = np.max([graph.face_box_mm[:, 3:].max(0) + graph.center_mm for graph in graphs], 0)
    center, scale = (low + high) / 2, np.array((high - low).max() / 2)
    moved = [_numbered(_moved(graph, center, scale), graphs[:i]) for i, graph in enumerate(graphs)]
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(graph, name) for graph in moved], 1 if axes[0] == 2 else 0)
        for name, (_, axes) in ARRAYS.items()
        if name not in ("center_mm", "scale_mm")
    }
    return FaceGraph(
        uid=file_of(first.uid),
        file=first.file,
        solid=0,
        name="",
        unit_mm=first.unit_mm,
        face_name=[name for graph in graphs for name in graph.face_name],
        center_mm=center,
        scale_mm=scale,
        part_label=parts.pop() if parts else UNLABELLED,
        **arrays,
    )


def _numbered(graph: FaceGraph, before: Sequence[FaceGraph]) -> FaceGraph:
    """With row numbers that count on after the rows of others."""
    rows = {
        "F": sum(other.n_faces for other in before),
        "E": sum(len(other.edge_params_unit) for other in before),
        "P": sum(len(other.vertex_unit) for other in before),
        "N": sum(int(other.face_parent.max()) + 1 for other in before),
    }
    changed = {}
    for name, axes in NUMBERS.items():
        array = getattr(graph, name)
        shift = np.array([rows[axis] for axis in axes], array.dtype)
        changed[name] = np.where(array >= 0, array + (shift[:, None] if array.ndim == 2 else shift), array)
    return replace(graph, **changed)


def _moved(graph: FaceGraph, center: np.ndarray, scale: np.ndarray) -> FaceGraph:
    """In another box, where the solid stays where it was in the file."""
    shift, ratio = graph.center_mm - center, float(graph.scale_mm) / float(scale)
    changed = {"face_box_mm": graph.face_box_mm + np.tile(shift, 2)}
    for name, channels in POINTS.items():
        changed[name] = getattr(graph, name).astype(np.float64)
        changed[name][..., channels] += shift

    def origins(params: np.ndarray, columns: slice, kinds: slice) -> np.ndarray:
        known = params[:, kinds].any(1, keepdims=True)
        return np.where(known, params[:, columns] * ratio + shift / float(scale), 0.0)

    def along(points: np.ndarray, directions: np.ndarray) -> np.ndarray:
        return (points * directions).sum(1, keepdims=True) * directions

    face, edge = graph.face_params_unit.astype(np.float64), graph.edge_params_unit.astype(np.float64)
    at = origins(face, FACE_ORIGIN, FACE_KINDS)
    plane, cylinder = face[:, [PLANE]] > 0, face[:, [CYLINDER]] > 0
    at = np.where(plane, along(at, face[:, FACE_NORMAL]), np.where(cylinder, at - along(at, face[:, FACE_AXIS]), at))
    face[:, FACE_ORIGIN], face[:, FACE_RADII] = at, face[:, FACE_RADII] * ratio
    at = origins(edge, EDGE_ORIGIN, EDGE_KINDS)
    at = np.where(edge[:, [LINE]] > 0, at - along(at, edge[:, EDGE_DIRECTION]), at)
    edge[:, EDGE_ORIGIN], edge[:, EDGE_RADII] = at, edge[:, EDGE_RADII] * ratio
    vertex = graph.vertex_unit * ratio + shift / float(scale)
    changed |= {"face_params_unit": face, "edge_params_unit": edge, "vertex_unit": vertex}
    return replace(graph, **{name: array.astype(np.float32) for name, array in changed.items()})
