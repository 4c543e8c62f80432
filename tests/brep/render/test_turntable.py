"""Frames against closed forms, against rays cast by the CAD kernel, and against what must not be seen in them."""

import math

import cadquery as cq
import numpy as np
import pytest
from OCP.BRep import BRep_Tool
from OCP.gp import gp_Dir, gp_Lin, gp_Pnt
from OCP.IntCurvesFace import IntCurvesFace_ShapeIntersector
from OCP.TopAbs import TopAbs_FACE
from OCP.TopExp import TopExp
from OCP.TopLoc import TopLoc_Location
from OCP.TopoDS import TopoDS, TopoDS_Shape
from OCP.TopTools import TopTools_IndexedMapOfShape

from brep_mae.brep.reject import Reject
from brep_mae.brep.render.mesh import tessellate
from brep_mae.brep.render.turntable import ELEVATION_DEG, START_DEG, Turntable, camera_axes, half_width
from tests.brep.solids import placed

SIN, COS = math.sin(math.radians(ELEVATION_DEG)), math.cos(math.radians(ELEVATION_DEG))


def bracket() -> cq.Workplane:
    """No symmetry at all: plate, off-centre wall, hole, chamfer, fillet."""
    part = cq.Workplane().box(30, 20, 6).edges("|Z and >X and >Y").chamfer(4).edges("|Z and <X and <Y").fillet(5)
    part = part.union(cq.Workplane("XY", (9, -6, 3)).box(4, 6, 18, centered=(True, True, False)))
    return part.faces("<Z").workplane().center(-6, 3).hole(5)


def faces(shape: TopoDS_Shape) -> TopTools_IndexedMapOfShape:
    found = TopTools_IndexedMapOfShape()
    TopExp.MapShapes_s(shape, TopAbs_FACE, found)
    return found


def silhouette_overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float(((a >= 0) & (b >= 0)).sum() / ((a >= 0) | (b >= 0)).sum())


def test_a_box_shows_the_faces_that_look_at_the_camera_with_their_projected_areas():
    size, sides = 256, np.array([30.0, 20.0, 12.0])
    frames = Turntable(6, size).render(cq.Workplane().box(*sides).val().wrapped)
    pixel = half_width(size) * np.linalg.norm(sides) / size
    numbered = faces(cq.Workplane().box(*sides).val().wrapped)
    normals = np.array([cq.Face(numbered.FindKey(i + 1)).normalAt().toTuple() for i in range(6)])
    areas = np.array([cq.Face(numbered.FindKey(i + 1)).Area() for i in range(6)])
    for view in range(6):
        azimuth = math.radians(START_DEG + 60 * view)
        back = np.array([COS * math.cos(azimuth), COS * math.sin(azimuth), SIN])
        expected = areas * np.clip(normals @ back, 0, None) / pixel**2
        seen = np.bincount(frames.face[view][frames.face[view] >= 0], minlength=6)
        assert ((seen > 0) == (expected > 0)).all()
        assert np.abs(seen - expected).max() < 0.5 * size  # half a pixel along an outline as long as the frame


def test_a_standing_cylinder_shows_its_top_as_an_ellipse_and_its_side_in_every_view():
    size, radius, height = 200, 5.0, 8.0
    solid = cq.Workplane().circle(radius).extrude(height).val().wrapped
    kinds = [cq.Face(faces(solid).FindKey(i + 1)).geomType() for i in range(3)]
    frames = Turntable(5, size).render(solid)
    pixel = 2 * half_width(size) * math.hypot(radius, height / 2) / size
    for face in frames.face:
        seen = np.bincount(face[face >= 0], minlength=3)
        assert seen[kinds.index("CYLINDER")] == pytest.approx(2 * radius * height * COS / pixel**2, rel=0.01)
        assert seen.sum() - seen[kinds.index("CYLINDER")] == pytest.approx(
            math.pi * radius**2 * SIN / pixel**2, rel=0.01
        )


@pytest.mark.parametrize("many", [False, True], ids=["bracket", "320 walls"])
def test_every_pixel_names_the_first_face_that_a_ray_through_it_meets(many):
    size, views = 160, 3
    part = cq.Workplane().polygon(320, 20).extrude(9) if many else bracket()
    shape = part.val().wrapped
    numbered = faces(shape)
    frames = Turntable(views, size).render(shape)
    assert frames.face.max() > 255 or not many
    point = tessellate(shape, 1e-3).point
    middle = (point.min(0) + point.max(0)) / 2
    pixel = 2 * half_width(size) * np.linalg.norm(point - middle, axis=1).max() / size
    caster = IntCurvesFace_ShapeIntersector()
    caster.Load(shape, 1e-6)
    rng, checked = np.random.default_rng(0), 0
    for view in range(views):
        right, up, back = camera_axes(view, views)
        rows, columns = np.nonzero(frames.face[view] >= 0)
        for k in rng.choice(len(rows), 60, replace=False):
            hits = set()
            for shift in (-0.2, 0.2):  # where both agree, the pixel's middle is not on an edge
                x, y = columns[k] + 0.5 + shift - size / 2, size / 2 - rows[k] - 0.5
                start = middle + pixel * (x * right + y * up) + 1000 * back
                caster.PerformNearest(gp_Lin(gp_Pnt(*start), gp_Dir(*-back)), 0, 1e6)
                hits.add(numbered.FindIndex(caster.Face(1)) - 1 if caster.NbPnt() else -1)
            if len(hits) == 1:
                checked += 1
                assert frames.face[view, rows[k], columns[k]] == hits.pop()
    assert checked > 60


def test_frames_are_not_mirrored():
    """From azimuth 35 looking at the origin, what stands at azimuth 125 is on the right, and +z is up."""
    ahead = math.radians(START_DEG)
    plate = cq.Workplane().circle(10).extrude(1)
    tower = cq.Workplane("XY", (-8 * math.sin(ahead), 8 * math.cos(ahead), 1)).box(
        2, 2, 9, centered=(True, True, False)
    )
    face = Turntable(1, 64).render(plate.union(tower).val().wrapped).face[0]
    highest = np.nonzero((face >= 0).any(axis=1))[0][0]
    assert np.nonzero(face[highest] >= 0)[0].min() > 40
    assert highest < 20


@pytest.mark.parametrize("view", [1, 2, 3])
def test_a_later_view_is_the_solid_turned_the_other_way(view):
    turn = Turntable(4, 128)
    seen = turn.render(bracket().val().wrapped).face
    turned = turn.render(bracket().rotate((0, 0, 0), (0, 0, 1), -90 * view).val().wrapped).face
    assert silhouette_overlap(seen[view], turned[0]) > 0.98
    assert silhouette_overlap(seen[view], turned[(4 - view) % 4 or 2]) < 0.98  # the part has no symmetry to hide behind


def test_place_and_size_of_a_solid_are_not_seen():
    turn = Turntable(3, 64)
    first = turn.render(bracket().val().wrapped)
    second = turn.render(bracket().translate((100, -50, 3)).val().scale(7).wrapped)
    assert (first.face == second.face).all()
    assert (first.image == second.image).all()


def test_nothing_is_cut_off_and_white_is_exactly_where_no_face_is():
    for part in (bracket(), cq.Workplane().box(1, 1, 40), cq.Workplane().sphere(3), cq.Workplane().box(50, 40, 0.5)):
        frames = Turntable(4, 48).render(part.val().wrapped)
        assert ((frames.face >= 0) == (frames.image != 255).any(-1)).all()
        border = np.ones((48, 48), bool)
        border[1:-1, 1:-1] = False
        assert (frames.face[:, border] == -1).all()
        assert (frames.face >= 0).any(axis=(1, 2)).all()


def test_walls_and_a_chamfer_differ_in_shade():
    frames = Turntable(6, 64).render(cq.Workplane().box(10, 10, 10).edges(">Z").chamfer(2).val().wrapped)
    for image, face in zip(frames.image, frames.face, strict=True):
        seen = [n for n in np.unique(face) if n >= 0 and (face == n).sum() > 20]
        shades = np.array([np.median(image[face == n], axis=0) for n in seen])
        apart = np.abs(shades[:, None] - shades[None]).max(-1)[~np.eye(len(seen), dtype=bool)]
        assert len(seen) >= 4 and apart.min() >= 5


def test_one_turntable_gives_what_a_new_one_gives():
    turn = Turntable(3, 64)
    turn.render(cq.Workplane().sphere(3).val().wrapped)
    again, new = turn.render(bracket().val().wrapped), Turntable(3, 64).render(bracket().val().wrapped)
    assert (again.image == new.image).all() and (again.face == new.face).all()


def test_rendering_leaves_no_triangles_in_the_shape():
    shape = bracket().val().wrapped
    Turntable(1, 32).render(shape)
    numbered = faces(shape)
    left = [BRep_Tool.Triangulation_s(TopoDS.Face_s(numbered.FindKey(i + 1)), TopLoc_Location()) for i in range(4)]
    assert left == [None] * 4


def test_triangles_face_outwards_also_in_a_mirrored_solid():
    part = bracket().val()
    made = [part.wrapped, bracket().mirror("YZ").val().wrapped]
    made += [placed(how, part.wrapped) for how in ("mirrored", "mirrored and turned over")]
    for shape in made:
        mesh = tessellate(shape, 1e-3)
        a, b, c = (mesh.point[mesh.triangle[:, k]] for k in range(3))
        assert (np.cross(a, b) * c).sum() / 6 == pytest.approx(part.Volume(), rel=5e-3)
        across = np.cross(b - a, c - a)
        assert ((across * mesh.normal[mesh.triangle[:, 0]]).sum(1) > 0).all()


def test_a_shape_without_faces_is_refused():
    with pytest.raises(Reject, match="no faces"):
        Turntable(1, 16).render(cq.Compound.makeCompound([]).wrapped)
