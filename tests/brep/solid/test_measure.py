"""Area, centroid and box of every face: closed forms and the kernel's own, under every placement."""

import math

import numpy as np
import pytest
from OCP.Bnd import Bnd_Box
from OCP.BRepBndLib import BRepBndLib
from OCP.BRepBuilderAPI import BRepBuilderAPI_NurbsConvert
from OCP.BRepGProp import BRepGProp
from OCP.GProp import GProp_GProps

from brep_mae.brep.read.step import ReadSolid, read_solids
from brep_mae.brep.solid.measure import moments
from brep_mae.schema import INSIDE, POINT
from tests.brep.solids import CUT, PLACEMENTS, SHAPES, graph_of, parts_of, placed

MADE = {**SHAPES, **CUT}
WAYS = ["as made", *PLACEMENTS]
CIRCLE, HOLE = 4 * math.pi, 0.09 * math.pi
AREAS = {
    "box": [2, 2, 3, 3, 6, 6],
    "cylinder": [CIRCLE, CIRCLE, 20 * math.pi],
    "part of a cylinder": [4, 4, 10, 10, 20],
    "cone": [math.pi, 9 * math.pi, 4 * math.pi * math.sqrt(20)],
    "cone with apex": [CIRCLE, 2 * math.pi * math.sqrt(20)],
    "sphere": [16 * math.pi],
    "torus": [12 * math.pi**2],
    "notched block": [1, 1, 1, 3, 3, 3, 4, 4, 4],
    "plate": [0.25, 0.25, 0.25, 0.25, 0.15 * math.pi, 1 - HOLE, 1 - HOLE],
    "sphere without a pole": [math.pi, math.pi, math.pi, 14 * math.pi],
}


def shape_of(name: str, how: str, free_form: bool):
    """Made free-form before it is placed: the kernel turns free-form faces under a mirror inside out."""
    shape = BRepBuilderAPI_NurbsConvert(MADE[name]).Shape() if free_form else MADE[name]
    return shape if how == "as made" else placed(how, shape)


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("name", AREAS)
def test_areas_are_the_closed_forms(name, how):
    for free_form, within in ((False, 1e-6), (True, 1e-4)):
        areas = np.sort(graph_of(shape_of(name, how, free_form)).face_area_mm2)
        assert areas == pytest.approx(AREAS[name], rel=within)


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("name", MADE)
def test_area_centroid_and_box_of_each_face_are_the_kernels(name, how):
    for free_form, within in ((False, 1e-5), (True, 1e-4)):
        shape = shape_of(name, how, free_form)
        graph = graph_of(shape, grid=12)
        for number, face in enumerate(parts_of(shape).topology.faces):
            props, bounds = GProp_GProps(), Bnd_Box()
            BRepGProp.SurfaceProperties_s(face, props, 1e-7, False)
            assert graph.face_area_mm2[number] == pytest.approx(abs(props.Mass()), rel=within)
            centroid = graph.face_centroid_mm[number] + graph.center_mm
            assert centroid == pytest.approx(props.CentreOfMass().Coord(), abs=within * 10)
            BRepBndLib.AddOptimal_s(face, bounds, False, False)
            wanted = np.array([bounds.CornerMin().Coord(), bounds.CornerMax().Coord()]).ravel()
            found = graph.face_box_mm[number] + np.tile(graph.center_mm, 2)
            outside = (found - wanted) * [-1, -1, -1, 1, 1, 1]
            assert outside.max() < 2e-3, "larger than the kernel's exact box"
            assert outside.min() > -2e-3, "smaller than the kernel's exact box"


@pytest.mark.parametrize("name", MADE)
def test_the_box_of_a_face_holds_its_samples(name):
    for how in ("as made", "mirrored geometry"):
        for free_form in (False, True):
            graph = graph_of(shape_of(name, how, free_form), grid=15)
            for grid, (low, high) in zip(graph.face_grid, graph.face_box_mm.reshape(-1, 2, 3), strict=True):
                points = grid[grid[..., INSIDE] > 0][:, POINT]
                assert len(points)
                assert (points >= low - 1e-5).all() and (points <= high + 1e-5).all()


@pytest.mark.parametrize("how", WAYS)
def test_the_box_of_a_free_form_solid_is_its_own_whatever_the_grid(how):
    """A ball under any rotation; a torus upright."""
    for name, sizes in (("sphere", [4, 4, 4]), ("torus", None)):
        for grid in (2, 7):
            boxes = graph_of(shape_of(name, how, True), grid=grid).face_box_mm.astype(float)
            found = boxes[:, 3:].max(axis=0) - boxes[:, :3].min(axis=0)
            if sizes is None:  # from side to side in a direction at the angle a to the axis: 2 (R sin a + r)
                exact = graph_of(shape_of(name, how, False)).face_box_mm.astype(float)
                sizes = exact[:, 3:].max(axis=0) - exact[:, :3].min(axis=0)
            assert found == pytest.approx(sizes, rel=1e-5)


def test_areas_of_real_parts_are_the_kernels(shared_data):
    """The kernel's default accuracy is worse than ours on splines, so it is asked for more."""
    for file, within in (("linkrods.step", 5e-4), ("screw.step", 1e-5), ("io1-ug-214.stp", 1e-6)):
        for solid in read_solids(shared_data / "step_samples" / file):
            assert isinstance(solid, ReadSolid)
            areas = graph_of(solid.shape).face_area_mm2
            for area, face in zip(areas, parts_of(solid.shape).topology.faces, strict=True):
                props = GProp_GProps()
                BRepGProp.SurfaceProperties_s(face, props, 1e-7, False)
                assert area == pytest.approx(props.Mass(), rel=within)


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("name", MADE)
def test_faces_add_up_to_the_enclosed_volume(name, how):
    for free_form, within in ((False, 1e-6), (True, 3e-4)):
        shape = shape_of(name, how, free_form)
        props = GProp_GProps()
        BRepGProp.VolumeProperties_s(shape, props, 1e-8, False)
        apart = parts_of(shape)
        volume = moments(apart.topology, apart.surfaces, apart.trimming, apart.loops)[2]
        assert volume.sum() == pytest.approx(abs(props.Mass()), rel=within)
