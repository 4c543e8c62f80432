"""Face -> its surface as a function of many (u, v) at once.

Plane, cylinder, cone, sphere and torus are closed forms over numpy arrays; every other surface asks OCCT point by
point. That second half is the seam where a batched B-spline evaluation belongs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from OCP.BRep import BRep_Tool
from OCP.GeomAdaptor import GeomAdaptor_Surface
from OCP.gp import gp_Pnt, gp_Vec
from OCP.TopLoc import TopLoc_Location
from OCP.TopoDS import TopoDS_Face

from brep_mae.schema import SURFACE_TYPES

Evaluate = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
CLOSED_FORMS = ("plane", "cylinder", "cone", "sphere", "torus")

_OCCT_TYPES = {
    "Plane": "plane",
    "Cylinder": "cylinder",
    "Cone": "cone",
    "Sphere": "sphere",
    "Torus": "torus",
    "BezierSurface": "bezier",
    "BSplineSurface": "bspline",
    "SurfaceOfRevolution": "revolution",
    "SurfaceOfExtrusion": "extrusion",
    "OffsetSurface": "offset",
    "OtherSurface": "other",
}


@dataclass(frozen=True)
class Frame:
    """Where a surface sits: origin and three axes in mm, after the face's placement.

    The axes are orthogonal; they are longer than 1 where the placement scales, and of either handedness. `handed`
    is the handedness (+1, -1) before the placement, which fixes the sign of Du x Dv.
    """

    origin: np.ndarray
    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    handed: float
    length: float


@dataclass(frozen=True)
class Surface:
    """A surface under its placement.

    Args:
        kind: one of schema.SURFACE_TYPES.
        evaluate: uv (N, 2) -> points in mm (N, 3) and unit normals (N, 3).
        period: in u and v, 0 where the surface does not repeat.
        mirrored: True where the placement turns left into right.
        frame: of a closed form, None otherwise.

    The normal is Du x Dv of the unplaced surface, carried along as a vector: a mirroring placement moves the material
    together with the normal, so "outward" stays outward. Where Du x Dv vanishes the normal is its limit from inside
    the domain; where there is none it is zero.
    """

    kind: str
    evaluate: Evaluate
    period: tuple[float, float]
    mirrored: bool
    frame: Frame | None


def surface_of(face: TopoDS_Face) -> Surface:
    location = TopLoc_Location()
    adaptor = GeomAdaptor_Surface(BRep_Tool.Surface_s(face, location))
    kind = _OCCT_TYPES[adaptor.GetType().name.removeprefix("GeomAbs_")]
    assert kind in SURFACE_TYPES
    matrix, offset = _placement(location)
    period = (
        adaptor.UPeriod() if adaptor.IsUPeriodic() else 0.0,
        adaptor.VPeriod() if adaptor.IsVPeriodic() else 0.0,
    )
    mirrored = not location.IsIdentity() and location.Transformation().IsNegative()
    if kind not in CLOSED_FORMS:
        return Surface(kind, _point_by_point(adaptor, matrix, offset), period, mirrored, None)
    shape = getattr(adaptor, kind.capitalize())()
    frame = _frame(shape.Position(), matrix, offset)
    return Surface(kind, _closed_form(kind, shape, frame), period, mirrored, frame)


def _placement(location: Any) -> tuple[np.ndarray, np.ndarray]:
    if location.IsIdentity():
        return np.eye(3), np.zeros(3)
    trsf = location.Transformation()
    rows = np.array([[trsf.Value(i, j) for j in (1, 2, 3, 4)] for i in (1, 2, 3)])
    return rows[:, :3], rows[:, 3]


def _frame(position: Any, matrix: np.ndarray, offset: np.ndarray) -> Frame:
    origin, x, y, z = np.array(
        [
            position.Location().Coord(),
            position.XDirection().Coord(),
            position.YDirection().Coord(),
            position.Direction().Coord(),
        ]
    )
    handed = 1.0 if position.Direct() else -1.0
    x, y, z = x @ matrix.T, y @ matrix.T, z @ matrix.T
    return Frame(matrix @ origin + offset, x, y, z, handed, float(np.linalg.norm(x)))


def _signs(width: np.ndarray) -> np.ndarray:
    """Sign of the distance from the axis; where it is zero (an apex), the sign that the rest of the samples has."""
    tiny = np.abs(width) <= 1e-12 * max(float(np.abs(width).max(initial=0.0)), 1e-300)
    return np.where(tiny, 1.0 if width.sum() >= 0 else -1.0, np.sign(width))[:, None]


def _closed_form(kind: str, shape: Any, f: Frame) -> Evaluate:
    """Closed forms in OCCT's parameters; u turns about the axis z, starting at x."""

    def plane(uv: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return f.origin + uv @ across, np.repeat(upright, len(uv), axis=0)

    def spoke(uv: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        u, v = uv[:, :1], uv[:, 1:]
        return np.cos(u) * f.x + np.sin(u) * f.y, v

    def cylinder(uv: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        out, v = spoke(uv)
        return f.origin + radius * out + v * f.z, f.handed / f.length * out

    def cone(uv: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        out, v = spoke(uv)
        width = radius + v * np.sin(half_angle)
        normal = np.cos(half_angle) * out - np.sin(half_angle) * f.z
        points = f.origin + width * out + v * np.cos(half_angle) * f.z
        return points, f.handed / f.length * _signs(width[:, 0]) * normal

    def sphere(uv: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        out, v = spoke(uv)
        radial = np.cos(v) * out + np.sin(v) * f.z
        return f.origin + radius * radial, f.handed / f.length * radial

    def torus(uv: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        out, v = spoke(uv)
        radial = np.cos(v) * out + np.sin(v) * f.z
        signs = _signs((major + minor * np.cos(v))[:, 0])
        return f.origin + major * out + minor * radial, f.handed / f.length * signs * radial

    if kind == "plane":
        across, upright = np.array([f.x, f.y]), f.handed / f.length * f.z[None]
    elif kind in ("cylinder", "sphere"):
        radius = shape.Radius()
    elif kind == "cone":
        radius, half_angle = shape.RefRadius(), shape.SemiAngle()
    elif kind == "torus":
        major, minor = shape.MajorRadius(), shape.MinorRadius()
    return {"plane": plane, "cylinder": cylinder, "cone": cone, "sphere": sphere, "torus": torus}[kind]


def _point_by_point(adaptor: Any, matrix: np.ndarray, offset: np.ndarray) -> Evaluate:
    """OCCT's own D1. Beyond the surface's own domain it goes on along the tangent plane of the nearest point there,
    since polynomials run away outside their knots.
    """
    low = np.array([adaptor.FirstUParameter(), adaptor.FirstVParameter()])
    high = np.array([adaptor.LastUParameter(), adaptor.LastVParameter()])
    for axis, periodic in enumerate((adaptor.IsUPeriodic(), adaptor.IsVPeriodic())):
        if periodic:
            low[axis], high[axis] = -np.inf, np.inf
    point, du, dv = gp_Pnt(), gp_Vec(), gp_Vec()

    def d1(u: float, v: float) -> tuple[float, ...]:
        adaptor.D1(u, v, point, du, dv)
        return (*point.Coord(), *du.Coord(), *dv.Coord())

    def evaluate(uv: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        near = np.clip(uv, low, high)
        rows = np.array([d1(u, v) for u, v in near.tolist()]).reshape(-1, 3, 3)
        points, along_u, along_v = rows[:, 0], rows[:, 1], rows[:, 2]
        beyond = uv - near
        points = points + beyond[:, :1] * along_u + beyond[:, 1:] * along_v
        normals = np.cross(along_u, along_v)
        size = np.linalg.norm(normals, axis=1)
        lengths = np.linalg.norm(along_u, axis=1) * np.linalg.norm(along_v, axis=1)
        for i in np.flatnonzero(size <= 1e-8 * max(float(lengths.max(initial=0.0)), 1e-300)):
            normals[i] = limit(near[i])
            size[i] = np.linalg.norm(normals[i])
        normals = normals / np.where(size > 0, size, 1.0)[:, None]
        scale = np.linalg.norm(matrix[:, 0])
        return points @ matrix.T + offset, normals @ matrix.T / scale

    def limit(uv: np.ndarray) -> np.ndarray:
        """Du x Dv a little towards the middle of the domain, from a point where it vanishes."""
        finite = np.where(np.isfinite(low) & np.isfinite(high), (low + high) / 2, uv)
        for step in (1e-4, 1e-3, 1e-2):
            row = np.array(d1(*(uv + step * (finite - uv)).tolist())).reshape(3, 3)
            normal = np.cross(row[1], row[2])
            if np.linalg.norm(normal) > 1e-12 * np.linalg.norm(row[1]) * np.linalg.norm(row[2]):
                return normal
        return np.zeros(3)

    return evaluate
