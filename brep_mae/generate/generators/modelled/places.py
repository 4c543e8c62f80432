"""Where on a part a sketch fits: a free place on one of its flat faces, and the material below it."""

from dataclasses import dataclass
from math import pi, tau

import numpy as np
from OCP.BRepAdaptor import BRepAdaptor_Surface
from OCP.GeomAbs import GeomAbs_SurfaceType
from OCP.gp import gp_Dir, gp_Lin, gp_Pnt
from OCP.IntCurvesFace import IntCurvesFace_ShapeIntersector
from OCP.TopoDS import TopoDS_Face, TopoDS_Solid

from brep_mae.generate.generators.modelled.flats import Flat, flat
from brep_mae.generate.generators.modelled.model import Model
from brep_mae.generate.generators.modelled.sketches.sketch import Frame
from brep_mae.generate.labelled import Rejected, faces
from brep_mae.generate.primitives import Vector

ASPECTS = (1.0, 1.6, 2.5, 4.0)
FACES_TRIED = 4
FAR_MM = 1e5


class Probe:
    """Rays through a solid."""

    def __init__(self, solid: TopoDS_Solid) -> None:
        self._rays = IntCurvesFace_ShapeIntersector()
        self._rays.Load(solid, 1e-6)

    def crossings_mm(self, origin: Vector, direction: Vector) -> np.ndarray:
        """Distances, on both sides of the origin, at which a line meets the solid's surface; sorted."""
        self._rays.Perform(gp_Lin(gp_Pnt(*origin), gp_Dir(*direction)), -FAR_MM, FAR_MM)
        return np.sort([self._rays.WParameter(i + 1) for i in range(self._rays.NbPnt())])


@dataclass(frozen=True)
class Room:
    """A free box on a flat face, half sides a >= b along the frame's u and v, and what lies above and below it.

    Args:
        below_mm: material under it, at its thinnest.
        through_mm: to where the part ends below.
        above_mm: free height over it.
    """

    frame: Frame
    a: float
    b: float
    below_mm: float
    through_mm: float
    above_mm: float


def flat_faces(model: Model, least_mm2: float) -> list[tuple[TopoDS_Face, float]]:
    """The part's flat faces that are larger, with their areas in mm2."""
    return [
        (face, area_mm2)
        for face, area_mm2 in zip(faces(model.solid), model.areas_mm2, strict=True)
        if area_mm2 > least_mm2 and BRepAdaptor_Surface(face).GetType() == GeomAbs_SurfaceType.GeomAbs_Plane
    ]


def draw_flat(model: Model, least_mm: float) -> Flat:
    """A flat face at least so wide, large ones more often."""
    found = flat_faces(model, least_mm**2)
    if not found:
        raise Rejected("no flat face")
    weights = np.array([area_mm2 for _, area_mm2 in found]) ** 0.85
    return flat(found[model.rng.choice(len(found), p=weights / weights.sum())][0])


def room(flat: Flat, solid: TopoDS_Solid, at: np.ndarray, a: float, b: float) -> Room:
    """What lies above and below a box of the face, measured at its middle and towards its corners."""
    probe, frame = Probe(solid), flat.frame.moved(*map(float, at))
    below, through, above = [], [], []
    for su, sv in ((0, 0), (0.8, 0.8), (-0.8, 0.8), (-0.8, -0.8), (0.8, -0.8)):
        hits = probe.crossings_mm(frame.at(su * a, sv * b), frame.normal)
        under, over = -hits[hits < -1e-4], hits[hits > 1e-4]
        if not len(under):
            raise Rejected("nothing below the face")
        below.append(under.min())
        through.append(under.max())
        above.append(over.min() if len(over) else FAR_MM)
    return Room(frame, a, b, float(min(below)), float(max(through)), float(min(above)))


def draw_room(model: Model, least_mm: float) -> Room:
    """A free box on a flat face of the part."""
    rng = model.rng
    for _ in range(FACES_TRIED):
        place = draw_flat(model, least_mm)
        at = place.centre(rng)
        a, b = place.free_box(at, float(rng.choice(ASPECTS)))
        if 2 * b > least_mm:
            break
    else:
        raise Rejected("no room on the face")
    found = room(place, model.solid, at, 0.93 * a, 0.93 * b)
    if rng.random() < 0.15:  # sketches are not always drawn along an edge
        side = 0.7 * found.b
        turned = found.frame.turned(float(rng.uniform(0, pi)))
        return Room(turned, side, side, found.below_mm, found.through_mm, found.above_mm)
    return found


def draw_ring(model: Model, least_mm: float) -> tuple[Room, float]:
    """A free ring on a flat face: its frame at the ring's centre, a = radius, b = half width; and the first angle."""
    rng = model.rng
    for _ in range(FACES_TRIED):
        place = draw_flat(model, least_mm)
        middle, radius, half = place.ring(rng)
        if 2 * half > least_mm:
            break
    else:
        raise Rejected("no ring on the face")
    start = float(rng.choice([0.0, rng.uniform(0, tau)]))
    spot = middle + radius * np.array([np.cos(start), np.sin(start)])
    found = room(place, model.solid, spot, 0.5 * half, 0.5 * half)
    frame = place.frame.moved(*map(float, middle))
    return Room(frame, radius, 0.93 * half, found.below_mm, found.through_mm, found.above_mm), start
