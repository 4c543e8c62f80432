"""occwl is on no package index, so its calls that are used are played by stand-ins on OCP's objects."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from OCP.BRep import BRep_Builder, BRep_Tool
from OCP.BRepAlgoAPI import BRepAlgoAPI_Cut
from OCP.BRepCheck import BRepCheck_Analyzer
from OCP.BRepGProp import BRepGProp
from OCP.BRepPrimAPI import BRepPrimAPI_MakeCylinder
from OCP.BRepTools import BRepTools
from OCP.GProp import GProp_GProps
from OCP.Message import Message_ProgressRange
from OCP.TopAbs import TopAbs_EDGE, TopAbs_FACE, TopAbs_FORWARD
from OCP.TopExp import TopExp, TopExp_Explorer
from OCP.TopoDS import TopoDS, TopoDS_Compound, TopoDS_Shape
from OCP.TopTools import TopTools_IndexedMapOfShape

from brep_mae.brep.interop.occwl import CONDA, from_occwl, to_occwl, uvnet_arrays
from brep_mae.brep.read.step import ReadSolid
from tests.brep.solids import SHAPES, box, first_solid, graph_of, placed

HALF = BRepAlgoAPI_Cut(BRepPrimAPI_MakeCylinder(1.0, 2.0).Shape(), box(5, 5, 5, (0, -2.5, -1))).Shape()


class Foreign:
    """A shape of another binding: OCP refuses it as an argument, and the stand-ins refuse OCP's."""

    def __init__(self, shape: TopoDS_Shape | None = None) -> None:
        self.inner = TopoDS_Shape() if shape is None else shape


class ForeignSolid(Foreign):
    pass


class Solid:
    def __init__(self, shape: ForeignSolid) -> None:
        assert isinstance(shape, ForeignSolid)
        self._shape = shape

    def topods_shape(self) -> ForeignSolid:
        return self._shape


class Tools:
    """pythonocc's `breptools` of the releases with OCCT 7.5, which know the first two versions of the format."""

    @staticmethod
    def Write(shape: Foreign, path: str) -> bool:
        assert isinstance(shape, Foreign)
        return BRepTools.Write_s(shape.inner, path, Message_ProgressRange())

    @staticmethod
    def Read(shape: Foreign, path: str, builder: BRep_Builder) -> bool:
        assert isinstance(shape, Foreign)
        assert any(f"CASCADE Topology V{version}," in Path(path).read_text() for version in (1, 2))
        return BRepTools.Read_s(shape.inner, path, builder, Message_ProgressRange())


@pytest.fixture
def occwl(monkeypatch: pytest.MonkeyPatch) -> None:
    topods = SimpleNamespace(Solid=lambda shape: ForeignSolid(TopoDS.Solid_s(shape.inner)))
    contents = {
        "occwl": {},
        "occwl.solid": {"Solid": Solid},
        "OCC": {},
        "OCC.Core": {},
        "OCC.Core.BRepTools": {"breptools": Tools},
        "OCC.Core.BRep": {"BRep_Builder": BRep_Builder},
        "OCC.Core.TopoDS": {"TopoDS_Shape": Foreign, "topods": topods},
    }
    for name, members in contents.items():
        module = ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)


def read_solid(shape: TopoDS_Shape) -> ReadSolid:
    return ReadSolid(first_solid(shape), index=0, name="", unit_mm=1.0)


def volume(shape: TopoDS_Shape) -> float:
    properties = GProp_GProps()
    BRepGProp.VolumeProperties_s(shape, properties)
    return properties.Mass()


def all_identity(shape: TopoDS_Shape) -> bool:
    faces = TopTools_IndexedMapOfShape()
    TopExp.MapShapes_s(shape, TopAbs_FACE, faces)
    return all(faces.FindKey(i + 1).Location().IsIdentity() for i in range(faces.Extent()))


@pytest.mark.parametrize("how", ["as made", "moved"])
@pytest.mark.parametrize("name", SHAPES)
def test_a_solid_comes_back_from_occwl_as_it_was(occwl, name, how):
    shape = SHAPES[name] if how == "as made" else placed(how, SHAPES[name])
    there = to_occwl(read_solid(shape))
    assert isinstance(there, Solid)
    assert all_identity(there.topods_shape().inner)
    back = from_occwl(there, index=3)
    assert (back.index, back.name, back.unit_mm) == (3, "", 1.0)
    before, after = graph_of(shape), graph_of(back.shape)
    assert np.array_equal(after.arc_index, before.arc_index)
    assert after.face_grid == pytest.approx(before.face_grid, abs=1e-5)
    assert after.arc_grid == pytest.approx(before.arc_grid, abs=1e-5)


@pytest.mark.parametrize("how", ["mirrored", "mirrored and turned over"])
@pytest.mark.parametrize("name", SHAPES)
def test_a_mirrored_solid_stays_the_right_way_out(occwl, name, how):
    shape = first_solid(placed(how, SHAPES[name]))
    there = to_occwl(read_solid(shape)).topods_shape().inner
    assert all_identity(there)
    assert BRepCheck_Analyzer(there).IsValid()
    assert volume(there) == pytest.approx(volume(SHAPES[name]))
    before, after = graph_of(shape), graph_of(there)
    assert after.arc_index.tolist() == before.arc_index.tolist()
    assert after.arc_angle_rad == pytest.approx(before.arc_angle_rad, abs=1e-5)
    assert after.arc_grid == pytest.approx(before.arc_grid, abs=1e-5)


def test_something_else_than_a_solid_is_refused(occwl):
    compound = TopoDS_Compound()
    builder = BRep_Builder()
    builder.MakeCompound(compound)
    builder.Add(compound, SHAPES["box"])
    with pytest.raises(ValueError, match="one solid"):
        from_occwl(Solid(ForeignSolid(compound)))


@pytest.mark.parametrize("missing", ["occwl.solid", "OCC.Core.TopoDS"])
def test_without_occwl_the_error_says_how_to_install_it(occwl, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=CONDA) as error:
        to_occwl(read_solid(SHAPES["box"]))
    assert missing in str(error.value)
    with pytest.raises(ImportError, match="not on the package index"):
        from_occwl(object())


def uvnet_edges(shape: TopoDS_Shape) -> dict[tuple[int, int], tuple[np.ndarray, np.ndarray]]:
    """(face on the left, face on the right) -> both ends of the edge in between, as UV-Net's graph has them.

    Edge after edge of the solid, of faces in a pair the last edge, listed by source and then by first appearance.
    """
    faces, edges = TopTools_IndexedMapOfShape(), TopTools_IndexedMapOfShape()
    TopExp.MapShapes_s(shape, TopAbs_FACE, faces)
    TopExp.MapShapes_s(shape, TopAbs_EDGE, edges)
    found: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}
    for e in range(edges.Extent()):
        users = []
        for f in range(faces.Extent()):
            explorer = TopExp_Explorer(faces.FindKey(f + 1), TopAbs_EDGE)
            while explorer.More():
                if explorer.Current().IsSame(edges.FindKey(e + 1)):
                    users.append((f, TopoDS.Edge_s(explorer.Current())))
                explorer.Next()
        if len({f for f, _ in users}) < 2:
            continue
        for (source, coedge), (target, _) in (users, users[::-1]):
            curve, first, last = BRep_Tool.Curve_s(coedge, 0.0, 1.0), *BRep_Tool.Range_s(coedge)
            ends = (first, last) if coedge.Orientation() == TopAbs_FORWARD else (last, first)
            found[source, target] = tuple(np.array(curve.Value(t).Coord()) for t in ends)
    return {key: found[key] for source in range(faces.Extent()) for key in found if key[0] == source}


@pytest.mark.parametrize(
    "shape, edges",
    [(SHAPES["box"], 24), (SHAPES["cylinder"], 4), (SHAPES["notched block"], 42), (HALF, 10), (SHAPES["sphere"], 0)],
)
def test_edges_are_those_of_uvnet_in_its_order(shape, edges):
    graph = graph_of(shape, grid=10)
    arrays = uvnet_arrays(graph)
    expected = uvnet_edges(first_solid(shape))
    assert arrays.faces.shape == (graph.n_faces, 10, 10, 7)
    assert arrays.edges.shape == (edges, 10, 6)
    assert list(map(tuple, arrays.edge_index.T.tolist())) == list(expected)
    for grid, (start, end) in zip(arrays.edges, expected.values(), strict=True):
        assert grid[0, :3] == pytest.approx(start, abs=1e-5)
        assert grid[-1, :3] == pytest.approx(end, abs=1e-5)
        assert np.linalg.norm(grid[:, 3:], axis=1) == pytest.approx(np.ones(10), abs=1e-5)


@pytest.mark.parametrize("name", ["box", "part of a cylinder"])
def test_the_source_face_is_on_the_left_of_its_edges(name):
    arrays = uvnet_arrays(graph_of(SHAPES[name], grid=20))
    assert len(arrays.edges)
    for source, edge in zip(arrays.edge_index[0], arrays.edges, strict=True):
        samples = arrays.faces[source].reshape(-1, 7)
        samples = samples[samples[:, 6] == 1]
        middle = edge[len(edge) // 2]
        nearest = samples[np.argmin(np.linalg.norm(samples[:, :3] - middle[:3], axis=1))]
        left = np.cross(nearest[3:6], middle[3:])
        assert left @ (samples[:, :3].mean(axis=0) - middle[:3]) > 0


@pytest.mark.parametrize("name", ["box", "cylinder", "torus"])
def test_grids_run_so_that_their_own_normal_is_the_outward_one(name):
    """Which on a reversed face, half of a box's, means backwards in u."""
    for face in uvnet_arrays(graph_of(SHAPES[name], grid=12)).faces:
        points, normals = face[..., :3], face[..., 3:6]
        across = np.cross(points[1:, :-1] - points[:-1, :-1], points[:-1, 1:] - points[:-1, :-1])
        assert ((across * normals[:-1, :-1]).sum(axis=-1) > 0).all()
    shape = first_solid(SHAPES["box"])
    faces = TopTools_IndexedMapOfShape()
    TopExp.MapShapes_s(shape, TopAbs_FACE, faces)
    for number, grid in enumerate(uvnet_arrays(graph_of(shape)).faces):
        face = TopoDS.Face_s(faces.FindKey(number + 1))
        u0, u1, v0, _ = BRepTools.UVBounds_s(face)
        forward = face.Orientation() == TopAbs_FORWARD
        first = BRep_Tool.Surface_s(face).Value(u0 if forward else u1, v0)
        assert grid[0, 0, :3] == pytest.approx(np.array(first.Coord()), abs=1e-5)
