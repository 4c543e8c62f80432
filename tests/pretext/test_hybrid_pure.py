"""The acceptance checks of hybrid surfaces (Jones et al. 2023, arXiv:2210.10807) on the paper's own, pure mode.

Check 1, sampled distances against closed forms: tests/brep/solid/test_field.py. Here are check 2, similarity; 3,
overfitting one part; 4, faces without a trimming distance and poles; 5, the few-shot harness on this backbone (the
harness itself: tests/fewshot/test_fewshot.py). Locality and blindness to UV-grids, layer by layer:
tests/tokens/test_analytic.py.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from OCP.BRepBuilderAPI import BRepBuilderAPI_Transform
from OCP.gp import gp_Pnt, gp_Trsf

from brep_mae.checkpoints.backbones import load_backbone, save_backbone
from brep_mae.composition.pretext import Pretext
from brep_mae.datasets.batch import Batch, collate
from brep_mae.datasets.content import FACES
from brep_mae.datasets.from_graph import from_graph
from brep_mae.evaluation.problem import labelled_order, tasks
from brep_mae.fewshot.fewshot import EncoderSource, compare
from brep_mae.models.embed import embed
from brep_mae.schema import FIELD_DISTANCE, FIELD_POINT, FIELD_UV, INSIDE, POINT, SURFACE_TYPES
from brep_mae.seeds import generator
from brep_mae.settings import FewshotParams
from tests.brep.solids import CUT, SHAPES, first_solid, graph_of, stretched
from tests.contracts.test_methods import SPEC, block, small
from tests.pretext.checks import asked, digest, steps
from tests.selected import selected
from tests.stored import solids, store
from tests.synthetic import make_batch

RADIUS = 17
NEAR = 0.02
"""Half of the samples are those nearest to the loops: some lie a thousandth of the box away from changing sides."""


def batch_of(*shapes) -> Batch:
    graphs = [graph_of(shape, pool=600, keep=64) for shape in shapes]
    return Batch(tuple(map(str, range(len(shapes)))), collate([from_graph(g) for g in graphs]))


def seven_times(shape):
    scaled, moved = gp_Trsf(), gp_Trsf()
    scaled.SetScaleFactor(7.0)
    moved.SetTranslation(gp_Pnt(), gp_Pnt(30, -20, 50))
    return BRepBuilderAPI_Transform(first_solid(shape), moved.Multiplied(scaled), True).Shape()


def pure(**changed) -> Pretext:
    torch.manual_seed(0)
    return small("hybrid_pure", **{"head_width": 96} | changed)


@pytest.mark.parametrize("name", ["plate", "slotted cylinder", "drilled torus", "cone across its seam"])
def test_check_2_a_part_moved_and_scaled_by_seven_gives_the_same_features_targets_and_loss(name):
    here, there = batch_of(CUT[name]), batch_of(seven_times(CUT[name]))
    for part in ("face", "edge", "vertex"):
        a, b = (getattr(batch.faces.analytic, part) for batch in (here, there))
        assert torch.allclose(a, b, atol=1e-5), part
    assert here.faces.analytic.face[:, RADIUS].max() > 0, "radii are among the features"
    assert torch.allclose(here.faces.field, there.faces.field, atol=1e-5)
    pretext = pure().eval()
    losses = [pretext(batch, generator(0))["loss"] for batch in (here, there)]
    assert torch.isclose(*losses, rtol=1e-4)


def test_check_2_control_radii_left_in_millimetres_are_another_part():
    here, there = batch_of(CUT["plate"]), batch_of(CUT["plate"])
    there.faces.analytic.face[:, RADIUS] *= 7
    pretext = pure().eval()
    losses = [pretext(batch, generator(0))["loss"] for batch in (here, there)]
    assert not torch.isclose(*losses, rtol=1e-4)


@pytest.fixture(scope="module")
def fitted():
    """A plate with a hole, learned by heart; its codes."""
    torch.set_num_threads(1)
    batch, pretext = batch_of(CUT["plate"]), pure()
    for n, lr in ((300, 1e-2), (200, 3e-3), (100, 1e-3)):
        steps(pretext, batch, n, lr)
    pretext.eval()
    with torch.no_grad():
        codes = pretext.tokens.codes(batch.faces.analytic)
    return batch, pretext, codes


@torch.no_grad()
def test_check_3_overfits_one_part_in_position_and_sign(fitted):
    batch, pretext, codes = fitted
    field = batch.faces.field
    drawn = pretext.targets["surface"].head(codes, field[..., FIELD_UV])
    assert (drawn[..., :3] - field[..., FIELD_POINT]).square().mean() < 1e-3
    assert batch.faces.bounded.all()
    far = field[..., FIELD_DISTANCE].abs() > NEAR
    assert far.float().mean() > 0.4
    assert (drawn[..., 3].sign() == field[..., FIELD_DISTANCE].sign())[far].float().mean() > 0.98


@torch.no_grad()
def test_check_3_control_permuted_codes_raise_the_loss_tenfold(fitted):
    batch, pretext, codes = fitted
    rows = torch.arange(len(codes))

    def loss(codes):
        terms = pretext.targets["surface"](selected(codes, rows), batch)
        return sum(term.error.mean() for term in terms.values())

    assert loss(codes.roll(1, 0)) > 10 * loss(codes)


@pytest.mark.slow
def test_check_3_overfits_one_part_in_the_sign_of_all_stored_samples():
    """None left out, though half lie within 0.013 of changing sides: all of them in every step, and a rate that falls
    to zero. Measured 0.991 of 448 signs, 0.989 and 0.984 from two other seeds; the wrong ones within 0.001."""
    torch.set_num_threads(1)
    batch, pretext, n = batch_of(CUT["plate"]), pure(head_width=192), 6000
    optimizer = torch.optim.Adam(pretext.parameters(), 5e-3)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n)
    for i in range(n):
        loss = pretext(batch, generator(1, i))["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        falling.step()
    field, surface = batch.faces.field, pretext.targets["surface"]
    assert batch.faces.bounded.all() and field.shape == (7, 64, 6)
    with torch.no_grad():
        codes, rows = pretext.tokens.codes(batch.faces.analytic), torch.arange(7)
        drawn = surface.head(codes, field[..., FIELD_UV])
        own, others = (
            sum(t.error.mean() for t in surface(selected(c, rows), batch).values()) for c in (codes, codes.roll(1, 0))
        )
    assert (drawn[..., :3] - field[..., FIELD_POINT]).square().mean() < 1e-3
    assert (drawn[..., 3].sign() == field[..., FIELD_DISTANCE].sign()).float().mean() > 0.98
    assert others > 10 * own, "control: the codes of other faces"


def test_the_picture_of_a_learned_part_is_the_part(fitted):
    """Drawn from the parameters alone: noise in the true grids does not change it."""
    batch, pretext, _ = fitted
    picture = pretext.pictures(batch, generator(0))["surface"]
    truth, drawn = batch.faces.grid, picture.predicted["surface"]
    assert picture.chosen.all() and len(picture.chosen) == len(truth) == len(drawn)
    assert (drawn[..., POINT] - truth[..., POINT]).square().mean() < 1e-3
    middle = (slice(None), slice(2, 4), slice(2, 4), INSIDE)
    assert truth[middle].mean((1, 2)).tolist().count(0) == 2, "two faces have a hole in their middle"
    assert torch.equal(drawn[middle], truth[middle])
    noisy = replace(batch, faces=replace(batch.faces, grid=torch.randn(truth.shape)))
    assert torch.equal(pretext.pictures(noisy, generator(0))["surface"].predicted["surface"], drawn)


@pytest.mark.parametrize("name, unbounded", [("torus", 1), ("sphere", 0), ("cone with apex", 0), ("box", 0)])
def test_check_4_all_inside_faces_and_poles_are_finite_and_counted(name, unbounded):
    """One face, no vertices but those of the seam, no neighbours: alone and beside a box."""
    pretext = pure()
    for shapes in ([SHAPES[name]], [SHAPES[name], SHAPES["box"]]):
        out = pretext(batch_of(*shapes), generator(0))
        out["loss"].backward()
        assert all(torch.isfinite(v) for v in out.values())
        assert all(torch.isfinite(p.grad).all() for p in pretext.parameters() if p.grad is not None)
        assert out["unbounded"] == unbounded


def test_check_4_an_unbounded_face_trains_its_position_and_not_its_distance():
    pretext, batch = pure(), batch_of(SHAPES["torus"])
    out = pretext(batch, generator(0))
    assert out["surface.implicit"] == 0 and out["surface.explicit"] > 0
    told = replace(batch, faces=replace(batch.faces, bounded=torch.ones(1, dtype=torch.bool)))
    assert pretext(told, generator(0))["surface.implicit"] > 0, "control: it would have an error"


def test_nothing_is_hidden_and_every_face_is_asked():
    batch = make_batch([6, 1, 9])
    grads, mask = asked(pure(), batch)
    assert not mask.hidden.any()
    assert grads.sum(1).tolist() == [6, 1, 9] and not grads[:, 0].any()


@torch.no_grad()
def test_locality_the_backbone_adds_nothing_to_the_codes_of_single_faces():
    backbone, batch = pure().backbone(), make_batch([6, 9])
    features = backbone(batch)
    assert torch.equal(features.face, backbone.tokens.codes(batch.faces.analytic))
    column = batch.faces.analytic.face.clone()
    column[2] += 1
    other = replace(batch, faces=replace(batch.faces, analytic=replace(batch.faces.analytic, face=column)))
    moved = (backbone(other).face != features.face).any(1)
    assert moved.nonzero().flatten().tolist() == [2]


def test_free_form_faces_of_a_real_part_are_learned_too():
    batch = batch_of(stretched(CUT["drilled torus"]))
    free = batch.faces.surface == SURFACE_TYPES.index("bspline")
    assert free.sum() == 2 and not batch.faces.analytic.face[free, :20].any()
    losses = steps(pure(), batch, 40)
    assert np.isfinite(losses).all() and losses[-1] < 0.7 * losses[0]


def test_check_5_few_shot_and_embedding_run_on_the_stored_backbone_and_leave_it_alone(tmp_path):
    uids = store(tmp_path)
    values = block("hybrid_pure")
    save_backbone(tmp_path / "pure", pure(**values).backbone(), "hybrid_pure", values, SPEC, "digest")
    before = digest(load_backbone(tmp_path / "pure"))
    params = FewshotParams(
        shots=[1, 4], seeds=1, steps=2, batch=2, lr=1e-3, head_lr=1e-2, noise=0.0, unlabelled=0, workers=1
    )
    source = EncoderSource.stored("hybrid_pure", "faces", tmp_path / "pure", pretrained=True)
    data = solids(tmp_path, uids, *FACES)
    rows = list(
        compare(source, ("frozen", "finetuned"), 0, tasks(3, 2), data, labelled_order(uids[:10], 0), uids[10:], params)
    )
    assert {(r["task"], r["shots"], r["mode"]) for r in rows} == {
        (t, n, m) for t in ("segmentation", "classification") for n in (1, 4) for m in ("frozen", "finetuned")
    }
    vectors = embed(load_backbone(tmp_path / "pure"), tmp_path / "parsed", None, uids)
    assert vectors.shape == (len(uids), 3 * values["code"]) and np.isfinite(vectors).all()
    assert len(np.unique(vectors.round(5), axis=0)) == len(uids)
    assert digest(load_backbone(tmp_path / "pure")) == before
