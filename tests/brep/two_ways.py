"""Solids drawn at random, and what reading each through STEP and through BREP gives beside the kernel's own numbers."""

import itertools
import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from OCP.BRep import BRep_Tool
from OCP.BRepAdaptor import BRepAdaptor_Surface
from OCP.BRepAlgoAPI import BRepAlgoAPI_Common, BRepAlgoAPI_Cut, BRepAlgoAPI_Fuse
from OCP.BRepBuilderAPI import BRepBuilderAPI_MakeEdge, BRepBuilderAPI_MakeFace, BRepBuilderAPI_MakeWire
from OCP.BRepCheck import BRepCheck_Analyzer
from OCP.BRepClass import BRepClass_FaceClassifier
from OCP.BRepGProp import BRepGProp
from OCP.BRepPrimAPI import (
    BRepPrimAPI_MakeBox,
    BRepPrimAPI_MakeCone,
    BRepPrimAPI_MakeCylinder,
    BRepPrimAPI_MakePrism,
    BRepPrimAPI_MakeRevol,
    BRepPrimAPI_MakeSphere,
    BRepPrimAPI_MakeTorus,
)
from OCP.BRepTools import BRepTools
from OCP.BRepTopAdaptor import BRepTopAdaptor_FClass2d
from OCP.Geom import Geom_BezierCurve
from OCP.gp import gp_Ax1, gp_Ax2, gp_Dir, gp_Pnt, gp_Pnt2d, gp_Vec
from OCP.GProp import GProp_GProps
from OCP.Message import Message_ProgressRange
from OCP.Standard import Standard_Failure
from OCP.TColgp import TColgp_Array1OfPnt
from OCP.TopAbs import TopAbs_FACE, TopAbs_IN, TopAbs_SOLID, TopAbs_VERTEX
from OCP.TopoDS import TopoDS, TopoDS_Face, TopoDS_Shape

from brep_mae.brep.faces.topology import REVERSED
from brep_mae.brep.graph.file_graphs import file_graphs
from brep_mae.brep.read.solids import subshapes
from brep_mae.brep.read.step import Reading, read_solids
from brep_mae.brep.reject import Reject
from brep_mae.brep.render.mesh import tessellate
from brep_mae.brep.sampling import Sampling
from brep_mae.brep.solid.measure import moments
from brep_mae.schema import FaceGraph
from tests.brep.solids import Apart, parts_of, write_step

BASES = ("ball", "cone", "ring", "bar", "vase", "wall", "block")
CLEAR = 0.02
"""Distance from the boundary, as a share of the face's box, from which on a point's side is asked for."""
REFUSED = ": degenerate: "
"""In a fault that is no wrong number: the kernel reads the file wrong in every way, and the solid is refused."""
MOST_GAP_MM = 0.01
"""Ends of edges that lie farther apart leave a loop open, and with it what the area is to more than is asked for."""
GRID = 200
"""Points along each side of a face among which its extremes are looked for."""


def _axes(rng: np.random.Generator, reach: float) -> gp_Ax2:
    at, way, across = rng.uniform(-reach, reach, 3), rng.normal(size=3), rng.normal(size=3)
    return gp_Ax2(gp_Pnt(*at.tolist()), gp_Dir(*way.tolist()), gp_Dir(*np.cross(way, across).tolist()))


def _profile(rng: np.random.Generator, axes: gp_Ax2, size: float) -> TopoDS_Shape:
    """A flat face between an axis and a Bezier curve."""
    origin, x, z = (np.array(p.Coord()) for p in (axes.Location(), axes.XDirection(), axes.Direction()))

    def point(a: float, h: float) -> gp_Pnt:
        return gp_Pnt(*(origin + a * x + h * z).tolist())

    radii = rng.uniform(0.3, 1.2, int(rng.integers(3, 7))) * size
    heights = np.linspace(-size, size, len(radii))
    poles = TColgp_Array1OfPnt(1, len(radii))
    for number, (radius, height) in enumerate(zip(radii.tolist(), heights.tolist(), strict=True)):
        poles.SetValue(number + 1, point(radius, height))
    wire = BRepBuilderAPI_MakeWire(BRepBuilderAPI_MakeEdge(Geom_BezierCurve(poles)).Edge())
    corners = [point(radii[-1], size), point(0, size), point(0, -size), point(radii[0], -size)]
    for a, b in pairwise(corners):
        wire.Add(BRepBuilderAPI_MakeEdge(a, b).Edge())
    return BRepBuilderAPI_MakeFace(wire.Wire()).Face()


def _made(rng: np.random.Generator, kind: str, reach: float, size: float) -> TopoDS_Shape:
    axes, (a, b) = _axes(rng, reach), (size * rng.uniform(0.4, 1.0, 2)).tolist()
    if kind == "ball":
        return BRepPrimAPI_MakeSphere(axes, a).Shape()
    if kind == "cone":
        return BRepPrimAPI_MakeCone(axes, 0.0 if rng.random() < 0.5 else 0.3 * a, a, 2 * b).Shape()
    if kind == "ring":
        return BRepPrimAPI_MakeTorus(axes, a, a * rng.uniform(0.1, 0.8)).Shape()
    if kind == "bar":
        return BRepPrimAPI_MakeCylinder(axes, 0.6 * a, 3 * b).Shape()
    if kind == "vase":
        return BRepPrimAPI_MakeRevol(_profile(rng, axes, a), gp_Ax1(axes.Location(), axes.Direction())).Shape()
    if kind == "wall":
        return BRepPrimAPI_MakePrism(_profile(rng, axes, a), gp_Vec(axes.YDirection()) * (2 * b)).Shape()
    return BRepPrimAPI_MakeBox(axes, a, b, size).Shape()


def drawn(seed: int) -> TopoDS_Shape | None:
    """A base with one or two others cut from it, put to it or shared with it; None where the kernel fails at that."""
    rng = np.random.default_rng([18, seed])
    try:
        shape = _made(rng, BASES[seed % len(BASES)], 5.0, 10.0)
        for _ in range(int(rng.integers(1, 3))):
            tool = _made(rng, str(rng.choice(BASES)), 6.0, 7.0)
            way = (BRepAlgoAPI_Cut, BRepAlgoAPI_Cut, BRepAlgoAPI_Fuse, BRepAlgoAPI_Common)[int(rng.integers(4))]
            shape = way(shape, tool).Shape()
    except Standard_Failure:
        return None
    solids = list(subshapes(shape, TopAbs_SOLID))
    if len(solids) != 1 or not BRepCheck_Analyzer(solids[0]).IsValid():
        return None
    if any(int(face.Orientation()) > REVERSED for face in subshapes(solids[0], TopAbs_FACE)):
        return None  # where surfaces touch it leaves faces that bound nothing
    if any(BRep_Tool.Tolerance_s(TopoDS.Vertex_s(v)) > MOST_GAP_MM for v in subshapes(solids[0], TopAbs_VERTEX)):
        return None
    return solids[0] if _kernel(solids[0])[1] > 1.0 else None


def _kernel(shape: TopoDS_Shape) -> tuple[float, float]:
    """Area and volume."""
    area, content = GProp_GProps(), GProp_GProps()
    BRepGProp.SurfaceProperties_s(shape, area, 1e-11, False)  # 1e-8 is off by 3e-4 on extrusions
    BRepGProp.VolumeProperties_s(shape, content, 1e-8, False, False)
    return area.Mass(), content.Mass()


@dataclass(frozen=True)
class Told:
    """What one way of reading says of a solid: mm^2, mm^3, the box's low and high corner in mm, and how many of the
    points asked lie on another side than the kernel's classifier says."""

    area: float
    volume: float
    box: np.ndarray
    astray: int


def told(path: Path, seed: int) -> Told | str:
    """What reading the file gives; why it gives no single solid, as text."""
    (graph, *more) = file_graphs(path, "k", path.name, Sampling(6, 0, 0, False, False))
    if more or isinstance(graph, Reject):
        return f"{graph.reason}: {graph.detail}" if isinstance(graph, Reject) else f"{len(more) + 1} solids"
    apart, volume = _behind(path, graph)
    low, high = graph.face_box_mm[:, :3].min(axis=0), graph.face_box_mm[:, 3:].max(axis=0)
    unit = np.random.default_rng(seed).random((graph.n_faces, 40, 2))
    inside, distance = apart.trimming.locate(unit)
    astray = 0
    for number, face in enumerate(apart.topology.faces):
        clear = np.flatnonzero(distance[number] > CLEAR)
        uv = apart.trimming.parameters(np.full(len(clear), number), unit[number, clear])
        for place, (u, v) in zip(clear.tolist(), uv.tolist(), strict=True):
            astray += inside[number, place] not in _sides(face, u, v)
    area = float(graph.face_area_mm2.astype(float).sum())
    return Told(area, volume, np.concatenate([low, high]) + np.tile(graph.center_mm, 2), astray)


def _sides(face: TopoDS_Face, u: float, v: float) -> set[bool]:
    """On which side of its loops a point lies, True = inside: both of the kernel's classifiers are asked, for the first
    takes points inside slivers for outside."""
    point = gp_Pnt2d(u, v)
    first = BRepClass_FaceClassifier(face, point, 1e-9).State()
    return {first == TopAbs_IN, BRepTopAdaptor_FClass2d(face, 1e-9).Perform(point) == TopAbs_IN}


def _behind(path: Path, graph: FaceGraph) -> tuple[Apart, float]:
    """The solid that a record was made from, in whichever of the ways it was read, and its volume."""
    for reading in Reading:
        for entry in read_solids(path, reading):
            if not isinstance(entry, Reject):
                apart = parts_of(entry.shape)
                area, _, volume = moments(apart.topology, apart.surfaces, apart.trimming, apart.loops)
                if area.astype(np.float32).tolist() == graph.face_area_mm2.tolist():
                    return apart, float(volume.sum())
    raise AssertionError(f"{path}: no way of reading gives the areas of the record")


def _near(box: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.abs(box - other).max() <= 1e-3 * np.ptp(other.reshape(2, 3), axis=0).max())


def _points_inside(shape: TopoDS_Shape) -> np.ndarray:
    """Points of every face at which the kernel evaluates its surface and says that they are inside its loops, mm."""
    kept = []
    for face in subshapes(shape, TopAbs_FACE):
        face = TopoDS.Face_s(face)
        surface, classifier = BRepAdaptor_Surface(face), BRepTopAdaptor_FClass2d(face, 1e-9)
        first, last, low, high = BRepTools.UVBounds_s(face)
        for u, v in itertools.product(np.linspace(first, last, GRID).tolist(), np.linspace(low, high, GRID).tolist()):
            if classifier.Perform(gp_Pnt2d(u, v)) == TopAbs_IN:
                kept.append(surface.Value(u, v).Coord())
    return np.array(kept)


def faults(seed: int, folder: Path) -> list[str] | None:
    """What is wrong with either way of reading the solid of a seed, None where the kernel makes no solid of it."""
    shape = drawn(seed)
    if shape is None:
        return None
    step, brep = write_step(folder / f"{seed}.step", shape), folder / f"{seed}.brep"
    assert BRepTools.Write_s(shape, str(brep), Message_ProgressRange())
    area, volume = _kernel(shape)
    points = tessellate(shape, 1e-4).point  # the kernel's own exact box may be larger than the solid
    box, sampled = np.concatenate([points.min(axis=0), points.max(axis=0)]), False
    wrong = []
    for path in (step, brep):
        found_there, way = told(path, seed), path.suffix[1:]
        if isinstance(found_there, str):
            wrong.append(f"{way}: {found_there}")
            continue
        if not math.isclose(found_there.area, area, rel_tol=2e-4):
            wrong.append(f"{way}: area {found_there.area:.6g}, kernel {area:.6g}")
        if not math.isclose(found_there.volume, volume, rel_tol=5e-4):
            wrong.append(f"{way}: volume {found_there.volume:.6g}, kernel {volume:.6g}")
        if not sampled and not _near(found_there.box, box):  # the kernel's mesh may lack a piece of a face
            inside = _points_inside(shape)
            low, high = np.minimum(box[:3], inside.min(axis=0)), np.maximum(box[3:], inside.max(axis=0))
            box, sampled = np.concatenate([low, high]), True
        if not _near(found_there.box, box):
            wrong.append(f"{way}: box {found_there.box.round(4).tolist()}, kernel {box.round(4).tolist()}")
        if found_there.astray:
            wrong.append(f"{way}: {found_there.astray} points on the wrong side")
    return wrong
