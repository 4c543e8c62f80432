"""A part far from the origin has the shape it has near it: what is stored in single precision is about its centre."""

import numpy as np
import pytest
from OCP.BRepBuilderAPI import BRepBuilderAPI_NurbsConvert, BRepBuilderAPI_Transform
from OCP.gp import gp_Trsf, gp_Vec
from OCP.TopLoc import TopLoc_Location

from brep_mae.brep.interop.occwl import uvnet_arrays
from brep_mae.brep.sampling import Sampling
from brep_mae.brep.solid.measured import measure
from brep_mae.cli.summary import one
from brep_mae.schema import POINT
from tests.brep.solids import CUT, SHAPES, box, first_solid, graph_of

MADE = {**CUT, "box": SHAPES["box"], "sphere": SHAPES["sphere"]}
OFFSET = np.array([1e7, -3e6, 4e7])


def far(shape, how: str):
    trsf = gp_Trsf()
    trsf.SetTranslation(gp_Vec(*OFFSET.tolist()))
    if how == "placed":
        return first_solid(shape).Located(TopLoc_Location(trsf))
    return BRepBuilderAPI_Transform(first_solid(shape), trsf, True).Shape()


@pytest.mark.parametrize("how", ["placed", "made there"])
@pytest.mark.parametrize("name", MADE)
def test_the_record_is_the_same_but_for_the_centre(name, how):
    for shape in (MADE[name], BRepBuilderAPI_NurbsConvert(MADE[name]).Shape()):
        here, there = graph_of(shape, curvature=True), graph_of(far(shape, how), curvature=True)
        assert there.center_mm - here.center_mm == pytest.approx(OFFSET, abs=1e-6)
        for array in (
            *("face_grid", "face_box_mm", "face_centroid_mm", "face_area_mm2", "face_axes", "face_curvature"),
            *("face_params_unit", "edge_params_unit", "vertex_unit", "arc_grid", "arc_angle_rad", "arc_length_mm"),
            *("arc_index", "field_samples", "scale_mm"),
        ):
            assert np.abs(getattr(here, array) - getattr(there, array)).max() < 1e-4, array


def test_a_part_is_measured_about_itself_whatever_lies_beside_it():
    """Solids that are measured together share nothing."""
    near, away = first_solid(CUT["drilled torus"]), first_solid(far(CUT["drilled torus"], "made there"))
    pair = measure([near, away], ["0#0", "0#0"], Sampling(6, 20, 10, False, False))
    (alone,) = measure([near], ["0#0"], Sampling(6, 20, 10, False, False))
    for part in pair:
        assert part.volume == pytest.approx(alone.volume, abs=1e-6)
        assert part.area == pytest.approx(alone.area, abs=1e-6)


def test_what_is_told_to_others_is_where_the_file_has_it():
    """The kernel's boxes of a box's faces are the closed form; UV-Net stores absolute points."""
    graph = graph_of(far(box(1, 2, 3.25), "made there"), grid=5)
    x, y, z = OFFSET.tolist()
    told = one(graph)
    assert told["size_mm"] == [1.0, 2.0, 3.25]
    corners = np.array([face["box_mm"] for face in told["each_face"]])
    assert corners.min(axis=0)[:3].tolist() == [x, y, z]
    assert corners.max(axis=0)[3:].tolist() == [x + 1, y + 2, z + 3.25]
    points = uvnet_arrays(graph).faces[..., POINT].reshape(-1, 3)
    assert points.min(axis=0) == pytest.approx([x, y, z], abs=1e-6)
    assert points.max(axis=0) == pytest.approx([x + 1, y + 2, z + 3.25], abs=1e-6)
    assert uvnet_arrays(graph).edges[..., POINT].min() == pytest.approx(y, abs=1e-6)
