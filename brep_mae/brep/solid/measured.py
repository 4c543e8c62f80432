"""A part where it was made, before its placement: all of its face graph that a rigid motion carries along.

An assembly holds the same part many times; it is measured once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from OCP.TopoDS import TopoDS_Shape

from brep_mae.brep.faces.loops import Loops
from brep_mae.brep.faces.topology import Topology, joined, right_way_out, walk
from brep_mae.brep.faces.trimming import Trimming
from brep_mae.brep.geometry.curves import Curves, edge_curves
from brep_mae.brep.geometry.surfaces import Surfaces
from brep_mae.brep.ragged import run
from brep_mae.brep.sampling import Sampling
from brep_mae.brep.solid.arcs import ahead, arc_arrays
from brep_mae.brep.solid.curvature import curvatures
from brep_mae.brep.solid.edge_forms import EdgeForms, recognised_edges
from brep_mae.brep.solid.face_forms import FaceForms, recognised_faces
from brep_mae.brep.solid.field import draw_pool, keep_near
from brep_mae.brep.solid.measure import moments
from brep_mae.brep.solid.split import split_closed
from brep_mae.brep.solid.uvgrid import axes, face_grids, outward, unit_grid
from brep_mae.schema import FIELD_DISTANCE, FIELD_POINT, FIELD_UV


def _per_face() -> Any:
    return field(metadata={"per_face": True})


@dataclass(frozen=True)
class MeasuredSolid:
    """Arrays as in schema.FaceGraph, in the part's own coordinates and in double precision.

    Args:
        number: (edges of the topology,) what a stored edge is called, -1 where it is not stored.
        parent: (F,) face before closed faces were split.
        volume: (F,) share of the enclosed volume, see `moments`.
    """

    topology: Topology
    surfaces: Surfaces
    edges: Curves
    forms: FaceForms
    edge_forms: EdgeForms
    trimming: Trimming
    number: np.ndarray
    arcs: dict[str, Any]
    parent: np.ndarray = _per_face()
    grids: np.ndarray = _per_face()
    axes: np.ndarray = _per_face()
    area: np.ndarray = _per_face()
    centroid: np.ndarray = _per_face()
    volume: np.ndarray = _per_face()
    curvature: np.ndarray = _per_face()
    samples: np.ndarray = _per_face()
    bounded: np.ndarray = _per_face()

    @cached_property
    def unmoved(self) -> dict[str, Any]:
        """The arrays of schema.FaceGraph that do not depend on where the part is."""
        topology, used = self.topology, self.edges.exists[self.topology.coedge_edge]
        coedges = np.stack([topology.coedge_face, self.number[topology.coedge_edge]])
        return {
            "face_type": self.forms.kind.astype(np.int8),
            "face_recognised": self.forms.recognised,
            "face_area_mm2": self.area.astype(np.float32),
            "face_loops": topology.loops,
            "face_curvature": self.curvature.astype(np.float32),
            "face_parent": self.parent.astype(np.int32),
            "edge_recognised": self.edge_forms.recognised[self.edges.exists],
            "edge_vertex": topology.edge_vertex[:, self.edges.exists].astype(np.int32),
            "coedge_index": coedges[:, used].astype(np.int32),
            "coedge_forward": ahead(topology, self.surfaces)[used],
            "field_bounded": self.bounded,
            **{name: values for name, values in self.arcs.items() if name != "arc_grid"},
        }

    def _piece(self, topology: Topology, first_face: int, first_edge: int) -> "MeasuredSolid":
        """One solid of several that were measured together."""
        a, b = first_face, first_face + len(topology.faces)
        first_arc, last_arc = np.searchsorted(self.arcs["arc_index"][0], (a, b))
        arcs = {"arc_index": self.arcs["arc_index"][:, first_arc:last_arc] - np.int32(a)}
        arcs |= {name: values[first_arc:last_arc] for name, values in self.arcs.items() if name not in arcs}
        surfaces, last_edge = self.surfaces.run(a, b), first_edge + len(topology.edges)
        per_face = [each.name for each in fields(self) if each.metadata.get("per_face")]
        return replace(
            self,
            topology=topology,
            surfaces=surfaces,
            edges=self.edges.run(first_edge, last_edge),
            forms=run(self.forms, a, b),
            edge_forms=run(self.edge_forms, first_edge, last_edge),
            trimming=self.trimming.run(a, b, surfaces),
            number=self.number[first_edge:last_edge],
            arcs=arcs,
            **{name: getattr(self, name)[a:b] for name in per_face},
        )


def measure(shapes: Sequence[TopoDS_Shape], seeds: Sequence[str], sampling: Sampling) -> list[MeasuredSolid]:
    """Several solids at the price of one with as many faces.

    Args:
        seeds: texts from which the field samples are drawn.

    Raises:
        Reject: too_many_faces or degenerate, of any of them.
    """
    shapes, parents = [right_way_out(shape) for shape in shapes], None
    if sampling.split_closed:
        shapes, parents = zip(*map(split_closed, shapes), strict=True)
    solids = [walk(shape) for shape in shapes]
    topology = joined(solids) if len(solids) > 1 else solids[0]
    sizes = [len(solid.faces) for solid in solids]
    count, grid = sum(sizes), sampling.grid
    surfaces, edges = Surfaces(topology.faces), edge_curves(topology.edges)
    loops = Loops(topology, surfaces, edges)
    trimming = Trimming(topology, surfaces, loops)

    pool = np.concatenate([draw_pool(seed, n, sampling.field_pool) for seed, n in zip(seeds, sizes, strict=True)])
    cells = np.broadcast_to(unit_grid(grid), (count, grid * grid, 2))
    inside, distance = trimming.locate(np.concatenate([cells, pool], axis=1))
    inside, inside_pool, distance = inside[:, : grid * grid], inside[:, grid * grid :], distance[:, grid * grid :]
    chosen, signed, bounded = keep_near(inside_pool, distance, sampling.field_samples)
    samples = np.empty((*chosen.shape, 6))
    samples[..., FIELD_UV] = np.take_along_axis(pool, chosen[..., None], axis=1)
    samples[..., FIELD_DISTANCE] = signed
    if chosen.size:
        samples[..., FIELD_POINT] = outward(topology, surfaces, trimming, samples[..., FIELD_UV])[0]

    forms, edge_forms = recognised_faces(topology, surfaces, trimming), recognised_edges(topology, edges)
    area, centroid, volume = moments(topology, surfaces, trimming, loops)
    first_edges = np.cumsum([0, *(len(solid.edges) for solid in solids)])
    there = [edges.exists[a:b] for a, b in pairwise(first_edges.tolist())]
    grids = face_grids(topology, surfaces, trimming, grid, inside)
    number = np.concatenate([np.where(exists, np.cumsum(exists) - 1, -1) for exists in there])
    whole = MeasuredSolid(
        topology=topology,
        surfaces=surfaces,
        edges=edges,
        forms=forms,
        edge_forms=edge_forms,
        trimming=trimming,
        number=number,
        parent=np.concatenate(parents if parents is not None else [np.arange(n) for n in sizes]),
        grids=grids,
        axes=axes(grids),
        area=area,
        centroid=centroid,
        volume=volume,
        curvature=(
            curvatures(topology, surfaces, trimming, grid) if sampling.curvature else np.empty((count, grid, grid, 0))
        ),
        samples=samples,
        bounded=bounded,
        arcs=arc_arrays(topology, surfaces, loops, edges, edge_forms.kind, number, grid),
    )
    if len(solids) == 1:
        return [whole]
    first_faces = np.cumsum([0, *sizes])
    return [
        whole._piece(solid, a, b)
        for solid, a, b in zip(solids, first_faces.tolist(), first_edges.tolist(), strict=False)
    ]
