"""The surfaces of a solid's faces as functions of many (u, v) at once.

Plane, cylinder, cone, sphere and torus are closed forms over numpy arrays, all faces together; so are the free-form
surfaces among themselves (see `freeform`).
"""

from typing import Any

import numpy as np
from OCP.BRep import BRep_Tool
from OCP.TopLoc import TopLoc_Location
from OCP.TopoDS import TopoDS_Face

from brep_mae.brep.geometry.freeform import FreeForm, FreeForms
from brep_mae.brep.geometry.untrimmed import untrimmed
from brep_mae.brep.ragged import run
from brep_mae.brep.reject import Reject
from brep_mae.schema import SURFACE_TYPES

PLANE, CYLINDER, CONE, SPHERE, TORUS = (
    SURFACE_TYPES.index(kind) for kind in ("plane", "cylinder", "cone", "sphere", "torus")
)
REVOLUTION = SURFACE_TYPES.index("revolution")
_CLOSED = {
    "Geom_Plane": PLANE,
    "Geom_CylindricalSurface": CYLINDER,
    "Geom_ConicalSurface": CONE,
    "Geom_SphericalSurface": SPHERE,
    "Geom_ToroidalSurface": TORUS,
}
_FREE = {
    "Geom_BezierSurface": SURFACE_TYPES.index("bezier"),
    "Geom_BSplineSurface": SURFACE_TYPES.index("bspline"),
    "Geom_SurfaceOfRevolution": REVOLUTION,
    "Geom_SurfaceOfLinearExtrusion": SURFACE_TYPES.index("extrusion"),
    "Geom_OffsetSurface": SURFACE_TYPES.index("offset"),
}


class Surfaces:
    """Surfaces of F faces under their placements, parametrised as in OCCT.

    The normal is Du x Dv of the unplaced surface, carried along as a vector: a mirroring placement moves the material
    together with the normal, so "outward" stays outward. Where Du x Dv vanishes the normal is its limit from inside
    the domain; where there is none it is zero.

    Attributes:
        kind (F,) index in schema.SURFACE_TYPES.
        period (F, 2) in u and v, 0 where the surface does not repeat.
        mirrored (F,) True where the placement turns left into right.
        origin, x, y, z (F, 3) frame of a closed form in mm, placed; the axes are as long as the placement scales.
        handed (F,) handedness (+1, -1) of the frame before the placement; scale (F,) length of its axes.
        radius (F,) of a cylinder, a sphere, a cone at v = 0, or the large one of a torus; minor (F,) of a torus;
        half_angle_rad (F,) of a cone. Unplaced lengths, zero where they do not apply.
        free: the other surfaces by face.
    """

    def __init__(self, faces: list[TopoDS_Face]) -> None:
        count = len(faces)
        self.kind, self.handed, self.scale = np.zeros(count, np.int64), np.ones(count), np.ones(count)
        self.period, self.mirrored = np.zeros((count, 2)), np.zeros(count, bool)
        self.radius, self.minor, self.half_angle_rad = np.zeros((3, count))
        location = TopLoc_Location()
        frames: list[tuple[tuple[float, ...], ...]] = []
        free: dict[int, Any] = {}
        placed: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        for number, face in enumerate(faces):
            surface = BRep_Tool.Surface_s(face, location)
            if surface is None:
                raise Reject("no_geometry", f"face {number} has no surface, it is a mesh at most")
            basis, name = surface, type(surface).__name__
            if name == "Geom_RectangularTrimmedSurface":
                basis = untrimmed(surface)
                name = type(basis).__name__
            kind = _CLOSED.get(name)
            if kind is None:
                self.kind[number] = _FREE.get(name, len(SURFACE_TYPES) - 1)
                free[number] = surface
                frames.append(((0.0,) * 3,) * 4)
            else:
                self.kind[number] = kind
                frames.append(self._read(number, kind, basis))
            if not location.IsIdentity():
                trsf = location.Transformation()
                rows = np.array([[trsf.Value(i, j) for j in (1, 2, 3, 4)] for i in (1, 2, 3)])
                placed[number] = rows[:, :3], rows[:, 3]
                self.mirrored[number] = trsf.IsNegative()
                self.scale[number] = np.linalg.norm(rows[:, 0])
                location = TopLoc_Location()
        self._forms = FreeForms(list(free.values()))
        self.free = {number: FreeForm(self._forms, row) for row, number in enumerate(free)}
        self._row = np.full(count, -1)
        self._row[list(free)] = np.arange(len(free))
        self.period[list(free)] = self._forms.period
        frame = np.array(frames, float).reshape(-1, 4, 3)
        for number, (matrix, offset) in placed.items():
            frame[number] = frame[number] @ matrix.T
            frame[number, 0] += offset
            if number in free:
                self._forms.place(self._row[number], matrix, offset)
        self.origin, self.x, self.y, self.z = frame.transpose(1, 0, 2)

    def _read(self, number: int, kind: int, shape: Any) -> tuple[tuple[float, ...], ...]:
        if kind in (CYLINDER, SPHERE):
            self.radius[number] = shape.Radius()
        elif kind == CONE:
            self.radius[number], self.half_angle_rad[number] = shape.RefRadius(), shape.SemiAngle()
        elif kind == TORUS:
            self.radius[number], self.minor[number] = shape.MajorRadius(), shape.MinorRadius()
        if kind != PLANE:
            self.period[number] = 2 * np.pi, 2 * np.pi if kind == TORUS else 0.0
        position = shape.Position()
        if not position.Direct():
            self.handed[number] = -1.0
        return (
            position.Location().Coord(),
            position.XDirection().Coord(),
            position.YDirection().Coord(),
            position.Direction().Coord(),
        )

    def evaluate(self, index: np.ndarray, uv: np.ndarray, side: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Points in mm and unit normals of the surfaces `index`.

        Args:
            side: not 0 where the points of every face are a grid of `side` by `side`, row by row, which is faster.

        Shapes: (N,), (N, 2) -> twice (N, 3)
        """
        row = self._row[index]
        free = row >= 0
        if not free.any():
            return self._closed(index, uv)
        points, normals = np.empty((2, len(index), 3))
        points[~free], normals[~free] = self._closed(index[~free], uv[~free])
        step = side or 1  # a scattered point is a grid of one
        each = uv[free].reshape(-1, step * step, 2)
        found = self._forms.evaluate(row[free][:: step * step], each[:, ::step, 0], each[:, :step, 1])
        points[free], normals[free] = (values.reshape(-1, 3) for values in found)
        return points, normals

    def _closed(self, index: np.ndarray, uv: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`evaluate` for closed forms."""
        kind, u, v = self.kind[index], uv[:, 0], uv[:, 1]
        flat = kind == PLANE
        x, y, z = self.x[index], self.y[index], self.z[index]
        if flat.all():
            points = self.origin[index] + u[:, None] * x + v[:, None] * y
            return points, (self.handed / self.scale)[index, None] * z
        # A turning surface is origin + width(v) (cos u x + sin u y) + height(v) z, and so is its normal.
        width, height, out, up = self._profile(index, kind, v)
        cos, sin = np.cos(u), np.sin(u)
        a, b, c = np.where(flat, u, width * cos), np.where(flat, v, width * sin), np.where(flat, 0.0, height)
        points = self.origin[index] + a[:, None] * x + b[:, None] * y + c[:, None] * z
        out, up = np.where(flat, 0.0, out), np.where(flat, 1.0, up)
        normals = (out * cos)[:, None] * x + (out * sin)[:, None] * y + up[:, None] * z
        normals *= (self.handed / self.scale)[index, None]
        return points, normals

    def element(self, index: np.ndarray, uv: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points in mm and Du x Dv in mm^2 of closed forms. Shapes: (N,), (N, 2) -> twice (N, 3)"""
        kind = self.kind[index]
        width = np.abs(self._profile(index, kind, uv[:, 1])[0])
        arm = np.where(kind == TORUS, self.minor[index], np.where(kind == SPHERE, self.radius[index], 1.0))
        points, normals = self._closed(index, uv)
        return points, (np.where(kind == PLANE, 1.0, width * arm) * self.scale[index] ** 2)[:, None] * normals

    def elements(self, faces: np.ndarray, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same on grids over free-form surfaces. Shapes: (k,), (k, n), (k, m) -> twice (k, n, m, 3)"""
        return self._forms.element(self._row[faces], u, v)

    def points(self, faces: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """The points alone, as `elements`. Shapes: -> (k, n, m, 3)"""
        return self._forms.points(self._row[faces], u, v)

    def _profile(
        self, index: np.ndarray, kind: np.ndarray, v: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Distance from the axis, height along it, and the normal's share in each direction. Shapes: (N,) each."""
        radius, minor, slope = self.radius[index], self.minor[index], self.half_angle_rad[index]
        cos, sin = np.cos(v), np.sin(v)
        is_cylinder, is_cone, is_torus = kind == CYLINDER, kind == CONE, kind == TORUS
        round_width = np.where(is_torus, radius + minor * cos, radius * cos)
        width = np.where(is_cylinder, radius, np.where(is_cone, radius + v * np.sin(slope), round_width))
        height = np.where(is_cylinder, v, np.where(is_cone, v * np.cos(slope), np.where(is_torus, minor, radius) * sin))
        out = np.where(is_cylinder, 1.0, np.where(is_cone, np.cos(slope), cos))
        up = np.where(is_cylinder, 0.0, np.where(is_cone, -np.sin(slope), sin))
        crossing = is_cone | is_torus  # Du turns round where the width changes its sign
        if crossing.any():
            sign = self._signs(index, np.where(crossing, width, 1.0))
            out, up = out * sign, up * sign
        return width, height, out, up

    def _signs(self, index: np.ndarray, width: np.ndarray) -> np.ndarray:
        """Sign of the width; where it is zero (an apex), the sign that the rest of the face's samples has."""
        total = np.bincount(index, width, len(self.kind))
        most = np.zeros(len(self.kind))
        np.maximum.at(most, index, np.abs(width))
        tiny = np.abs(width) <= 1e-12 * np.maximum(most, 1e-300)[index]
        return np.where(tiny, np.where(total[index] >= 0, 1.0, -1.0), np.sign(width))

    def run(self, start: int, stop: int) -> "Surfaces":
        """Those of the faces from `start` to before `stop`."""
        other = run(self, start, stop)
        other.free = {number - start: form for number, form in self.free.items() if start <= number < stop}
        return other
