"""What one stored face graph holds: names, shapes, dtypes and units, and the check that a record keeps to them.

Every other module speaks in these names. Nodes are the faces of one solid, in the order of OCCT's
`TopExp::MapShapes`; arcs are its coedges that lie between two faces, one arc per coedge, so that an edge
shared by faces i and j gives the arc i -> j and the arc j -> i, and two faces that share two edges keep both.
"""

from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

VERSION = 4
"""Goes into every shard and checkpoint; raised whenever a stored array changes its meaning."""

MIN_FACES = 2
"""A solid with fewer faces cannot be masked: one face hidden needs another one seen."""

UNLABELLED = -1

SURFACE_TYPES = (
    "plane",
    "cylinder",
    "cone",
    "sphere",
    "torus",
    "bezier",
    "bspline",
    "revolution",
    "extrusion",
    "offset",
    "other",
)
CURVE_TYPES = ("line", "circle", "ellipse", "hyperbola", "parabola", "bezier", "bspline", "offset", "other")
CONVEXITY = ("concave", "smooth", "convex")

POINT, NORMAL, INSIDE = slice(0, 3), slice(3, 6), 6
"""Channels of a UV-grid: point (mm from `center_mm`), outward unit normal, 1 where the sample lies inside the trimming
loops."""

TANGENT = slice(3, 6)
"""Channels of a U-grid after the point (mm from `center_mm`): unit tangent, the source face on its left seen from
outside."""

FIELD_UV, FIELD_POINT, FIELD_DISTANCE = slice(0, 2), slice(2, 5), 5
"""Channels of a field sample: uv in the unit box of the trimmed face, point (mm from `center_mm`), signed distance
(inside < 0)."""

NO_COLOR = -1


def _array(dtype: str, *axes: str | int) -> Any:
    return field(metadata={"dtype": dtype, "axes": axes})


@dataclass(frozen=True)
class FaceGraph:
    """One solid. Axes: F faces, A arcs, E edges, C coedges, P vertices, U and V grid samples, S field samples per face.

    `uid` is the first 16 hex digits of the file's SHA-256, `#`, and the number of the solid in the file. `product` and
    `assembly` (names from the root down, joined by "/") say what the file calls it and where it hangs.
    Lengths are millimetres whatever the file's unit was; `unit_mm` tells that unit. `center_mm`, the middle of the
    bounding box, is where the solid lies in the file; every other point is stored as its way from there, so that a
    part far from the origin keeps its shape. `scale_mm` (half the longest side of the bounding box) makes points fill
    [-1, 1]^3, the frame of everything called `_unit`.
    Labels are `UNLABELLED` and colours (0 to 255) `NO_COLOR` where there are none. Labels are no part of a shard: they
    are joined when a record is read.

    `face_box_mm` is low and high corner; `face_axes` are rows: u direction, n x u, mean outward normal n (where that
    vanishes, the axis). `face_curvature` holds the principal curvatures (1/mm, larger first, positive where the solid
    bulges); its last axis K is 2, or 0 where they were not asked for. `face_parent` is the face of the file that a
    face was split from, its own number where nothing was split.

    `face_recognised` and `edge_recognised` are True where the file holds a free-form surface or curve that is a closed
    form within the tolerance of `brep.solid.face_forms`: type and parameters are those of the closed form, points,
    normals, areas and lengths those of the file.

    E counts the edges that have a curve, C their uses by faces: `coedge_index` is (face, edge), `coedge_forward` True
    where the edge's own direction has the face on its left seen from outside. `edge_vertex` is (start, end), -1 where
    there is none. The 21, 18 and 3 parameters of faces, edges and vertices are those of Jones et al. 2023
    (arXiv:2210.10807), see `brep.analytic`.
    """

    uid: str
    file: str
    solid: int
    name: str
    unit_mm: float
    face_name: list[str]
    center_mm: np.ndarray = _array("float64", 3)
    scale_mm: np.ndarray = _array("float64")
    face_grid: np.ndarray = _array("float32", "F", "U", "V", 7)
    face_type: np.ndarray = _array("int8", "F")
    face_recognised: np.ndarray = _array("bool", "F")
    face_area_mm2: np.ndarray = _array("float32", "F")
    face_loops: np.ndarray = _array("int16", "F")
    face_box_mm: np.ndarray = _array("float32", "F", 6)
    face_centroid_mm: np.ndarray = _array("float32", "F", 3)
    face_axes: np.ndarray = _array("float32", "F", 3, 3)
    face_curvature: np.ndarray = _array("float32", "F", "U", "V", "K")
    face_params_unit: np.ndarray = _array("float32", "F", 21)
    face_color: np.ndarray = _array("int16", "F", 3)
    face_parent: np.ndarray = _array("int32", "F")
    face_label: np.ndarray = _array("int16", "F")
    edge_recognised: np.ndarray = _array("bool", "E")
    edge_params_unit: np.ndarray = _array("float32", "E", 18)
    edge_vertex: np.ndarray = _array("int32", 2, "E")
    vertex_unit: np.ndarray = _array("float32", "P", 3)
    coedge_index: np.ndarray = _array("int32", 2, "C")
    coedge_forward: np.ndarray = _array("bool", "C")
    arc_index: np.ndarray = _array("int32", 2, "A")
    arc_edge: np.ndarray = _array("int32", "A")
    arc_grid: np.ndarray = _array("float32", "A", "U", 6)
    arc_type: np.ndarray = _array("int8", "A")
    arc_convexity: np.ndarray = _array("int8", "A")
    arc_angle_rad: np.ndarray = _array("float32", "A")
    arc_length_mm: np.ndarray = _array("float32", "A")
    arc_seam: np.ndarray = _array("bool", "A")
    field_samples: np.ndarray = _array("float32", "F", "S", 6)
    field_bounded: np.ndarray = _array("bool", "F")
    part_label: int = UNLABELLED
    product: str = ""
    assembly: str = ""

    @property
    def n_faces(self) -> int:
        return len(self.face_type)


def take(graph: "FaceGraph", faces: np.ndarray) -> "FaceGraph":
    """The solid as if it had these faces alone, in this order, and of arcs and coedges those that lie on them.

    Edges and vertices stay, and so do the solid's place and scale.

    Args:
        faces: numbers, each at most once.
    """
    new = np.full(graph.n_faces, -1, np.int32)
    new[faces] = np.arange(len(faces), dtype=np.int32)
    kept = {"F": faces, "A": (new[graph.arc_index] >= 0).all(0), "C": new[graph.coedge_index[0]] >= 0}
    taken: dict[str, Any] = {"face_name": [graph.face_name[number] for number in faces]}
    for name, (_, axes) in ARRAYS.items():
        array = getattr(graph, name)
        for place, axis in enumerate(axes):
            if axis in kept:
                array = array[(slice(None),) * place + (kept[axis],)]
        taken[name] = array
    taken["arc_index"] = new[taken["arc_index"]]
    taken["coedge_index"] = np.stack([new[taken["coedge_index"][0]], taken["coedge_index"][1]])
    return replace(graph, **taken)


ARRAYS: dict[str, tuple[str, tuple[str | int, ...]]] = {
    f.name: (f.metadata["dtype"], f.metadata["axes"]) for f in fields(FaceGraph) if f.metadata
}
"""Array name -> (dtype, axes); letters are axes that agree within one record."""


def validate(graph: FaceGraph) -> FaceGraph:
    """Returns `graph` if every array keeps to its dtype and axes; a ValueError names the first that does not."""
    sizes: dict[str, int] = {}
    for name, (dtype, axes) in ARRAYS.items():
        array = getattr(graph, name)
        if array.dtype != np.dtype(dtype):
            raise ValueError(f"{graph.uid}: {name} is {array.dtype}, expected {dtype}")
        if array.ndim != len(axes):
            raise ValueError(f"{graph.uid}: {name} has shape {array.shape}, expected axes {axes}")
        for axis, size in zip(axes, array.shape, strict=True):
            expected = sizes.setdefault(axis, size) if isinstance(axis, str) else axis
            if size != expected:
                raise ValueError(f"{graph.uid}: {name} has shape {array.shape}, axis {axis} should be {expected}")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(f"{graph.uid}: {name} holds NaN or infinity")
    if len(graph.face_name) != sizes["F"]:
        raise ValueError(f"{graph.uid}: {len(graph.face_name)} face names for {sizes['F']} faces")
    if graph.arc_index.size and not 0 <= graph.arc_index.min() <= graph.arc_index.max() < sizes["F"]:
        raise ValueError(f"{graph.uid}: arc_index points outside the {sizes['F']} faces")
    for name, indices, size in (
        ("arc_edge", graph.arc_edge, sizes["E"]),
        ("coedge_index", graph.coedge_index[0], sizes["F"]),
        ("coedge_index", graph.coedge_index[1], sizes["E"]),
        ("edge_vertex", graph.edge_vertex + 1, sizes["P"] + 1),
        ("face_parent", graph.face_parent, 1 << 31),
    ):
        if indices.size and not 0 <= indices.min() <= indices.max() < size:
            raise ValueError(f"{graph.uid}: {name} points outside the {size} that there are")
    return graph
