"""Stored solids that lie another way: as the kernel would have turned them, and the same to whatever is invariant."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from OCP.BRepAlgoAPI import BRepAlgoAPI_Cut, BRepAlgoAPI_Fuse
from OCP.BRepBuilderAPI import BRepBuilderAPI_Transform
from OCP.gp import gp_Quaternion, gp_Trsf
from scipy.spatial.transform import Rotation

from brep_mae.datasets.content import FACES
from brep_mae.datasets.derived.turned import TurnedSolids, turned
from brep_mae.datasets.from_graph import from_graph
from brep_mae.datasets.loader import Solids
from brep_mae.datasets.shards import open_shards
from brep_mae.schema import FIELD_POINT, NORMAL, POINT, TANGENT, validate
from tests.brep.solids import CUT, SHAPES, box, first_solid, graph_of
from tests.stored import store
from tests.synthetic import make_graph

CLOSE = {"rtol": 0, "atol": 1e-4}
TURN = Rotation.from_rotvec([0.5, -1.1, 0.8])
MIRROR = -TURN.as_matrix()


@pytest.mark.parametrize("matrix", [TURN.as_matrix(), MIRROR], ids=["turned", "mirrored"])
@pytest.mark.parametrize("shape", [CUT["drilled torus"], CUT["cone across its seam"], SHAPES["notched block"]])
def test_invariants_stay_and_coordinates_do_not(shape, matrix):
    graph = graph_of(shape, grid=8)
    before, after = from_graph(graph), from_graph(validate(turned(graph, matrix)))
    np.testing.assert_allclose(before.invariant, after.invariant, **CLOSE)
    np.testing.assert_allclose(before.arc_invariant, after.arc_invariant, **CLOSE)
    for key in ("label", "where", "arc_index", "arc_kind", "surface"):
        assert torch.equal(getattr(before, key), getattr(after, key)), key
    for key in ("grid", "arc_grid", "field"):
        moved = (getattr(before, key) - getattr(after, key)).abs()
        assert moved.mean() > 0.1, key


L_BLOCK = BRepAlgoAPI_Cut(box(4, 4, 4), box(9, 9, 9, (1, -1, 1))).Shape()
"""Of its L-shaped faces' parameter boxes a corner lies outside, where the solid has nothing."""
TOWER = BRepAlgoAPI_Fuse(box(4, 4, 1), box(1, 1, 3, (0.5, 0.5, 1))).Shape()


@pytest.mark.parametrize(
    "shape",
    [box(1, 2, 3, (4, 0, -7)), SHAPES["notched block"], TOWER, L_BLOCK],
    ids=["box", "cut", "tower", "corner missing"],
)
def test_a_turned_solid_is_what_the_kernel_makes_of_it(shape):
    """Flat faces whose corners are samples, so that both have the same box."""
    trsf = gp_Trsf()
    trsf.SetRotation(gp_Quaternion(*TURN.as_quat().tolist()))
    kernel = graph_of(BRepBuilderAPI_Transform(first_solid(shape), trsf, True).Shape(), grid=8)
    graph = graph_of(shape, grid=8)
    ours = turned(graph, TURN.as_matrix())
    assert float(ours.scale_mm) == pytest.approx(float(kernel.scale_mm), rel=1e-5)
    assert float(ours.scale_mm) != pytest.approx(float(graph.scale_mm), rel=0.05), "another box"
    np.testing.assert_array_equal(ours.arc_index, kernel.arc_index)
    pairs = [
        (ours.face_grid[..., POINT] / ours.scale_mm, kernel.face_grid[..., POINT] / kernel.scale_mm),
        (ours.arc_grid[..., POINT] / ours.scale_mm, kernel.arc_grid[..., POINT] / kernel.scale_mm),
        (ours.face_centroid_mm / ours.scale_mm, kernel.face_centroid_mm / kernel.scale_mm),
        (ours.face_grid[..., NORMAL], kernel.face_grid[..., NORMAL]),
        (ours.arc_grid[..., TANGENT], kernel.arc_grid[..., TANGENT]),
        (ours.face_axes, kernel.face_axes),
    ]
    for mine, theirs in pairs:
        np.testing.assert_allclose(mine, theirs, **CLOSE)
    a, b = from_graph(ours), from_graph(kernel)
    np.testing.assert_allclose(a.scalars, b.scalars, **CLOSE)
    np.testing.assert_allclose(a.arc_scalars, b.arc_scalars, **CLOSE)


def test_field_samples_stay_on_their_faces():
    graph = graph_of(box(1, 2, 3), grid=8)
    ours = turned(graph, TURN.as_matrix())
    off = ours.field_samples[..., FIELD_POINT] - ours.face_grid[:, :1, 0, POINT]
    np.testing.assert_allclose(np.einsum("fsc,fc->fs", off, ours.face_grid[:, 0, 0, NORMAL]), 0, atol=1e-5)
    np.testing.assert_array_equal(ours.field_samples[..., :2], graph.field_samples[..., :2])


@pytest.mark.parametrize("matrix", [TURN.as_matrix(), MIRROR, np.diag([1.0, 1.0, -1.0])])
def test_every_coedge_has_its_face_on_the_left_and_every_normal_points_out_of_a_box(matrix):
    """Seen from outside, with the normal n towards the eye, left of the way t is n x t."""
    graph = turned(graph_of(box(1, 2, 3), grid=7), matrix)
    normal, middle = graph.face_grid[:, 3, 3, NORMAL], graph.face_grid[:, 3, 3, POINT]
    assert ((middle * normal).sum(-1) > 0).all()
    source = graph.arc_index[0]
    tangent, point = graph.arc_grid[:, 3, TANGENT], graph.arc_grid[:, 3, POINT]
    left = np.cross(normal[source], tangent)
    assert ((left * (middle[source] - point)).sum(-1) > 0.1).all()
    way = graph.arc_grid[:, -1, POINT] - graph.arc_grid[:, 0, POINT]
    assert ((way * tangent).sum(-1) > 0.9).all(), "points follow one another along the tangent"


def test_turning_back_gives_the_solid_again():
    graph = graph_of(SHAPES["notched block"])
    there_and_back = turned(turned(graph, MIRROR), MIRROR.T)
    for name in ("face_grid", "arc_grid", "field_samples", "face_axes", "face_centroid_mm", "center_mm", "scale_mm"):
        np.testing.assert_allclose(getattr(there_and_back, name), getattr(graph, name), atol=1e-5, err_msg=name)


def test_the_given_solid_stays_as_it_is():
    graph, same = make_graph(7), make_graph(7)
    turned(graph, MIRROR)
    for name in ("face_grid", "arc_grid", "field_samples", "center_mm"):
        np.testing.assert_array_equal(getattr(graph, name), getattr(same, name))


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("turned")
    uids = store(folder, 6)
    (folder / "labels").rename(folder / "parsed" / "labels")  # a set of a study has its labels in it
    return folder, uids


@pytest.mark.parametrize("mirror", [False, True])
def test_only_those_named_are_turned_each_by_its_own_matrix(stored, mirror):
    folder, uids = stored
    named = [uids[4], uids[1], uids[2]]
    data, as_stored = (
        TurnedSolids(folder / "parsed", uids, named, mirror),
        Solids(folder / "parsed", None, uids, FACES),
    )
    graphs = {graph.uid: graph for graph in open_shards(folder / "parsed")}
    for uid in uids:
        expected = as_stored.faces(uid)
        if uid in named:
            assert not torch.allclose(data.faces(uid).grid, expected.grid, atol=0.01)
            expected = from_graph(turned(graphs[uid], data.matrices[uid]))
        assert torch.equal(data.faces(uid).grid, expected.grid)
        assert torch.equal(data.batch([uid]).faces.arc_grid, expected.arc_grid)
    drawn = np.stack([data.matrices[uid] for uid in named])
    np.testing.assert_allclose(drawn @ drawn.transpose(0, 2, 1), np.broadcast_to(np.eye(3), (3, 3, 3)), atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(drawn), -1 if mirror else 1)
    assert all(np.abs(a - b).max() > 0.1 for i, a in enumerate(drawn) for b in drawn[:i])


def test_they_lie_the_same_way_every_time(stored):
    folder, uids = stored
    first, again = (TurnedSolids(folder / "parsed", uids, uids[:3], False) for _ in range(2))
    assert all(torch.equal(first.faces(u).grid, again.faces(u).grid) for u in uids)
    assert first.read == FACES and first.uids == tuple(uids)


def test_every_way_to_lie_is_as_likely_as_another(stored):
    """Mean over SO(3): zero for every entry of the matrix, a third for its square."""
    folder, uids = stored
    drawn = np.stack(
        list(TurnedSolids(folder / "parsed", uids, [str(i) for i in range(3000)], False).matrices.values())
    )
    np.testing.assert_allclose(drawn.mean(0), 0, atol=0.05)
    np.testing.assert_allclose((drawn**2).mean(0), 1 / 3, atol=0.03)


def test_labels_are_not_turned(stored):
    folder, uids = stored
    graph = replace(make_graph(6), part_label=1)
    assert np.array_equal(turned(graph, MIRROR).face_label, graph.face_label)
    data, as_stored = (
        TurnedSolids(folder / "parsed", uids, uids, True),
        Solids(folder / "parsed", None, uids, FACES),
    )
    assert all(torch.equal(data.faces(u).label, as_stored.faces(u).label) for u in uids)
