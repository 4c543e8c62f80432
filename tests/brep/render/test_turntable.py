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
from brep_mae.brep.render.turntable import ELEVATION_DEG, START_DEG, Frames, Turntable, camera_axes, crop
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


def pixel_of(shape: TopoDS_Shape, view: int, views: int, size: int) -> float:
    """Side of a pixel in the unit of the shape."""
    return 2 * crop(tessellate(shape, 1e-3).point, camera_axes(view, views), size)[1] / size


def silhouette_overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float(((a >= 0) & (b >= 0)).sum() / ((a >= 0) | (b >= 0)).sum())


def test_a_box_shows_the_faces_that_look_at_the_camera_with_their_projected_areas():
    size, sides = 256, np.array([30.0, 20.0, 12.0])
    shape = cq.Workplane().box(*sides).val().wrapped
    frames, numbered = Turntable(6, size).render(shape), faces(shape)
    normals = np.array([cq.Face(numbered.FindKey(i + 1)).normalAt().toTuple() for i in range(6)])
    areas = np.array([cq.Face(numbered.FindKey(i + 1)).Area() for i in range(6)])
    for view in range(6):
        azimuth = math.radians(START_DEG + 60 * view)
        back = np.array([COS * math.cos(azimuth), COS * math.sin(azimuth), SIN if view % 2 == 0 else -SIN])
        expected = areas * np.clip(normals @ back, 0, None) / pixel_of(shape, view, 6, size) ** 2
        seen = np.bincount(frames.face[view][frames.face[view] >= 0], minlength=6)
        assert ((seen > 2) == (expected > 0)).all()  # a pixel on a corner may go to a face behind it
        assert np.abs(seen - expected).max() < 0.5 * size  # half a pixel along an outline as long as the frame


def test_a_standing_cylinder_shows_one_end_as_an_ellipse_and_its_side_in_every_view():
    size, radius, height = 200, 5.0, 8.0
    solid = cq.Workplane().circle(radius).extrude(height).val().wrapped
    kinds = [cq.Face(faces(solid).FindKey(i + 1)).geomType() for i in range(3)]
    frames = Turntable(5, size).render(solid)
    for view, face in enumerate(frames.face):
        pixel = pixel_of(solid, view, 5, size)
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
    point = tessellate(shape, 0.25 / size).point
    caster = IntCurvesFace_ShapeIntersector()
    caster.Load(shape, 1e-6)
    rng, checked = np.random.default_rng(0), 0
    for view in range(views):
        right, up, back = axes = camera_axes(view, views)
        middle, half = crop(point, axes, size)
        rows, columns = np.nonzero(frames.face[view] >= 0)
        for k in rng.choice(len(rows), 60, replace=False):
            hits = set()
            for shift in (-0.2, 0.2):  # where both agree, the pixel's middle is not on an edge
                x, y = columns[k] + 0.5 + shift - size / 2, size / 2 - rows[k] - 0.5
                x, y = middle + np.array([x, y]) * 2 * half / size
                start = x * right + y * up + 1000 * back
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
def test_a_later_view_is_the_solid_turned_the_other_way_seen_from_its_height(view):
    turn = Turntable(4, 128)
    seen = turn.render(bracket().val().wrapped).face
    turned = turn.render(bracket().rotate((0, 0, 0), (0, 0, 1), -90 * view).val().wrapped).face
    assert silhouette_overlap(seen[view], seen[0]) < 0.97  # the part has no symmetry to hide behind
    if view % 2 == 0:
        assert silhouette_overlap(seen[view], turned[0]) > 0.98
    else:
        after = turn.render(bracket().rotate((0, 0, 0), (0, 0, 1), -90 * (view - 1)).val().wrapped).face
        assert silhouette_overlap(seen[view], after[1]) > 0.98


def test_every_second_view_looks_from_below():
    plate = cq.Workplane().box(10, 10, 1)
    plate = plate.faces("<Z").workplane().rect(4, 4).cutBlind(-0.4)  # a pocket underneath
    shape = plate.val().wrapped
    under = [n for n in range(len(plate.faces().vals())) if cq.Face(faces(shape).FindKey(n + 1)).Center().z < -0.09]
    shown = [bool(np.isin(under, face).any()) for face in Turntable(6, 96).render(shape).face]
    assert shown == [False, True] * 3


def widest(frames: Frames) -> list[int]:
    """Longer side of what every frame shows, in pixels."""
    return [max(np.ptp(rows), np.ptp(columns)) + 1 for rows, columns in (np.nonzero(f >= 0) for f in frames.face)]


def test_every_frame_is_cropped_to_what_it_shows():
    for part in (bracket(), cq.Workplane().box(1, 1, 40), cq.Workplane().box(50, 40, 0.5).translate((9, 9, 9))):
        frames = Turntable(4, 64).render(part.val().wrapped)
        assert min(widest(frames)) >= 61 and max(widest(frames)) <= 62


def test_one_dark_line_parts_two_faces_and_nothing_else_is_dark():
    frames = Turntable(4, 128).render(cq.Workplane().box(10, 10, 10).val().wrapped)
    for face, shade in zip(frames.face, frames.image.astype(int).sum(-1), strict=True):
        kept = shade / np.array([shade[face == n].max(initial=1) for n in range(6)])[face]  # of a face's own light
        beside = np.zeros(face.shape, bool)
        for row, column in np.argwhere(face >= 0):
            beside[row, column] = bool({face[row + 1, column], face[row, column + 1]} - {-1, face[row, column]})
        large = np.isin(face, [n for n in range(6) if (face == n).sum() > 9])  # a corner's pixel may be all line
        assert (beside & large).sum() > 128
        assert (kept[beside & large] < 0.5).all() and (kept[~beside & large] > 0.99).all()


def test_a_seam_within_a_face_is_no_line():
    frames = Turntable(8, 128).render(cq.Workplane().circle(3).extrude(9).val().wrapped)
    for image, face in zip(frames.image, frames.face, strict=True):
        across = np.nonzero(face[64] >= 0)[0][2:-2]  # half way up, from one outline of the side to the other
        assert np.abs(np.diff(image[64, across].astype(int), axis=0)).max() < 12


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
