"""What the curves of edges are, also where a file holds lines and circles as free-form curves.

As with faces (see `face_forms`): the kernel proposes, points and tangents of the file's curve decide, and nothing but
the name and the parameters changes. Of ellipses the kernel finds some and misses others, so they keep the file's name.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from OCP.BRep import BRep_Tool
from OCP.GeomAbs import GeomAbs_Line
from OCP.GeomConvert import GeomConvert_ConvType, GeomConvert_CurveToAnaCurve
from OCP.Standard import Standard_Failure, Standard_OutOfMemory
from OCP.TopLoc import TopLoc_Location
from OCP.TopoDS import TopoDS_Edge

from brep_mae.brep.faces.topology import Topology
from brep_mae.brep.geometry.curves import CIRCLE, LINE, Curves
from brep_mae.brep.geometry.untrimmed import untrimmed
from brep_mae.brep.ragged import span, take
from brep_mae.brep.solid.face_forms import ALIGNED, EXACT, NEAR
from brep_mae.brep.vectors import cross

_KIND = {"Geom_Line": LINE, "Geom_Circle": CIRCLE}


@dataclass
class EdgeForms:
    """Of E edges, where the part was made.

    Args:
        kind: (E,) index in schema.CURVE_TYPES.
        lead, along, spoke: (E, 3) see `Curves`, in mm; of a circle or ellipse, the half axes.
        recognised: (E,) True where the file holds a free-form curve.
    """

    kind: np.ndarray
    lead: np.ndarray
    along: np.ndarray
    spoke: np.ndarray
    recognised: np.ndarray

    @classmethod
    def of(cls, edges: Curves) -> "EdgeForms":
        """As the file has them."""
        cos, sin = np.cos(edges.first)[:, None], np.sin(edges.first)[:, None]
        turns = edges.turns[:, None]
        return cls(
            kind=edges.kind,
            lead=edges.lead,
            along=np.where(turns, sin * edges.spoke + cos * edges.along, edges.along),
            spoke=np.where(turns, cos * edges.spoke - sin * edges.along, edges.spoke),
            recognised=np.zeros(len(edges), bool),
        )


def recognised_edges(topology: Topology, edges: Curves) -> EdgeForms:
    """The forms of all edges."""
    forms = EdgeForms.of(edges)
    chords = edges.straight & (edges.kind != LINE)
    if not edges.free.any() and not chords.any():
        return forms
    forms.kind, forms.recognised = np.where(chords, LINE, edges.kind), chords
    owner, points, slopes = edges.polylines_with_slopes()
    low, high = span(points, owner, len(edges))
    size = np.linalg.norm(high - low, axis=1)
    rows = np.flatnonzero(edges.free)
    proposed = [_proposed(topology.edges[row], size[row]) for row in rows.tolist()]
    seen = [place for place, found in enumerate(proposed) if found is not None]
    if not seen:
        return forms
    rows = rows[seen]
    kind, origin, axis, radius = (np.array(column) for column in zip(*(proposed[i] for i in seen), strict=True))
    place, element = take(np.where(edges.exists, edges.segments + 1, 0), rows)
    found, distance, angle = _compared(kind, origin, axis, radius, place, points[element], slopes[element])
    chosen = (span(distance, place, len(rows))[1] <= NEAR * size[rows]) & (span(angle, place, len(rows))[1] <= ALIGNED)
    forms.kind[rows[chosen]] = kind[chosen]
    forms.recognised[rows[chosen]] = True
    for name, values in found.items():
        whole = getattr(forms, name).copy()
        whole[rows[chosen]] = values[chosen]
        setattr(forms, name, whole)
    return forms


def _proposed(edge: TopoDS_Edge, size: float) -> tuple[Any, ...] | None:
    """What line or circle the kernel sees in a free-form edge of that size in mm, None where it sees neither: kind, a
    point or the centre, direction or axis as the edge runs, and radius in mm (0 for a line)."""
    location = TopLoc_Location()
    curve = untrimmed(BRep_Tool.Curve_s(edge, location, 0.0, 0.0))
    first, last = BRep_Tool.Range_s(edge)
    for share in (EXACT, NEAR):
        try:
            found = GeomConvert_CurveToAnaCurve.ComputeCurve_s(
                curve, share * size, first, last, 0.0, 0.0, 0.0, GeomConvert_ConvType.GeomConvert_Simplest, GeomAbs_Line
            )
        except Standard_OutOfMemory:
            raise
        except Standard_Failure:
            continue
        kind = _KIND.get(type(found).__name__)
        if kind is not None:
            found = found.Transformed(location.Transformation())
            position = found.Position()
            return (
                kind,
                position.Location().Coord(),
                position.Direction().Coord(),
                found.Radius() if kind == CIRCLE else 0.0,
            )
    return None


def _compared(
    kind: np.ndarray,
    origin: np.ndarray,
    axis: np.ndarray,
    radius: np.ndarray,
    place: np.ndarray,
    points: np.ndarray,
    slopes: np.ndarray,
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """The forms, starting where the edges start, and how far points (mm) and tangents (rad) are from them.

    Args:
        kind, origin, axis, radius: of k forms, see `_proposed`.
        place: (N,) which of them a point belongs to.

    Shapes: points and slopes (N, 3) -> arrays of EdgeForms (k, 3), twice (N,)
    """
    line, along = (kind == LINE)[:, None], axis[place]
    away = points - origin[place]
    height = (away * along).sum(axis=1)
    spokes = away - height[:, None] * along
    width = np.linalg.norm(spokes, axis=1)
    distance = np.where(line[place, 0], width, np.hypot(width - radius[place], height))
    round_about = cross(along, spokes) / np.maximum(width, 1e-300)[:, None]
    way = np.where(line[place], along, round_about)
    length, ahead = np.linalg.norm(slopes, axis=1), (slopes * way).sum(axis=1)
    across = np.linalg.norm(slopes - ahead[:, None] * way, axis=1)
    start = np.searchsorted(place, np.arange(len(kind)))
    spoke = spokes[start] * (radius / np.maximum(width[start], 1e-300))[:, None]
    found = {
        "lead": np.where(line, origin + height[start, None] * axis, origin),
        "along": np.where(line, axis, cross(axis, spoke)),
        "spoke": np.where(line, 0.0, spoke),
    }
    return found, distance, np.where(length > 0, np.arctan2(across, np.abs(ahead)), 0.0)
