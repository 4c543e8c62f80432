import re

import numpy as np
import pytest
from OCP.BRep import BRep_Builder
from OCP.BRepAlgoAPI import BRepAlgoAPI_Cut
from OCP.BRepBuilderAPI import BRepBuilderAPI_NurbsConvert
from OCP.BRepGProp import BRepGProp
from OCP.GProp import GProp_GProps
from OCP.Standard import Standard_Failure, Standard_OutOfMemory
from OCP.TopAbs import TopAbs_FACE
from OCP.TopoDS import TopoDS_Shape, TopoDS_Shell, TopoDS_Solid

from brep_mae.brep.graph.graph import face_graph
from brep_mae.brep.read.solids import ReadSolid, subshapes
from brep_mae.brep.read.step import read_solids
from brep_mae.brep.reject import Reject
from brep_mae.brep.sampling import Sampling
from brep_mae.brep.solid import split
from brep_mae.brep.solid.placing import MeasuredSolids
from brep_mae.brep.solid.split import faces_of, split_closed
from brep_mae.schema import ARRAYS, SURFACE_TYPES, FaceGraph
from tests.brep.solids import SHAPES, box, first_solid, graph_of, placed
from tests.conftest import SHARED

SAMPLES = SHARED / "step_samples"
SHELL = BRepAlgoAPI_Cut(box(9, 9, 9, (-4, -4, -4)), SHAPES["sphere"]).Shape()
SLANTED = BRepAlgoAPI_Cut(SHAPES["cylinder"], box(9, 9, 4, (-4, -4, 0))).Shape()
SOLIDS = SHAPES | {
    "hollow": SHELL,
    "slanted": SLANTED,
    "free-form torus": BRepBuilderAPI_NurbsConvert(SHAPES["torus"]).Shape(),
    "free-form cylinder": BRepBuilderAPI_NurbsConvert(SHAPES["cylinder"]).Shape(),
}
ALL, CUT = Sampling(6, 50, 10, False, False), Sampling(6, 50, 10, False, True)


def check(whole: FaceGraph, cut: FaceGraph) -> None:
    """What has to hold between a solid and the same with its closed faces split.

    Areas of free forms are good to 1e-4.
    """
    parent = cut.face_parent
    assert set(parent.tolist()) == set(range(whole.n_faces))
    assert not cut.arc_seam.any() and (cut.arc_index[0] != cut.arc_index[1]).all()
    areas = np.bincount(parent, cut.face_area_mm2.astype(float), whole.n_faces)
    accuracy = 1e-4 if (whole.face_type > SURFACE_TYPES.index("torus")).any() else 1e-6
    assert areas == pytest.approx(whole.face_area_mm2.astype(float), rel=accuracy)
    sums = [np.bincount(parent, cut.face_area_mm2 * cut.face_centroid_mm[:, k].astype(float)) for k in range(3)]
    error = np.stack(sums, axis=1) / areas[:, None] + cut.center_mm - whole.face_centroid_mm - whole.center_mm
    assert np.abs(error).max() < 10 * accuracy * whole.scale_mm
    assert (cut.face_type == whole.face_type[parent]).all()
    assert np.abs(cut.face_params_unit[:, :5] - whole.face_params_unit[parent, :5]).max() == 0
    assert (cut.face_params_unit[:, 20] == whole.face_params_unit[parent, 20]).all()
    assert cut.face_name == [whole.face_name[k] for k in parent]
    assert (cut.face_color == whole.face_color[parent]).all()
    assert cut.scale_mm == pytest.approx(float(whole.scale_mm), rel=1e-5)
    assert (np.bincount(cut.coedge_index[1]) == 2).all()
    closed = np.zeros(whole.n_faces, bool)
    closed[whole.arc_index[0, whole.arc_seam]] = True
    assert ((np.bincount(parent) > 1) == closed).all(), "faces with a seam are split, and no others"


@pytest.mark.parametrize("how", ["as made", "moved", "mirrored", "mirrored and turned over", "mirrored geometry"])
@pytest.mark.parametrize("name", SOLIDS)
def test_no_face_stays_closed_and_the_parts_make_up_the_whole(name, how):
    shape = SOLIDS[name] if how == "as made" else placed(how, SOLIDS[name])
    check(graph_of(shape), graph_of(shape, split_closed=True))


@pytest.mark.parametrize("how", ["as made", "moved", "mirrored"])
def test_the_split_solid_encloses_the_same_volume(how):
    for name, shape in (SHAPES | {"hollow": SHELL, "slanted": SLANTED}).items():
        solid = first_solid(shape if how == "as made" else placed(how, shape))
        volumes = []
        for each in (solid, split_closed(solid)[0]):
            BRepGProp.VolumeProperties_s(each, properties := GProp_GProps())
            volumes.append(properties.Mass())
        assert volumes[1] == pytest.approx(volumes[0], rel=1e-6), name


@pytest.mark.parametrize("name, parts", [("sphere", 2), ("torus", 4), ("cylinder", 4), ("cone with apex", 3)])
def test_round_solids_fall_into_so_many_faces(name, parts):
    assert graph_of(SHAPES[name], split_closed=True).n_faces == parts
    assert graph_of(SHAPES[name]).face_parent.tolist() == list(range(graph_of(SHAPES[name]).n_faces))


@pytest.mark.parametrize("name", ["box", "notched block", "part of a cylinder"])
def test_a_solid_without_closed_faces_stays_as_it_is(name):
    whole, cut = graph_of(SHAPES[name]), graph_of(SHAPES[name], split_closed=True)
    for array in ARRAYS:
        assert (getattr(whole, array) == getattr(cut, array)).all(), array


def test_an_open_solid_is_split_and_stays_open():
    """Without its lid: only the wall falls in two."""
    builder, shell, opened = BRep_Builder(), TopoDS_Shell(), TopoDS_Solid()
    builder.MakeShell(shell)
    builder.MakeSolid(opened)
    for face in list(subshapes(SHAPES["cylinder"], TopAbs_FACE))[:2]:
        builder.Add(shell, face)
    builder.Add(opened, shell)
    whole, cut = graph_of(opened), graph_of(opened, split_closed=True)
    assert whole.face_type[cut.face_parent].tolist() == cut.face_type.tolist()
    assert sorted(np.bincount(cut.coedge_index[1]).tolist()) == [1, 1, 2, 2, 2, 2]
    assert cut.n_faces == whole.n_faces + 1


def test_names_and_colours_are_those_of_the_face_in_the_file():
    for how in ("as made", "moved"):
        solid = first_solid(SHAPES["cylinder"] if how == "as made" else placed(how, SHAPES["cylinder"]))
        faces = faces_of(solid)
        read = ReadSolid(
            solid,
            0,
            "",
            1.0,
            lambda f, m=faces: f"n{m.FindIndex(f)}",
            face_color=lambda f, m=faces: (m.FindIndex(f),) * 3,
        )
        graph = face_graph(read, "0#0", "x", MeasuredSolids(CUT))
        wall = SURFACE_TYPES.index("cylinder")
        (number,) = set(graph.face_parent[graph.face_type == wall].tolist())
        assert graph.face_name == [f"n{k + 1}" for k in graph.face_parent]
        assert graph.face_color[:, 0].tolist() == (graph.face_parent + 1).tolist()
        assert graph.face_name.count(f"n{number + 1}") == 2


@pytest.mark.parametrize(
    "file, closed",
    [("as1-oc-214.stp", 0), ("eight_cyl.stp", 8), ("screw.step", 3), ("io1-ug-214.stp", 12)],
)
def test_real_assemblies_can_be_split(file, closed):
    if not (SAMPLES / file).is_file():
        pytest.skip(f"../shared/data/step_samples/{file} is missing")
    all_parts, cut_parts, more = MeasuredSolids(ALL), MeasuredSolids(CUT), 0
    for solid in read_solids(SAMPLES / file):
        assert isinstance(solid, ReadSolid)
        whole, cut = face_graph(solid, "0#0", file, all_parts), face_graph(solid, "0#0", file, cut_parts)
        check(whole, cut)
        more += cut.n_faces - whole.n_faces
    assert more == closed


class Broken:
    """Stands for the kernel's tool; `error` and `result` are what comes of it."""

    error: Exception | None = None
    result: TopoDS_Shape

    def __init__(self, solid):
        pass

    def SetNbSplitPoints(self, count):
        pass

    def Perform(self, fresh):
        if self.error is not None:
            raise self.error

    def Result(self):
        return self.result

    def GetContext(self):
        return self

    def Apply(self, face):
        return face


def test_what_the_kernel_cannot_split_is_a_reject(monkeypatch):
    monkeypatch.setattr(split, "ShapeUpgrade_ShapeDivideClosed", Broken)
    shell = TopoDS_Shell()
    BRep_Builder().MakeShell(shell)
    monkeypatch.setattr(Broken, "result", shell, raising=False)
    with pytest.raises(Reject, match="cannot be split") as caught:
        graph_of(SHAPES["cylinder"], split_closed=True)
    assert caught.value.reason == "degenerate"
    monkeypatch.setattr(Broken, "error", Standard_Failure("no pcurve"))
    with pytest.raises(Reject, match=re.escape("cannot be split: Standard_Failure")):
        graph_of(SHAPES["cylinder"], split_closed=True)
    monkeypatch.setattr(Broken, "error", Standard_OutOfMemory("full"))
    with pytest.raises(Standard_OutOfMemory):
        graph_of(SHAPES["cylinder"], split_closed=True)


def test_a_split_that_loses_track_of_its_faces_is_a_reject(monkeypatch):
    monkeypatch.setattr(split, "ShapeUpgrade_ShapeDivideClosed", Broken)
    monkeypatch.setattr(Broken, "result", first_solid(SHAPES["box"]), raising=False)
    with pytest.raises(Reject, match="6 split faces have no known parent"):
        split_closed(first_solid(SHAPES["cylinder"]))
