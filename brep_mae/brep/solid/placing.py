"""The parts of one file: each measured once, and set in all its places together."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from OCP.TopLoc import TopLoc_Location
from OCP.TopoDS import TopoDS_Shape
from OCP.TopTools import TopTools_IndexedMapOfShape

from brep_mae.brep.geometry.motions import Motions
from brep_mae.brep.read.solids import count_faces
from brep_mae.brep.reject import Reject
from brep_mae.brep.sampling import Sampling
from brep_mae.brep.solid.analytic import edge_params, face_params
from brep_mae.brep.solid.boxes import boxes
from brep_mae.brep.solid.measured import MeasuredSolid, measure
from brep_mae.schema import FIELD_POINT, NORMAL, POINT, TANGENT

TOGETHER = 200
"""Faces of the parts that are measured together, more in a part of its own: past these nothing is gained."""
PLACED_TOGETHER = 1000
"""Faces of all copies of a part that are placed together."""

Place = tuple[np.ndarray | None, np.ndarray]
"""A rigid motion: matrix (3, 3), None for a part that stays where it was made, and offset (3,) in mm."""
Arrays = dict[str, Any]
"""Name in schema.FaceGraph -> array."""


def place(part: MeasuredSolid, motions: Motions) -> list[Arrays]:
    """The arrays of the face graph that a rigid motion changes, for each of the motions.

    Raises:
        Reject: degenerate, of any of them.
    """
    topology, surfaces, edges = part.topology, part.surfaces, part.edges
    box = boxes(topology, surfaces, part.trimming, edges, motions)
    low, high = box[..., :3].min(axis=0), box[..., 3:].max(axis=0)
    center, scale = (low + high) / 2, (high - low).max(axis=1) / 2
    bad = ~((scale > 0) & (scale < 1e50))
    if bad.any():
        raise Reject("degenerate", f"the bounding box runs from {low[bad][0]} to {high[bad][0]} mm")
    motions = motions.about(center)  # in double precision: what is stored in single keeps its shape however far it is
    edge = edge_params(topology, surfaces, part.edge_forms, motions, scale)[part.edges.exists]
    found = {
        "face_grid": _moved(part.grids, (POINT, NORMAL), motions),
        "face_box_mm": _apart(box - np.tile(center, 2)),
        "face_centroid_mm": _apart(motions.points(part.centroid)),
        "face_axes": _apart(motions.vectors(part.axes)),
        "face_params_unit": _apart(face_params(topology, part.forms, motions, scale)),
        "edge_params_unit": _apart(edge),
        "vertex_unit": _apart(motions.points(topology.vertex_mm) / scale[:, None]),
        "arc_grid": _moved(part.arcs["arc_grid"], (POINT, TANGENT), motions),
        "field_samples": _moved(part.samples, (FIELD_POINT,), motions),
    }
    copies = [dict(zip(found, arrays, strict=True)) for arrays in zip(*found.values(), strict=True)]
    for copy, middle, size in zip(copies, center, scale, strict=True):
        copy |= {"center_mm": middle, "scale_mm": np.array(size)}
    return copies


def _apart(array: np.ndarray) -> np.ndarray:
    """The copies one after the other, as they are stored. Shapes: (..., K, D) -> (K, ..., D) float32"""
    return np.ascontiguousarray(np.moveaxis(array, -2, 0), np.float32)


def _moved(array: np.ndarray, channels: tuple[slice, ...], motions: Motions) -> np.ndarray:
    """The points in the first of the channels and the vectors in the others moved. Shapes: (..., D) -> (K, ..., D)"""
    copies = np.empty((len(motions), *array.shape), np.float32)
    copies[:] = array
    for channel, way in zip(channels, (motions.points, motions.vectors), strict=False):
        copies[..., channel] = np.moveaxis(way(array[..., channel]), -2, 0)
    return copies


class MeasuredSolids:
    """Measures and places a part when it is first asked for.

    Attributes:
        labels: names and colours of the faces by id of the part, kept by whoever looks them up.
        sound: ids of the parts that were found to be sound.
    """

    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling
        self._shapes = TopTools_IndexedMapOfShape()
        self._parts: dict[tuple[int, int], MeasuredSolid] = {}
        self._placed: dict[tuple[tuple[int, int], bytes], Arrays] = {}
        self.labels: dict[int, tuple[list[str], np.ndarray]] = {}
        self.sound: set[int] = set()

    def gather(self, solids: Sequence[tuple[TopoDS_Shape, str]]) -> None:
        """Measures the parts of some solids, together where they are small, and places all copies of each together,
        before `of` is asked for any of them.

        Args:
            solids: with the seed that `of` would be given.
        """
        if len(solids) < 2:
            return
        batches: list[dict[tuple[int, int], tuple[TopoDS_Shape, str]]] = [{}]
        places: dict[tuple[int, int], dict[bytes, Place]] = {}
        faces, seen = 0, set(self._parts)
        for solid, seed in solids:
            key, shape, way = self._known(solid)
            places.setdefault(key, {})[_name(way)] = way
            if key not in seen:
                seen.add(key)
                faces += (count := count_faces(shape))
                if faces > TOGETHER:
                    batches.append({})
                    faces = count
                batches[-1][key] = shape, seed
        for batch in batches:
            if len(batch) > 1:
                shapes, seeds = zip(*batch.values(), strict=True)
                with suppress(Reject):  # then each is measured by itself, to find out which it is
                    self._parts |= zip(batch, measure(shapes, seeds, self._sampling), strict=True)
        for key, ways in places.items():
            self._place(key, {name: way for name, way in ways.items() if way[0] is not None})

    def _place(self, key: tuple[int, int], ways: dict[bytes, Place]) -> None:
        if key not in self._parts or len(ways) < 2:
            return
        part, names = self._parts[key], list(ways)
        step = max(1, PLACED_TOGETHER // max(1, len(part.area)))
        for begin in range(0, len(names), step):
            some = names[begin : begin + step]
            with suppress(Reject):  # as above
                placed = place(part, Motions.of([ways[name] for name in some]))
                self._placed |= {(key, name): arrays for name, arrays in zip(some, placed, strict=True)}

    def of(self, shape: TopoDS_Shape, seed: str) -> tuple[MeasuredSolid, Arrays]:
        """The part, and what `place` makes of it where `shape` is. A mirrored part counts as another part.

        Raises:
            Reject: too_many_faces or degenerate.
        """
        key, shape, way = self._known(shape)
        if key not in self._parts:
            self._parts[key] = measure([shape], [seed], self._sampling)[0]
        if (key, _name(way)) not in self._placed:
            self._placed[key, _name(way)] = place(self._parts[key], Motions.of([way]))[0]
        return self._parts[key], self._placed[key, _name(way)]

    def _known(self, shape: TopoDS_Shape) -> tuple[tuple[int, int], TopoDS_Shape, Place]:
        """What the part is called, the part, and where the shape has it."""
        way: Place = None, np.zeros(3)
        location = shape.Location()
        if not location.IsIdentity():
            trsf = location.Transformation()
            if not trsf.IsNegative() and abs(trsf.ScaleFactor() - 1) < 1e-12:
                rows = np.array([[trsf.Value(i, j) for j in (1, 2, 3, 4)] for i in (1, 2, 3)])
                way = rows[:, :3], rows[:, 3]
                shape = shape.Located(TopLoc_Location())
        return (self._shapes.Add(shape), int(shape.Orientation())), shape, way


def _name(way: Place) -> bytes:
    return b"" if way[0] is None else way[0].tobytes() + way[1].tobytes()
