"""Makes complex parts whose faces are largely free-form, as STEP files: what archives of real designs hold.

Five families in turn: an extruded spline outline with fillets and spline holes, a loft through spline sections, a
spline profile swept along a spline, revolved splines with spline grooves, and a plate of bosses with fillets whose
radius varies. A part is drawn again until it is valid, has 60 to 200 faces, and at least 30 % of them are free-form.

    python benchmarks/spline_parts.py FOLDER --count 50 --seed 0
"""

import argparse
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
from OCP.BRep import BRep_Tool
from OCP.BRepAdaptor import BRepAdaptor_Surface
from OCP.BRepAlgoAPI import BRepAlgoAPI_Cut, BRepAlgoAPI_Fuse
from OCP.BRepBuilderAPI import (
    BRepBuilderAPI_MakeEdge,
    BRepBuilderAPI_MakeFace,
    BRepBuilderAPI_MakeWire,
    BRepBuilderAPI_TransitionMode,
)
from OCP.BRepCheck import BRepCheck_Analyzer
from OCP.BRepFilletAPI import BRepFilletAPI_MakeFillet
from OCP.BRepOffsetAPI import BRepOffsetAPI_MakePipeShell, BRepOffsetAPI_ThruSections
from OCP.BRepPrimAPI import BRepPrimAPI_MakeBox, BRepPrimAPI_MakeCylinder, BRepPrimAPI_MakePrism, BRepPrimAPI_MakeRevol
from OCP.GeomAbs import GeomAbs_SurfaceType as Kind
from OCP.GeomAPI import GeomAPI_Interpolate
from OCP.gp import gp_Ax1, gp_Ax2, gp_Dir, gp_Pnt, gp_Vec
from OCP.TColgp import TColgp_HArray1OfPnt
from OCP.TopAbs import TopAbs_EDGE, TopAbs_FACE, TopAbs_SOLID
from OCP.TopExp import TopExp
from OCP.TopoDS import TopoDS, TopoDS_Edge, TopoDS_Shape, TopoDS_Solid, TopoDS_Wire
from OCP.TopTools import TopTools_IndexedMapOfShape, TopTools_ListOfShape

from brep_mae.generate.step_writer import write_step

FACES = (60, 200)
FREE_SHARE = 0.3
FREE_FORM = (
    Kind.GeomAbs_BSplineSurface,
    Kind.GeomAbs_BezierSurface,
    Kind.GeomAbs_SurfaceOfRevolution,
    Kind.GeomAbs_SurfaceOfExtrusion,
    Kind.GeomAbs_OffsetSurface,
)
MAX_ATTEMPTS = 60

Rng = np.random.Generator


class Unfit(Exception):
    """This draw gives no usable part."""


def spline(points_mm: np.ndarray, closed: bool, pieces: int) -> TopoDS_Wire:
    """Smooth curve through points (N, 3), cut into edges at equal steps of its parameter."""
    array = TColgp_HArray1OfPnt(1, len(points_mm))
    for i, point in enumerate(points_mm.tolist()):
        array.SetValue(i + 1, gp_Pnt(*point))
    maker = GeomAPI_Interpolate(array, closed, 1e-6)
    maker.Perform()
    curve = maker.Curve()
    steps = np.linspace(curve.FirstParameter(), curve.LastParameter(), pieces + 1).tolist()
    wire = BRepBuilderAPI_MakeWire()
    for start, end in pairwise(steps):
        wire.Add(BRepBuilderAPI_MakeEdge(curve, start, end).Edge())
    return wire.Wire()


def ring(rng: Rng, radius_mm: float, count: int, wave: float, at: tuple[float, float, float]) -> np.ndarray:
    """Points in the plane z = at[2] around `at`, whose distance from it varies by the share `wave`."""
    turn = np.arange(count) / count * 2 * np.pi
    radii = radius_mm * (1 + rng.uniform(-wave, wave, count))
    return np.stack([radii * np.cos(turn), radii * np.sin(turn), np.zeros(count)], axis=1) + at


def prism(wire: TopoDS_Wire, along_mm: tuple[float, float, float]) -> TopoDS_Shape:
    base = BRepBuilderAPI_MakeFace(wire, True).Face()
    return BRepPrimAPI_MakePrism(base, gp_Vec(*along_mm), True).Shape()


def members(shape: TopoDS_Shape, kind: object) -> list[TopoDS_Shape]:
    found = TopTools_IndexedMapOfShape()
    TopExp.MapShapes_s(shape, kind, found)
    return [found.FindKey(i + 1) for i in range(found.Extent())]


def edges_where(shape: TopoDS_Shape, wanted: Callable[[np.ndarray], bool]) -> list[TopoDS_Edge]:
    """Edges whose two end points (2, 3), in mm, are as wanted."""
    chosen = []
    for member in members(shape, TopAbs_EDGE):
        edge = TopoDS.Edge_s(member)
        if BRep_Tool.Degenerated_s(edge):
            continue
        ends = (TopExp.FirstVertex_s(edge), TopExp.LastVertex_s(edge))
        if wanted(np.array([BRep_Tool.Pnt_s(vertex).Coord() for vertex in ends])):
            chosen.append(edge)
    return chosen


def level(z_mm: float) -> Callable[[np.ndarray], bool]:
    return lambda ends: bool((np.abs(ends[:, 2] - z_mm) < 1e-5).all())


def fillet(shape: TopoDS_Shape, edges: list[TopoDS_Edge], first_mm: float, last_mm: float) -> TopoDS_Shape:
    """Rounds edges with a radius that runs from one value to the other along each of them."""
    maker = BRepFilletAPI_MakeFillet(shape)
    for edge in edges:
        maker.Add(first_mm, edge) if first_mm == last_mm else maker.Add(first_mm, last_mm, edge)
    return maker.Shape()


def cut(shape: TopoDS_Shape, tools: list[TopoDS_Shape]) -> TopoDS_Shape:
    """All tools in one operation, which takes a fraction of the time of one by one."""
    arguments, takers = TopTools_ListOfShape(), TopTools_ListOfShape()
    arguments.Append(shape)
    for tool in tools:
        takers.Append(tool)
    maker = BRepAlgoAPI_Cut()
    maker.SetArguments(arguments)
    maker.SetTools(takers)
    maker.Build()
    return maker.Shape()


def drilled(rng: Rng, shape: TopoDS_Shape, radius_mm: float, count: int, depth_mm: float) -> TopoDS_Shape:
    """Round holes along z on a circle about the z axis."""
    holes = []
    for turn in np.arange(count) / count * 2 * np.pi + rng.uniform(0, 1):
        axis = gp_Ax2(gp_Pnt(radius_mm * np.cos(turn), radius_mm * np.sin(turn), -depth_mm), gp_Dir(0, 0, 1))
        holes.append(BRepPrimAPI_MakeCylinder(axis, rng.uniform(0.8, 1.5), 3 * depth_mm).Shape())
    return cut(shape, holes)


def outline_plate(rng: Rng) -> TopoDS_Shape:
    """Extruded spline outline with spline holes, top and bottom rounded."""
    height, pieces = rng.uniform(6, 15), int(rng.integers(12, 28))
    shape = prism(spline(ring(rng, 40, 12, 0.15, (0, 0, 0)), True, pieces), (0, 0, height))
    windows = []
    for turn in np.arange(3) / 3 * 2 * np.pi:
        at = (18 * np.cos(turn), 18 * np.sin(turn), -height)
        window = spline(ring(rng, 8, 8, 0.12, at), True, int(rng.integers(3, 8)))
        windows.append(prism(window, (0, 0, 3 * height)))
    shape = cut(shape, windows)
    radius = rng.uniform(0.5, 1.2)
    shape = fillet(shape, edges_where(shape, level(height)) + edges_where(shape, level(0.0)), radius, radius)
    return drilled(rng, shape, 29.5, int(rng.integers(2, 9)), height)


def loft(rng: Rng) -> TopoDS_Shape:
    """Body through spline sections, smooth or in steps, with rounded ends and holes."""
    sections, pieces, step = int(rng.integers(4, 7)), int(rng.integers(10, 16)), rng.uniform(8, 14)
    ruled = bool(rng.random() < 0.5)
    maker = BRepOffsetAPI_ThruSections(True, ruled, 1e-6)
    for i in range(sections):
        maker.AddWire(spline(ring(rng, rng.uniform(22, 32), 10, 0.06, (0, 0, i * step)), True, pieces))
    maker.Build()
    height, radius = (sections - 1) * step, rng.uniform(0.4, 1.0)
    shape = maker.Shape()
    shape = fillet(shape, edges_where(shape, level(height)) + edges_where(shape, level(0.0)), radius, radius)
    return drilled(rng, shape, rng.uniform(8, 14), int(rng.integers(4, 25)), height)


def sweep(rng: Rng) -> TopoDS_Shape:
    """Spline profile swept along a spline, with spline cross holes."""
    stops = np.linspace(0, 80, 5)
    path = np.stack([rng.uniform(-6, 6, 5), rng.uniform(-6, 6, 5), stops], axis=1)
    path[:2, :2] = path[-2:, :2] = 0.0
    maker = BRepOffsetAPI_MakePipeShell(spline(path, False, int(rng.integers(3, 6))))
    maker.SetTransitionMode(BRepBuilderAPI_TransitionMode.BRepBuilderAPI_Transformed)
    maker.Add(spline(ring(rng, rng.uniform(12, 16), 9, 0.08, (0, 0, 0)), True, int(rng.integers(10, 18))))
    maker.Build()
    if not maker.MakeSolid():
        raise Unfit("open sweep")
    windows = []
    for z in np.linspace(15, 65, int(rng.integers(2, 5))):
        window = ring(rng, 3, 8, 0.1, (0, 0, 0))[:, [2, 0, 1]] + (-40, 0, z)
        windows.append(prism(spline(window, True, 4), (80, 0, 0)))
    return cut(maker.Shape(), windows)


def turned(rng: Rng) -> TopoDS_Shape:
    """Revolved spline profile with grooves of spline outline cut in all around."""
    count, length, width = int(rng.integers(9, 16)), rng.uniform(40, 70), 24.0
    z = np.linspace(0, length, 9)
    outer = np.stack([width + rng.uniform(-3, 3, 9), np.zeros(9), z], axis=1)
    wire = BRepBuilderAPI_MakeWire(spline(outer, False, int(rng.integers(4, 9))))
    corners = [outer[-1].tolist(), [10.0, 0.0, length], [10.0, 0.0, 0.0], outer[0].tolist()]
    for start, end in pairwise(corners):
        wire.Add(BRepBuilderAPI_MakeEdge(gp_Pnt(*start), gp_Pnt(*end)).Edge())
    base = BRepBuilderAPI_MakeFace(wire.Wire(), True).Face()
    shape = BRepPrimAPI_MakeRevol(base, gp_Ax1(gp_Pnt(0, 0, 0), gp_Dir(0, 0, 1))).Shape()
    grooves = []
    for turn in np.arange(count) / count * 2 * np.pi:
        at = (width * np.cos(turn), width * np.sin(turn), length * rng.uniform(0.4, 0.7))
        groove = spline(ring(rng, rng.uniform(2.5, 4), 7, 0.1, at), True, int(rng.integers(3, 6)))
        grooves.append(prism(groove, (0, 0, length)))
    return cut(shape, grooves)


def bosses(rng: Rng) -> TopoDS_Shape:
    """Plate with a field of blocks whose upright edges have radii that grow, their tops and the plate rounded."""
    rows, columns, pitch = int(rng.integers(1, 4)), int(rng.integers(2, 4)), 20.0
    shape = BRepPrimAPI_MakeBox(gp_Pnt(0, 0, 0), pitch * columns, pitch * rows, 8.0).Shape()
    tops: list[float] = []
    for i, j in np.ndindex(columns, rows):
        side, tops = rng.uniform(9, 13, 2), [*tops, 8 + rng.uniform(6, 14)]
        low = gp_Pnt((i + 0.5) * pitch - side[0] / 2, (j + 0.5) * pitch - side[1] / 2, 5.0)
        shape = BRepAlgoAPI_Fuse(shape, BRepPrimAPI_MakeBox(low, *side.tolist(), tops[-1] - 5.0).Shape()).Shape()
    upright = edges_where(shape, lambda ends: bool(np.ptp(ends[:, :2], axis=0).max() < 1e-6 and ends[:, 2].max() > 8.1))
    shape = fillet(shape, upright, rng.uniform(1.0, 1.6), rng.uniform(2.2, 3.5))
    for top in tops:
        radius = rng.uniform(0.4, 0.8)
        shape = fillet(shape, edges_where(shape, level(top)), radius, radius)
    outside = [pitch * columns, pitch * rows]
    rim = edges_where(
        shape,
        lambda ends: bool(
            ends[:, 2].max() < 8.1
            and any((np.abs(ends[:, k] - s) < 1e-6).all() for k in (0, 1) for s in (0, outside[k]))
        ),
    )
    return fillet(shape, rim, rng.uniform(0.8, 1.2), rng.uniform(1.4, 2.0))


FAMILIES = (outline_plate, loft, sweep, turned, bosses)


def checked(shape: TopoDS_Shape) -> TopoDS_Solid:
    """The one solid of the shape.

    Raises:
        Unfit: not one solid, not valid, or not of the faces that are wanted.
    """
    solids, faces = members(shape, TopAbs_SOLID), members(shape, TopAbs_FACE)
    if len(solids) != 1:
        raise Unfit(f"{len(solids)} solids")
    if not FACES[0] <= len(faces) <= FACES[1]:
        raise Unfit("number of faces")
    free = sum(BRepAdaptor_Surface(TopoDS.Face_s(face)).GetType() in FREE_FORM for face in faces)
    if free < FREE_SHARE * len(faces):
        raise Unfit("few free-form faces")
    if not BRepCheck_Analyzer(solids[0]).IsValid():
        raise Unfit("not valid")
    return TopoDS.Solid_s(solids[0])


def draw_part(seed: int, index: int) -> tuple[TopoDS_Solid, Counter[str]]:
    """Part `index` of the set with this seed, in whatever order parts are made, and why earlier draws were dropped."""
    rng, dropped = np.random.default_rng([seed, index]), Counter[str]()
    family = FAMILIES[index % len(FAMILIES)]
    for _ in range(MAX_ATTEMPTS):
        try:
            return checked(family(rng)), dropped
        except Unfit as reason:
            dropped[str(reason)] += 1
        except Exception as error:  # OCCT's exceptions have no base class of their own in OCP
            if not type(error).__name__.startswith(("Standard_", "StdFail_")):
                raise
            dropped[type(error).__name__] += 1
    raise RuntimeError(f"part {index} of seed {seed}: {MAX_ATTEMPTS} draws dropped {dict(dropped)}; try another seed")


def write_parts(folder: Path, count: int, seed: int) -> list[Path]:
    """Writes parts 0 to `count` - 1 of a seed into `folder`; files that are there already are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"spline_{seed}_{index:05d}.step" for index in range(count)]
    for index, path in enumerate(paths):
        if not path.exists():
            write_step(draw_part(seed, index)[0], path)
    return paths


def main() -> None:
    parser = argparse.ArgumentParser(description="Write complex parts with many free-form faces as STEP files.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    print(f"{len(write_parts(args.folder, args.count, args.seed))} parts in {args.folder}")


if __name__ == "__main__":
    main()
