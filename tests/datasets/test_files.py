"""All solids of a file as one sample."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from OCP.BRepPrimAPI import BRepPrimAPI_MakeCone, BRepPrimAPI_MakeCylinder, BRepPrimAPI_MakeTorus
from OCP.gp import gp_Ax2, gp_Dir, gp_Pnt

from brep_mae.datasets.content import FACES
from brep_mae.datasets.derived.files import Files, file_of, merged
from brep_mae.datasets.from_graph import from_graph
from brep_mae.datasets.shards import write_shard
from brep_mae.models.extractors.hops import Hops
from brep_mae.schema import POINT, UNLABELLED, FaceGraph, validate
from tests.brep.solids import box, graph_of
from tests.stored import label

PLACE = gp_Ax2(gp_Pnt(30, -4, 2), gp_Dir(1, 2, 2))
SHAPES = (
    box(1, 2, 3, (1e4, 5, 6)),
    BRepPrimAPI_MakeCylinder(PLACE, 1.5, 4.0).Shape(),
    BRepPrimAPI_MakeCone(PLACE, 2.0, 1.0, 3.0).Shape(),
    BRepPrimAPI_MakeTorus(PLACE, 3.0, 1.0, 2.0).Shape(),
)
NAMED = {"plane": 0, "cylinder": 1, "cone": 2, "sphere": 3, "torus": 4}


@pytest.fixture(scope="module")
def solids() -> list[FaceGraph]:
    graphs = [graph_of(shape, uid=f"0123456789abcdef#{i}") for i, shape in enumerate(SHAPES)]
    return [replace(graph, solid=i, file="package.step", part_label=3) for i, graph in enumerate(graphs)]


def parts(values: np.ndarray, graphs: Sequence[FaceGraph]) -> list[np.ndarray]:
    """The rows of each solid."""
    return np.split(values, np.cumsum([graph.n_faces for graph in graphs])[:-1])


def test_every_solid_stays_where_it_is_in_the_file_and_all_fill_one_box(solids):
    whole = validate(merged(solids))
    for graph, rows in zip(solids, parts(whole.face_grid, solids), strict=True):
        there = graph.face_grid[..., POINT] + graph.center_mm
        assert np.allclose(rows[..., POINT] + whole.center_mm, there, atol=1e-3)
    low, high = whole.face_box_mm[:, :3].min(0), whole.face_box_mm[:, 3:].max(0)
    assert np.allclose(low, -high, atol=1e-3) and np.isclose(high.max(), whole.scale_mm)
    ends = whole.vertex_unit * whole.scale_mm
    assert (ends > low - 0.01).all() and (ends < high + 0.01).all()


def near(solids) -> list[FaceGraph]:
    """Without the box far away, beside which single precision says nothing of the others."""
    return [*solids[1:], graph_of(box(1, 2, 3, (20, 0, 0)), uid="0123456789abcdef#9")]


def test_analytic_parameters_are_those_that_the_surfaces_and_curves_have_in_the_common_box(solids):
    graphs = [replace(graph, part_label=UNLABELLED) for graph in near(solids)]
    whole = validate(merged(graphs))
    face, points = whole.face_params_unit, whole.face_grid[..., POINT] / whole.scale_mm
    origin, plane = face[:, 5:8], face[:, NAMED["plane"]] > 0
    away = points - origin[:, None, None]
    assert np.abs(np.einsum("fuvc,fc->fuv", away, face[:, 8:11])[plane]).max() < 1e-5
    assert np.abs(np.cross(origin, face[:, 8:11])[plane]).max() < 1e-5, "the point nearest to the middle of the box"
    round_ = face[:, NAMED["cylinder"]] > 0
    axis = face[round_, 11:14]
    height = np.einsum("fuvc,fc->fuv", away[round_], axis)
    radius = np.linalg.norm(away[round_] - height[..., None] * axis[:, None, None], axis=-1)
    assert np.allclose(radius, face[round_, 17, None, None], atol=1e-5)
    assert np.abs((origin[round_] * axis).sum(1)).max() < 1e-5, "the point of the axis nearest to the middle"
    ring = face[:, NAMED["torus"]] > 0
    height = np.einsum("fuvc,fc->fuv", away[ring], face[ring, 11:14])
    flat = np.linalg.norm(away[ring] - height[..., None] * face[ring, 11:14][:, None, None], axis=-1)
    assert np.allclose(np.hypot(flat - face[ring, 17, None, None], height), face[ring, 18, None, None], atol=1e-5)
    edge = whole.edge_params_unit
    for end in whole.edge_vertex:
        to_end = whole.vertex_unit[end] - edge[:, 3:6]
        line, circle = edge[:, 0] > 0, edge[:, 1] > 0
        assert np.abs(np.cross(to_end, edge[:, 6:9])[line]).max() < 1e-5
        assert np.allclose(np.linalg.norm(to_end[circle], axis=1), edge[circle, 15], atol=1e-5)
    assert np.abs((edge[:, 3:6] * edge[:, 6:9]).sum(1)[edge[:, 0] > 0]).max() < 1e-5


def test_rows_count_on_from_solid_to_solid(solids):
    whole = merged(solids)
    faces = np.cumsum([0, *(graph.n_faces for graph in solids)])
    of_face = np.searchsorted(faces, np.arange(faces[-1]), "right")
    assert (of_face[whole.arc_index[0]] == of_face[whole.arc_index[1]]).all(), "no arc joins two solids"
    assert whole.arc_index.shape[1] == sum(graph.arc_index.shape[1] for graph in solids)
    last = solids[-1]
    assert np.array_equal(whole.arc_index[:, -last.arc_index.shape[1] :] - faces[-2], last.arc_index)
    kind = last.edge_params_unit[last.arc_edge, :3]
    assert np.array_equal(whole.edge_params_unit[whole.arc_edge, :3][-len(kind) :], kind)
    assert len(set(whole.face_parent.tolist())) == whole.n_faces
    open_end = replace(last, edge_vertex=np.where(last.edge_vertex == 0, -1, last.edge_vertex))
    assert np.array_equal(
        merged([*solids[:-1], open_end]).edge_vertex[:, -last.edge_vertex.shape[1] :] == -1, last.edge_vertex == 0
    )


def test_one_solid_is_itself(solids):
    one = solids[1]
    whole = from_graph(merged([one]))
    for name, value in vars(from_graph(one)).items():
        if name != "analytic":
            assert torch.allclose(getattr(whole, name), value, atol=1e-5), name


def test_the_class_of_a_file_is_that_of_its_solids(solids):
    assert merged(solids).part_label == 3
    some = [replace(solids[0], part_label=UNLABELLED), *solids[1:]]
    assert merged(some).part_label == 3 and merged(some[:1]).part_label == UNLABELLED
    with pytest.raises(ValueError, match=r"package.step: its solids are of several classes; name one for the file"):
        merged([replace(solids[0], part_label=1), *solids[1:]])


@pytest.fixture(scope="module")
def shards(solids, tmp_path_factory):
    """A file of three solids and one of two, not in the order of their files."""
    folder = tmp_path_factory.mktemp("files")
    other = [replace(g, uid=f"fedcba9876543210#{i}", file="b.step", part_label=1) for i, g in enumerate(solids[2:])]
    graphs = [solids[1], other[0], solids[2], other[1], solids[3]]
    write_shard(folder / "00000.arrow", graphs)
    label(folder / "labels", graphs, (), ("p", "q", "r", "s"))
    return folder


def test_a_batch_of_files_has_a_row_of_features_and_a_class_for_each_file(shards, solids):
    uids = ["fedcba9876543210", file_of(solids[0].uid)]
    data = Files(shards, uids, FACES)
    batch = data.batch(uids)
    assert batch.uid == tuple(uids) and batch.faces.part.tolist() == [1, 3]
    sizes = [sum(graph.n_faces for graph in graphs) for graphs in (solids[2:], solids[1:])]
    assert torch.bincount(batch.faces.solid).tolist() == sizes
    features = Hops()(batch)
    assert len(features.solid) == 2 and len(features.face) == sum(sizes)
    assert len(data.first(1)) == 1 and [b.uid for b in data.in_order(1)] == [(uid,) for uid in uids]


def test_a_file_is_labelled_where_any_of_its_solids_is(shards, solids, tmp_path):
    uids = [file_of(solids[0].uid), "fedcba9876543210"]
    label(tmp_path, [replace(solids[3], uid=f"{uids[1]}#1", part_label=1)])
    data = Files(shards, uids, FACES, tmp_path)
    assert data.labelled(uids).tolist() == [False, True] and data.labelled([]).tolist() == []


def test_what_is_not_stored_or_needs_frames_is_refused(shards):
    with pytest.raises(KeyError, match="1 files of the split are not stored, first 00; parse again"):
        Files(shards, ["00"], FACES)
    with pytest.raises(ValueError, match="renders are of solids"):
        Files(shards, [], FACES | {"frames"})
