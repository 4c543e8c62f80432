"""What holds for every solid, over solids drawn at random."""

from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from OCP.BRep import BRep_Tool
from OCP.BRepAlgoAPI import BRepAlgoAPI_Common, BRepAlgoAPI_Cut, BRepAlgoAPI_Fuse
from OCP.BRepBuilderAPI import BRepBuilderAPI_Transform
from OCP.BRepFilletAPI import BRepFilletAPI_MakeChamfer, BRepFilletAPI_MakeFillet
from OCP.BRepGProp import BRepGProp
from OCP.BRepPrimAPI import BRepPrimAPI_MakeCone, BRepPrimAPI_MakeCylinder
from OCP.gp import gp_Ax1, gp_Ax2, gp_Dir, gp_Pnt, gp_Trsf, gp_Vec
from OCP.GProp import GProp_GProps
from OCP.ShapeAnalysis import ShapeAnalysis_Surface
from OCP.TopAbs import TopAbs_EDGE, TopAbs_SOLID
from OCP.TopExp import TopExp_Explorer
from OCP.TopLoc import TopLoc_Location
from OCP.TopoDS import TopoDS, TopoDS_Shape

from brep_mae.brep.graph.graph import face_graph
from brep_mae.brep.read.entities import no_name
from brep_mae.brep.read.step import ReadSolid, read_solids
from brep_mae.brep.sampling import Sampling
from brep_mae.brep.solid.placing import MeasuredSolids
from brep_mae.schema import INSIDE, NORMAL, POINT, FaceGraph
from tests.brep.solid.test_uvgrid import volume
from tests.brep.solids import box, first_solid, graph_of, parts_of, write_step


@dataclass(frozen=True)
class Drawn:
    """A solid of so many shells and handles; its name says how it was made."""

    name: str
    shape: TopoDS_Shape
    shells: int
    handles: int


def round_bar(x: float, y: float, z: float, radius: float, height: float, lying: bool = False) -> TopoDS_Shape:
    way = gp_Dir(1, 0, 0) if lying else gp_Dir(0, 0, 1)
    return BRepPrimAPI_MakeCylinder(gp_Ax2(gp_Pnt(x, y, z), way), radius, height).Shape()


STOCK = ("box", "cylinder", "cone", "pointed cone")
WORK = ("none", "drill", "two drills", "notch", "boss", "void", "cut off", "fillet", "chamfer", "cross drill")


def stock(kind: str, size: float, height: float) -> TopoDS_Shape:
    """Stands on z = 0 and holds the upright bar of radius 0.8 size about the middle, up to a third of its height."""
    if kind == "box":
        return box(2 * size, 2 * size, height, (-size, -size, 0))
    if kind == "cylinder":
        return round_bar(0, 0, 0, size * 1.1, height)
    top = 0.0 if kind == "pointed cone" else 0.6 * size
    return BRepPrimAPI_MakeCone(1.3 * size, top, height).Shape()


def rounded(shape: TopoDS_Shape, how: str, by: float) -> TopoDS_Shape:
    tool = BRepFilletAPI_MakeFillet(shape) if how == "fillet" else BRepFilletAPI_MakeChamfer(shape)
    explorer = TopExp_Explorer(shape, TopAbs_EDGE)
    while explorer.More():
        edge = TopoDS.Edge_s(explorer.Current())
        explorer.Next()
        if not BRep_Tool.Degenerated_s(edge) and not BRep_Tool.HasContinuity_s(edge):
            tool.Add(by, edge)
            break
    return tool.Shape()


@st.composite
def solids(draw) -> Drawn:
    kind, work = draw(st.sampled_from(STOCK)), draw(st.sampled_from(WORK))
    part = st.integers(1, 9).map(lambda tenths: tenths / 10)
    size, height = 1 + 3 * draw(part), 1 + 4 * draw(part)
    a, b, c = draw(part), draw(part), draw(part)
    shape, shells, handles = stock(kind, size, height), 1, 0
    hole, off = size * (0.1 + 0.12 * a), size * 0.4
    if work == "drill" and kind != "pointed cone":
        shape, handles = BRepAlgoAPI_Cut(shape, round_bar(0.2 * b * size, 0.1, -1, hole, height + 2)).Shape(), 1
    elif work == "two drills" and kind in ("box", "cylinder"):
        for side in (-1, 1):
            shape = BRepAlgoAPI_Cut(shape, round_bar(side * off, 0.1 * b, -1, hole, height + 2)).Shape()
        handles = 2
    elif work == "notch":
        shape = BRepAlgoAPI_Cut(shape, box(9, 9, height * 0.3, (size * 0.4 * b, size * 0.3 * c, -0.01))).Shape()
    elif work == "boss" and kind in ("box", "cylinder"):
        shape = BRepAlgoAPI_Fuse(shape, round_bar(off * b, off * c, height * 0.5, hole, height)).Shape()
    elif work == "void":
        inner = round_bar(off * b, off * c, height * 0.1, hole, height * 0.2)
        shape, shells = BRepAlgoAPI_Cut(shape, inner).Shape(), 2
    elif work == "cut off":
        shape = BRepAlgoAPI_Common(shape, box(20, 20, height * (0.3 + 0.5 * c), (-10 - b, -10.1 * a - 3, -1))).Shape()
    elif work in ("fillet", "chamfer") and kind != "pointed cone":
        shape = rounded(shape, work, 0.2 * min(size, height) * b)
    elif work == "cross drill" and kind in ("box", "cylinder"):
        across = round_bar(-3 * size, 0.1 * b, height / 2, min(hole, height * 0.3), 6 * size, lying=True)
        shape, handles = BRepAlgoAPI_Cut(shape, across).Shape(), 1
    explorer = TopExp_Explorer(shape, TopAbs_SOLID)
    assume(explorer.More())  # else the kernel failed to make it
    return Drawn(f"{kind}, {work}, {size:g} {height:g} {a:g} {b:g} {c:g}", first_solid(shape), shells, handles)


EXAMPLES = settings(
    max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@EXAMPLES
@given(solids())
def test_the_stored_lists_have_the_euler_number(drawn):
    graph = graph_of(drawn.shape)
    vertices, edges, faces = len(graph.vertex_unit), graph.edge_vertex.shape[1], graph.n_faces
    inner = int(graph.face_loops.sum()) - faces
    assert vertices - edges + faces - inner == 2 * (drawn.shells - drawn.handles)
    assert set(graph.edge_vertex.ravel()) <= set(range(vertices))
    face, edge = graph.coedge_index
    assert (np.bincount(edge, minlength=edges) == 2).all()  # closed: two uses of every edge
    for e in range(edges):
        first, second = np.flatnonzero(edge == e)
        assert graph.coedge_forward[first] != graph.coedge_forward[second]  # in opposite directions
    assert set(face) == set(range(faces))


@EXAMPLES
@given(solids())
def test_area_and_volume_are_the_kernels(drawn):
    graph, area, content = graph_of(drawn.shape), GProp_GProps(), GProp_GProps()
    BRepGProp.SurfaceProperties_s(drawn.shape, area, 1e-8, False)
    BRepGProp.VolumeProperties_s(drawn.shape, content, 1e-8, False, False)
    assert abs(graph.face_area_mm2.sum() / area.Mass() - 1) < 1e-5
    middle = (graph.face_centroid_mm * graph.face_area_mm2[:, None]).sum(axis=0) / graph.face_area_mm2.sum()
    assert np.abs(middle + graph.center_mm - area.CentreOfMass().Coord()).max() < 1e-5 * graph.scale_mm
    assert abs(volume(drawn.shape) / content.Mass() - 1) < 0.05  # the grid's cells are inside or not as a whole


@EXAMPLES
@given(solids())
def test_every_arc_lies_on_both_of_its_faces(drawn):
    graph, topology = graph_of(drawn.shape), parts_of(drawn.shape).topology
    on = [ShapeAnalysis_Surface(BRep_Tool.Surface_s(face)) for face in topology.faces]
    stored = [edge for edge in topology.edges if not BRep_Tool.Degenerated_s(edge)]
    for arc, pair in enumerate(graph.arc_index.T.tolist()):
        tolerance = BRep_Tool.Tolerance_s(stored[graph.arc_edge[arc]]) + 1e-6 * graph.scale_mm
        for face in pair:
            for point in (graph.arc_grid[arc, :, :3] + graph.center_mm).tolist():
                on[face].ValueOfUV(gp_Pnt(*point), 1e-9)
                assert on[face].Gap() < tolerance


INVARIANT = (
    *("face_type", "face_loops", "face_parent", "edge_vertex", "coedge_index", "coedge_forward"),
    *("arc_index", "arc_edge", "arc_type", "arc_convexity", "arc_seam", "field_bounded"),
)


def turned(
    shape: TopoDS_Shape, into_the_geometry: bool, size: float = 1.0
) -> tuple[TopoDS_Shape, np.ndarray, np.ndarray]:
    """The shape elsewhere, and the matrix and offset that take its points there."""
    move, larger = gp_Trsf(), gp_Trsf()
    move.SetRotation(gp_Ax1(gp_Pnt(1, 0, 2), gp_Dir(1, 1, 0.3)), 0.7)
    move.SetTranslationPart(gp_Vec(5, -3, 2))
    larger.SetScale(gp_Pnt(0, 0, 0), size)
    trsf = larger.Multiplied(move) if size != 1.0 else move
    rows = np.array([[trsf.Value(i, j) for j in (1, 2, 3, 4)] for i in (1, 2, 3)])
    if into_the_geometry:
        return BRepBuilderAPI_Transform(shape, trsf, True).Shape(), rows[:, :3], rows[:, 3]
    return shape.Located(TopLoc_Location(trsf), False), rows[:, :3], rows[:, 3]


def close(a: np.ndarray, b: np.ndarray, within: float) -> None:
    assert a.shape == b.shape
    assert np.abs(a.astype(float) - b).max(initial=0.0) < within


@EXAMPLES
@given(solids(), st.booleans())
def test_a_rigid_motion_moves_the_record_and_changes_nothing_else(drawn, into_the_geometry):
    shape, matrix, offset = turned(drawn.shape, into_the_geometry)
    parts = MeasuredSolids(
        Sampling(6, 60, 60, True, False)
    )  # as in an assembly, where the second is the first once more
    here, there = (face_graph(ReadSolid(s, 0, "", 1.0, no_name), "0#0", "", parts) for s in (drawn.shape, shape))
    for name in INVARIANT:
        assert (getattr(here, name) == getattr(there, name)).all(), name
    close(there.arc_angle_rad, here.arc_angle_rad, 1e-5)
    close(there.arc_length_mm / here.arc_length_mm, np.ones(len(here.arc_length_mm)), 1e-5)
    close(there.face_area_mm2 / here.face_area_mm2, np.ones(here.n_faces), 1e-5)
    close(there.face_curvature, here.face_curvature, 1e-4 * max(1.0, float(np.abs(here.face_curvature).max())))
    close(there.face_grid[..., INSIDE], here.face_grid[..., INSIDE], 0.5)
    far = 3e-6 * here.scale_mm + 3e-6
    shift = here.center_mm @ matrix.T + offset - there.center_mm
    close(there.face_grid[..., POINT], here.face_grid[..., POINT] @ matrix.T + shift, far)
    close(there.face_grid[..., NORMAL], here.face_grid[..., NORMAL] @ matrix.T, 1e-5)
    close(there.arc_grid[..., :3], here.arc_grid[..., :3] @ matrix.T + shift, far)
    close(there.arc_grid[..., 3:], here.arc_grid[..., 3:] @ matrix.T, 1e-5)
    close(there.face_centroid_mm, here.face_centroid_mm @ matrix.T + shift, far)
    vertices = [graph.vertex_unit * graph.scale_mm + graph.center_mm for graph in (here, there)]
    close(vertices[1], vertices[0] @ matrix.T + offset, far)
    samples = [np.take_along_axis(g.field_samples, g.field_samples[..., :1].argsort(1), 1) for g in (here, there)]
    close(samples[1][..., [0, 1, 5]], samples[0][..., [0, 1, 5]], 1e-5)
    close(samples[1][..., 2:5], samples[0][..., 2:5] @ matrix.T + shift, 1e-4)


@EXAMPLES
@given(solids())
def test_a_larger_copy_has_the_same_rescaled_parameters(drawn):
    larger = gp_Trsf()
    larger.SetScale(gp_Pnt(3, 1, -2), 7.0)
    here = graph_of(drawn.shape)
    there = graph_of(BRepBuilderAPI_Transform(drawn.shape, larger, True).Shape())
    for name in ("face_params_unit", "edge_params_unit", "vertex_unit"):
        close(getattr(there, name), getattr(here, name), 1e-5)
    for name in INVARIANT:
        assert (getattr(here, name) == getattr(there, name)).all(), name
    close(there.face_area_mm2 / here.face_area_mm2, np.full(here.n_faces, 49.0), 1e-3)
    close(there.arc_length_mm / here.arc_length_mm, np.full(len(here.arc_length_mm), 7.0), 1e-4)


def read_back(folder: Path, shape: TopoDS_Shape) -> tuple[TopoDS_Shape, FaceGraph]:
    (solid,) = read_solids(write_step(folder / "made.step", shape))
    assert isinstance(solid, ReadSolid)
    return solid.shape, face_graph(solid, "0#0", "made.step", MeasuredSolids(Sampling(6, 200, 20, True, False)))


@settings(EXAMPLES, max_examples=10)
@given(solids())
def test_a_file_gives_the_record_of_what_was_written(drawn):
    """Writing may renumber edges and turn them, once; what has been read comes back the same."""
    with TemporaryDirectory() as folder:
        shape, first = read_back(Path(folder), drawn.shape)
        _, second = read_back(Path(folder), shape)
    for array in fields(FaceGraph):
        a, b = getattr(first, array.name), getattr(second, array.name)
        if isinstance(a, np.ndarray):
            close(b, a, 1e-6)
    made = graph_of(drawn.shape)
    assert (first.face_type == made.face_type).all() and (first.face_loops == made.face_loops).all()
    close(first.face_area_mm2 / made.face_area_mm2, np.ones(made.n_faces), 1e-5)
    for name in ("face_centroid_mm", "face_box_mm"):
        close(getattr(first, name), getattr(made, name), 1e-5 * max(1.0, float(made.scale_mm)))
    for name in ("arc_type", "arc_convexity", "arc_seam", "arc_length_mm", "arc_angle_rad"):
        close(np.sort(getattr(first, name).astype(float)), np.sort(getattr(made, name).astype(float)), 1e-4)
