"""A part where it was made, before its placement: all of its face graph that a rigid motion carries along.

An assembly holds the same part many times; it is measured once.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from OCP.TopLoc import TopLoc_Location
from OCP.TopoDS import TopoDS_Shape
from OCP.TopTools import TopTools_IndexedMapOfShape

from brep_mae.brep.arcs import arc_arrays
from brep_mae.brep.curvature import curvatures
from brep_mae.brep.curves import Curves, edge_curves
from brep_mae.brep.field import draw_pool, keep_near
from brep_mae.brep.loops import Loops
from brep_mae.brep.measure import area_and_centroid
from brep_mae.brep.sampling import Sampling
from brep_mae.brep.split import split_closed
from brep_mae.brep.surfaces import Surfaces
from brep_mae.brep.topology import Topology, walk
from brep_mae.brep.trimming import Trimming
from brep_mae.brep.uvgrid import face_grids, outward, unit_grid
from brep_mae.schema import FIELD_DISTANCE, FIELD_POINT, FIELD_UV


@dataclass(frozen=True)
class Part:
    """Arrays as in schema.FaceGraph, in the part's own coordinates and in double precision.

    Args:
        number: (edges of the topology,) what a stored edge is called, -1 where it is not stored.
        parent: (F,) face before closed faces were split.
    """

    topology: Topology
    surfaces: Surfaces
    edges: Curves
    trimming: Trimming
    number: np.ndarray
    parent: np.ndarray
    grids: np.ndarray
    area: np.ndarray
    centroid: np.ndarray
    curvature: np.ndarray
    samples: np.ndarray
    bounded: np.ndarray
    arcs: dict[str, Any]


def measure(shape: TopoDS_Shape, seed: str, sampling: Sampling) -> Part:
    """Args: seed: text from which the field samples are drawn.

    Raises:
        Reject: too_many_faces or degenerate.
    """
    parent = None
    if sampling.split_closed:
        shape, parent = split_closed(shape)
    topology = walk(shape)
    count, grid = len(topology.faces), sampling.grid
    surfaces, edges = Surfaces(topology.faces), edge_curves(topology.edges)
    loops = Loops(topology, surfaces, edges)
    trimming = Trimming(topology, surfaces, loops)

    pool = draw_pool(seed, count, sampling.field_pool)
    cells = np.broadcast_to(unit_grid(grid), (count, grid * grid, 2))
    inside, distance = trimming.locate(np.concatenate([cells, pool], axis=1))
    inside, inside_pool, distance = inside[:, : grid * grid], inside[:, grid * grid :], distance[:, grid * grid :]
    chosen, signed, bounded = keep_near(inside_pool, distance, sampling.field_samples)
    samples = np.empty((*chosen.shape, 6))
    samples[..., FIELD_UV] = np.take_along_axis(pool, chosen[..., None], axis=1)
    samples[..., FIELD_DISTANCE] = signed
    if chosen.size:
        samples[..., FIELD_POINT] = outward(topology, surfaces, trimming, samples[..., FIELD_UV])[0]

    area, centroid = area_and_centroid(topology, surfaces, trimming, loops)
    number = np.where(edges.exists, np.cumsum(edges.exists) - 1, -1)
    return Part(
        topology=topology,
        surfaces=surfaces,
        edges=edges,
        trimming=trimming,
        number=number,
        parent=np.arange(count) if parent is None else parent,
        grids=face_grids(topology, surfaces, trimming, grid, inside),
        area=area,
        centroid=centroid,
        curvature=(
            curvatures(topology, surfaces, trimming, grid) if sampling.curvature else np.empty((count, grid, grid, 0))
        ),
        samples=samples,
        bounded=bounded,
        arcs=arc_arrays(topology, surfaces, loops, edges, number, grid),
    )


class Parts:
    """The parts of one file, each measured when it is first asked for.

    Attributes:
        labels: names and colours of the faces by id of the part, kept by whoever looks them up.
    """

    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling
        self._shapes = TopTools_IndexedMapOfShape()
        self._parts: dict[tuple[int, int], Part] = {}
        self.labels: dict[int, tuple[list[str], np.ndarray]] = {}

    def of(self, shape: TopoDS_Shape, seed: str) -> tuple[Part, np.ndarray | None, np.ndarray]:
        """The part and the rigid motion that puts it where `shape` is: matrix (3, 3), None where it stays, and offset
        (3,) in mm. A mirrored part counts as another part.

        Raises:
            Reject: too_many_faces or degenerate.
        """
        matrix, offset = None, np.zeros(3)
        location = shape.Location()
        if not location.IsIdentity():
            trsf = location.Transformation()
            if not trsf.IsNegative() and abs(trsf.ScaleFactor() - 1) < 1e-12:
                rows = np.array([[trsf.Value(i, j) for j in (1, 2, 3, 4)] for i in (1, 2, 3)])
                matrix, offset = rows[:, :3], rows[:, 3]
                shape = shape.Located(TopLoc_Location())
        key = self._shapes.Add(shape), int(shape.Orientation())
        if key not in self._parts:
            self._parts[key] = measure(shape, seed, self._sampling)
        return self._parts[key], matrix, offset
