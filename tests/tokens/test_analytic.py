"""Tokens of topology and analytic parameters (Jones et al. 2023, arXiv:2210.10807): what a code depends on.

`locality` and `no UV-grid` are what makes the pure mode a fair reproduction: see tests/pretext/test_hybrid_pure.py for
the numbered acceptance checks.
"""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from brep_mae.datasets.batch import Analytic, Batch, Faces, collate
from brep_mae.datasets.from_graph import from_graph
from brep_mae.schema import SURFACE_TYPES, FaceGraph
from brep_mae.tokens.analytic import FAR, AnalyticTokens
from brep_mae.tokens.tokens import FACE
from tests.synthetic import make_batch, make_graph


def ring() -> FaceGraph:
    """Faces 0..5 side by side, face i and i + 1 sharing edge i from vertex i to vertex i + 1, as round a prism."""
    graph = make_graph(6)
    face = np.arange(6, dtype=np.int32)
    rng = np.random.default_rng(0)
    return replace(
        graph,
        edge_params_unit=rng.normal(size=(6, 18)).astype(np.float32),
        vertex_unit=rng.uniform(-1, 1, size=(6, 3)).astype(np.float32),
        edge_vertex=np.stack([face, (face + 1) % 6]),
        coedge_index=np.stack([np.concatenate([face, (face + 1) % 6]), np.concatenate([face, face])]),
        coedge_forward=np.arange(12) < 6,
    )


@pytest.fixture
def tokens() -> AnalyticTokens:
    torch.manual_seed(0)
    return AnalyticTokens(16, 2, 4)


def changed(faces: Faces, name: str, row: int) -> Analytic:
    """The parameters with one row of `name` replaced by noise."""
    column = getattr(faces.analytic, name).clone()
    column[row] = torch.randn(column[row].shape)
    return replace(faces.analytic, **{name: column})


def moves(tokens: AnalyticTokens, name: str, row: int) -> list[int]:
    """The faces whose code differs once row `row` of `name` does."""
    faces = from_graph(ring())
    before, after = tokens.codes(faces.analytic), tokens.codes(changed(faces, name, row))
    return (before != after).any(1).nonzero().squeeze(1).tolist()


@torch.no_grad()
def test_locality_a_code_depends_on_its_own_parameters_its_edges_and_their_vertices_alone(tokens):
    assert moves(tokens, "face", 3) == [3], "faces exchange nothing, not even neighbours"
    assert moves(tokens, "edge", 3) == [3, 4], "control: the two faces that use an edge do see it"
    assert moves(tokens, "vertex", 3) == [2, 3, 4], "control: so do those whose edge ends at a vertex"


@torch.no_grad()
def test_orientation_of_an_edge_and_its_beginning_reach_the_code(tokens):
    faces = from_graph(ring())
    before = tokens.codes(faces.analytic)
    for name, moved in (("forward", [2]), ("start", [2, 3])):
        flag = getattr(faces.analytic, name).clone()
        flag[2] = ~flag[2]
        after = tokens.codes(replace(faces.analytic, **{name: flag}))
        assert (before != after).any(1).nonzero().squeeze(1).tolist() == moved


@torch.no_grad()
def test_no_uv_grid_noise_in_every_sample_of_a_face_or_arc_does_not_move_the_code(tokens):
    batch = make_batch([6, 4])
    faces = batch.faces
    sampled = {f.name for f in fields(Faces)} - {"analytic", "label", "part", "solid"}
    noise = {}
    for name in sampled:
        column = getattr(faces, name)
        noise[name] = torch.randn(column.shape) if column.is_floating_point() else column.flip(-1)
        assert not torch.equal(noise[name], column) or name == "bounded", name
    scrambled = replace(batch, faces=replace(faces, **noise))
    assert torch.equal(tokens(batch).x, tokens(scrambled).x)
    other = replace(faces, analytic=replace(faces.analytic, face=torch.randn(faces.analytic.face.shape)))
    assert not torch.equal(tokens(batch).x, tokens(replace(batch, faces=other)).x), "control: parameters do"


@torch.no_grad()
def test_solids_in_a_batch_have_the_codes_that_each_has_alone(tokens):
    graphs = [make_graph(4), ring(), make_graph(9, seed=2)]
    solids = [from_graph(g) for g in graphs]
    together = tokens(Batch(("a", "b", "c"), collate(solids)))
    assert together.valid.sum(1).tolist() == [4, 6, 9] and together.kind.tolist() == [FACE] * 9
    assert together.arcs is None
    for row, solid in enumerate(solids):
        alone = tokens(Batch(("a",), solid))
        n = len(solid.solid)
        assert torch.allclose(together.x[row, :n], alone.x[0], atol=1e-6)
        assert torch.equal(together.where[row, :n], alone.where[0])
    unshifted = torch.cat([s.analytic.edge_face for s in solids], 1)
    wrong = tokens.codes(replace(collate(solids).analytic, edge_face=unshifted))
    assert not torch.allclose(wrong, together.x[together.valid]), "control: without offsets"


def test_collate_shifts_what_points_at_faces_edges_and_vertices():
    one, two = from_graph(make_graph(4)).analytic, from_graph(ring()).analytic
    both = collate([from_graph(make_graph(4)), from_graph(ring())]).analytic
    edges, vertices = len(one.edge), len(one.vertex)
    assert torch.equal(both.edge_face[:, len(one.forward) :], two.edge_face + torch.tensor([[edges], [4]]))
    assert torch.equal(both.vertex_edge[:, len(one.start) :], two.vertex_edge + torch.tensor([[vertices], [edges]]))
    for name in ("face", "edge", "vertex", "forward", "start"):
        assert torch.equal(getattr(both, name), torch.cat([getattr(one, name), getattr(two, name)]))


def test_an_edge_begins_at_its_first_vertex_and_one_without_vertices_has_no_ends():
    graph = ring()
    graph.edge_vertex[:, 2] = -1
    ends = from_graph(graph).analytic
    pairs = {(v, e, s) for v, e, s in zip(*ends.vertex_edge.tolist(), ends.start.tolist(), strict=True)}
    around = [0, 1, 3, 4, 5]
    assert pairs == {(i, i, True) for i in around} | {((i + 1) % 6, i, False) for i in around}


def test_parameters_follow_the_batch_to_its_device():
    moved = make_batch([6, 4]).to(torch.device("meta"))
    assert isinstance(moved.faces.analytic, Analytic)
    assert {v.device.type for v in vars(moved.faces.analytic).values()} == {"meta"}


@torch.no_grad()
def test_a_face_of_unknown_surface_is_told_by_its_edges(tokens):
    """All of its parameters are zero: two of them differ by what bounds them, and one without any edge is finite."""
    graph = ring()
    graph.face_type[:] = SURFACE_TYPES.index("bspline")
    graph.face_params_unit[:] = 0
    codes = tokens.codes(from_graph(graph).analytic)
    assert torch.isfinite(codes).all() and len(codes.unique(dim=0)) == 6
    bare = replace(
        graph,
        edge_params_unit=np.zeros((0, 18), np.float32),
        vertex_unit=np.zeros((0, 3), np.float32),
        edge_vertex=np.zeros((2, 0), np.int32),
        coedge_index=np.zeros((2, 0), np.int32),
        coedge_forward=np.zeros(0, bool),
    )
    bare_codes = tokens.codes(from_graph(bare).analytic)
    assert torch.isfinite(bare_codes).all() and len(bare_codes.unique(dim=0)) == 1


@torch.no_grad()
def test_a_huge_radius_is_cut_off_and_a_usual_one_is_not(tokens):
    faces = from_graph(ring()).analytic
    radius = faces.face.clone()
    codes = []
    for value in (1.0, 2.0, 100 * FAR, 1e9):
        radius[0, 17] = value
        codes.append(tokens.codes(replace(faces, face=radius))[0])
    assert not torch.equal(codes[0], codes[1])
    assert torch.equal(codes[2], codes[3])


def test_half_precision_and_gradients_reach_every_weight(tokens):
    batch = make_batch([6, 4])
    with torch.autocast("cpu", torch.bfloat16):
        x = tokens(batch).x
    x.float().square().sum().backward()
    assert all(torch.isfinite(p.grad).all() and p.grad.abs().sum() > 0 for p in tokens.parameters())
