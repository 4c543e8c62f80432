"""What the surfaces of faces are, also where a file holds planes, cylinders, cones, spheres and tori as free-form ones.

Commercial systems can export everything as B-splines, and older IGES files hold surfaces of revolution alone. The
kernel proposes a closed form, from lines of constant parameter; it counts where points and normals of the file's
surface agree with it. The face is then named after it, and nothing else changes: samples, areas and parametrisation
stay those of the file.
"""

from dataclasses import dataclass

import numpy as np
from OCP.BRep import BRep_Builder, BRep_Tool
from OCP.GeomConvert import GeomConvert_SurfToAnaSurf
from OCP.Standard import Standard_Failure, Standard_OutOfMemory
from OCP.TopLoc import TopLoc_Location
from OCP.TopoDS import TopoDS_Face

from brep_mae.brep.faces.topology import Topology
from brep_mae.brep.faces.trimming import Trimming
from brep_mae.brep.geometry.surfaces import CONE, CYLINDER, PLANE, SPHERE, TORUS, Surfaces
from brep_mae.brep.geometry.untrimmed import untrimmed
from brep_mae.brep.vectors import cross

NEAR = 1e-4
"""Greatest distance from the closed form, as a share of the diagonal of the face's or edge's own box: exporters leave
up to 0.01 mm on a part of 100 mm. By its own size, for a small fillet on a large part is no plane."""
EXACT = 1e-7
"""What is tried first: a short piece of a torus, exact as a spline, is near to a cylinder as well."""
ALIGNED = np.deg2rad(0.1)
"""Greatest angle between normals or tangents and those of the closed form: a tenth of what makes an edge smooth. On a
long fillet, where distances allow much, it is the narrower of the two."""
SIDE = 9
NODES = (1 - np.cos(np.pi * np.arange(SIDE) / (SIDE - 1))) / 2
"""Where faces are compared along each parameter: at uneven steps, which no waves on a surface can keep time with."""
INNER = slice(1, -1)
"""Normals count between the ends: at a pole or apex there are none."""


@dataclass
class FaceForms:
    """Of F faces, where the part was made.

    Args:
        kind: (F,) index in schema.SURFACE_TYPES; what follows is zero where that is no closed form.
        origin, x, z: (F, 3) frame: a point in mm, the reference direction, and the surface's own normal where it is a
            plane or else the axis, unit vectors.
        radius, minor: (F,) as in `Surfaces`, in mm.
        half_angle_rad: (F,) of a cone.
        inward: (F,) True where the own normal of a round surface looks inwards.
        recognised: (F,) True where the file holds a free-form surface.
    """

    kind: np.ndarray
    origin: np.ndarray
    x: np.ndarray
    z: np.ndarray
    radius: np.ndarray
    minor: np.ndarray
    half_angle_rad: np.ndarray
    inward: np.ndarray
    recognised: np.ndarray

    @classmethod
    def of(cls, surfaces: Surfaces) -> "FaceForms":
        """As the file has them."""
        flat, left_handed = surfaces.kind == PLANE, surfaces.handed < 0
        z = surfaces.z / surfaces.scale[:, None]
        return cls(
            kind=surfaces.kind,
            origin=surfaces.origin,
            x=surfaces.x / surfaces.scale[:, None],
            z=np.where((flat & left_handed)[:, None], -z, z),
            radius=surfaces.radius * surfaces.scale,
            minor=surfaces.minor * surfaces.scale,
            half_angle_rad=surfaces.half_angle_rad,
            inward=left_handed & ~flat,
            recognised=np.zeros(len(surfaces.kind), bool),
        )


def recognised_faces(topology: Topology, surfaces: Surfaces, trimming: Trimming) -> FaceForms:
    """The forms of all faces."""
    forms = FaceForms.of(surfaces)
    if not surfaces.free:
        return forms
    free = np.array(list(surfaces.free))
    points, normals = _compared(free, surfaces, trimming)
    size = _diagonal(points)
    proposed = [_proposed(topology.faces[face], mm) for face, mm in zip(free.tolist(), size.tolist(), strict=True)]
    some = [place for place, face in enumerate(proposed) if face is not None]
    if not some:
        return forms
    free, points, normals, size = free[some], points[some], normals[some], size[some]
    closed = Surfaces([proposed[place] for place in some])
    nearest, ways = closed.evaluate(np.repeat(np.arange(len(free)), SIDE * SIDE), _nearest(closed, points))
    distance = np.linalg.norm(points - nearest.reshape(points.shape), axis=-1).max(axis=(1, 2))
    agreement = (normals * ways.reshape(points.shape)).sum(axis=-1)[:, INNER, INNER]
    chosen = (distance <= NEAR * size) & (np.abs(agreement).min(axis=(1, 2)) >= np.cos(ALIGNED))
    found = _set_up(FaceForms.of(closed), points, agreement.mean(axis=(1, 2)) < 0)
    changed = {name: values.copy() for name, values in vars(forms).items()}
    for name, values in changed.items():
        values[free[chosen]] = getattr(found, name)[chosen]
    return FaceForms(**changed)


def _compared(faces: np.ndarray, surfaces: Surfaces, trimming: Trimming) -> tuple[np.ndarray, np.ndarray]:
    """Points in mm and normals of some faces over the boxes of their loops. Shapes: (k,) -> twice (k, SIDE, SIDE, 3)"""
    unit = np.stack(np.meshgrid(NODES, NODES, indexing="ij"), axis=-1).reshape(-1, 2)
    uv = trimming.low[faces, None] + unit * trimming.extent[faces, None]
    found = surfaces.evaluate(np.repeat(faces, SIDE * SIDE), uv.reshape(-1, 2), SIDE)
    points, normals = (values.reshape(-1, SIDE, SIDE, 3) for values in found)
    return points, normals


def _diagonal(points: np.ndarray) -> np.ndarray:
    flat = points.reshape(len(points), -1, 3)
    return np.asarray(np.linalg.norm(flat.max(axis=1) - flat.min(axis=1), axis=1))


def _proposed(face: TopoDS_Face, size: float) -> TopoDS_Face | None:
    """A face on the closed form that the kernel sees in a free-form one of that size in mm, None where it sees none."""
    location = TopLoc_Location()
    surface = untrimmed(BRep_Tool.Surface_s(face, location))
    for share in (EXACT, NEAR):
        try:
            found = GeomConvert_SurfToAnaSurf(surface).ConvertToAnalytical(share * size)
        except Standard_OutOfMemory:
            raise
        except Standard_Failure:
            continue
        if found is not None:
            seen = TopoDS_Face()
            BRep_Builder().MakeFace(seen, found, location, share * size)
            return seen
    return None


def _nearest(closed: Surfaces, points: np.ndarray) -> np.ndarray:
    """Parameters of the points of closed forms next to given ones. Shapes: (k, n, m, 3) -> (k * n * m, 2)"""
    kind, radius, slope = (x[:, None, None] for x in (closed.kind, closed.radius, closed.half_angle_rad))
    away = points - closed.origin[:, None, None]
    along_x, along_y, height = (
        (away * (axis / closed.scale[:, None] ** 2)[:, None, None]).sum(axis=-1)
        for axis in (closed.x, closed.y, closed.z)
    )
    turn, width = np.arctan2(along_y, along_x), np.hypot(along_x, along_y)
    beyond = (kind == CONE) & (radius + height * np.tan(slope) < 0)  # the apex
    width = np.where(beyond, -width, width)
    u = np.where(kind == PLANE, along_x, np.where(beyond, turn + np.pi, turn))
    v = np.select(
        [kind == PLANE, kind == CYLINDER, kind == CONE, kind == TORUS],
        [
            along_y,
            height,
            (width - radius) * np.sin(slope) + height * np.cos(slope),
            np.arctan2(height, width - radius),
        ],
        np.arctan2(height, width),
    )
    return np.stack([u, v], axis=-1).reshape(-1, 2)


def _set_up(forms: FaceForms, points: np.ndarray, against: np.ndarray) -> FaceForms:
    """The frames as if the kernel had made the faces: u turns about the axis and starts in the reference direction, a
    cone's radius is the one at the start of v.

    Args:
        against: (k,) True where the normals of closed form and file look opposite ways.

    Shapes: (k, SIDE, SIDE, 3) points in mm.
    """
    flat, cone, sphere = (forms.kind == kind for kind in (PLANE, CONE, SPHERE))
    middle, origin = SIDE // 2, forms.origin
    bend_u, bend_v = (_bend(lines) for lines in (points, points.swapaxes(1, 2)))
    z = np.where(sphere[:, None], _unit(bend_u, forms.z), forms.z)
    turn_u, turn_v = (bend_u * z).sum(axis=1), (bend_v * z).sum(axis=1)
    by_u = np.abs(turn_u) >= np.abs(turn_v)
    turned = np.where(flat, against, np.where(by_u, turn_u, turn_v) < 0)
    z = np.where(turned[:, None], -z, z)
    start = np.where(by_u[:, None], points[:, 0, middle], points[:, middle, 0]) - origin
    x = np.where(flat[:, None], points[:, 1, middle] - points[:, 0, middle], start)
    x -= (x * z).sum(axis=1, keepdims=True) * z
    slope = np.where(turned, -forms.half_angle_rad, forms.half_angle_rad)
    heights = ((points[:, [0, middle], [0, middle]] - origin[:, None]) * z[:, None]).sum(axis=-1)
    widths = forms.radius[:, None] + heights * np.tan(slope)[:, None]
    other_half = cone & (widths[:, 1] < 0)
    return FaceForms(
        kind=forms.kind,
        origin=np.where(cone[:, None], origin + heights[:, :1] * z, origin),
        x=_unit(x, forms.x),
        z=z,
        radius=np.where(cone, np.abs(widths[:, 0]), forms.radius),
        minor=forms.minor,
        half_angle_rad=np.where(other_half, -slope, slope),
        inward=~flat & (forms.inward ^ against),
        recognised=np.ones(len(z), bool),
    )


def _bend(lines: np.ndarray) -> np.ndarray:
    """What polylines turn about, times twice the area of their corners. Shapes: (k, n, m, 3) along n -> (k, 3)"""
    steps = np.diff(lines, axis=1)
    return np.asarray(cross(steps[:, :-1], steps[:, 1:]).sum(axis=(1, 2)))


def _unit(vectors: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.where(length > 0, vectors / np.where(length > 0, length, 1.0), otherwise)
