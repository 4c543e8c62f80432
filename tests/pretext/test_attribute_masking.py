"""Attribute masking: what is hidden of a face is predicted from the rest of its solid, and from that alone."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from brep_mae.checkpoints.backbones import load_backbone, save_backbone
from brep_mae.composition.masked import MaskedPretext
from brep_mae.datasets.batch import Batch
from brep_mae.datasets.partial import without_hidden
from brep_mae.features.cavities import CAVITY_SCALARS
from brep_mae.features.invariants import FACE_SCALARS
from brep_mae.seeds import generator
from brep_mae.targets.arcs import Arcs
from brep_mae.targets.invariants import ASKED
from tests.contracts.test_methods import SPEC, block, small
from tests.pretext.checks import steps
from tests.synthetic import make_batch

N = len(FACE_SCALARS)
TINY = {"dim": 32, "depth": 2}


def drawn(sizes: list[int], seed: int, kin: bool) -> Batch:
    """Solids whose faces' scalars are random: the same two numbers, mixed in a fixed way, for all faces of a solid
    where they are kin, and for each face its own where not. Their one-hot types say nothing."""
    batch = make_batch(sizes, seed)
    mix = torch.randn(2, N, generator=generator(1)) / 2**0.5
    said = torch.randn(len(sizes) if kin else sum(sizes), 2, generator=generator(2, seed)) @ mix
    scalars = said[batch.faces.solid] if kin else said
    rows = torch.cat([scalars, torch.zeros(sum(sizes), batch.faces.invariant.shape[1] - N)], 1)
    return replace(batch, faces=replace(batch.faces, invariant=rows))


def trained(train: Batch, n: int, given: bool = False) -> MaskedPretext:
    """`given` True = the scalars are those of the batch, whatever is hidden."""
    torch.manual_seed(0)
    pretext = small("attribute_masking", **TINY)
    if given:
        pretext.masked_tokens = lambda tokens, seen, mask: tokens
    steps(pretext, train, n, 1e-2)
    return pretext.eval()


@torch.no_grad()
def compared(pretext: MaskedPretext, train: Batch, heldout: Batch) -> float:
    """Error of held-out hidden scalars over that of saying each scalar's mean in the training data."""
    error = pretext(heldout, generator(9))["invariants.scalars"]
    tokens = pretext.tokens(heldout)
    hidden = pretext.mask(tokens, generator(9)).hidden[tokens.valid]
    truth = heldout.faces.invariant[hidden][:, ASKED]
    mean = train.faces.invariant[:, ASKED].mean(0)
    return float(error / F.smooth_l1_loss(mean.expand_as(truth), truth))


def test_hidden_scalars_of_other_solids_are_predicted_better_than_by_their_mean():
    """A little: faces of these solids are drawn by themselves, and only arcs tie them to one another."""
    train, heldout = make_batch([6, 9, 7, 12] * 10), make_batch([6, 9, 7, 12] * 8, seed=500)
    assert compared(trained(train, 100), train, heldout) < 0.98


def test_what_the_other_faces_of_a_solid_tell_is_found():
    sizes = [6, 9, 7, 12] * 8
    train, heldout = drawn(sizes, 0, kin=True), drawn(sizes, 500, kin=True)
    assert compared(trained(train, 60, given=True), train, heldout) < 0.4


def test_what_no_other_face_tells_is_not():
    """Control: were a hidden face's own scalars in reach, these would be predicted as well."""
    sizes = [6, 9, 7, 12] * 8
    train, heldout = drawn(sizes, 0, kin=False), drawn(sizes, 500, kin=False)
    assert compared(trained(train, 60, given=True), train, heldout) > 0.97


def test_about_the_stated_share_of_the_faces_of_every_solid_is_hidden():
    pretext, batch = small("attribute_masking", mask_ratio=0.3), make_batch([10, 20, 3, 2])
    hidden = pretext.mask(pretext.tokens(batch), generator(0)).hidden
    assert hidden.sum(1).tolist() == [3, 6, 1, 1]


def test_a_weight_scales_its_term():
    batch = make_batch([6, 9])
    loss, without_arcs = {}, {f"arcs.{term}": 0.0 for term in Arcs.terms}
    for weight in (0.0, 1.0, 3.0):
        torch.manual_seed(0)
        pretext = small("attribute_masking", weights={"invariants.surface": weight, **without_arcs}).eval()
        loss[weight] = pretext(batch, generator(0))["loss"].detach()
        parts = pretext(batch, generator(0))
    surface, scalars = parts["invariants.surface"], parts["invariants.scalars"]
    assert loss[0.0] == pytest.approx(float(scalars)) and loss[3.0] - loss[1.0] == pytest.approx(float(2 * surface))


def test_a_backbone_that_is_saved_and_loaded_answers_the_same(tmp_path):
    values = block("attribute_masking") | TINY
    pretext, batch = trained(make_batch([6, 9, 4]), 5), make_batch([6, 4], seed=7)
    save_backbone(tmp_path, pretext.backbone(), "attribute_masking", values, SPEC, "digest")
    loaded = load_backbone(tmp_path)
    with torch.no_grad():
        first, second = pretext.backbone()(batch), loaded(batch)
    assert torch.equal(first.face, second.face) and torch.equal(first.solid, second.solid)
    assert (loaded.dim, loaded.reads) == (3 * 32, {"faces", "arcs", "invariants", "walks"}) and not loaded.training


def test_a_backbone_says_the_same_of_a_face_whatever_is_in_the_batch_beside_it_and_scalars_are_all_it_reads():
    pretext, batch = small("attribute_masking", **TINY).eval(), make_batch([6, 9])
    backbone = pretext.backbone()
    noise = {k: torch.randn_like(getattr(batch.faces, k)) for k in ("grid", "arc_grid", "scalars", "arc_scalars")}
    with torch.no_grad():
        answer = backbone(batch).face
        assert torch.allclose(answer[:6], backbone(make_batch([6])).face, atol=1e-5)
        assert torch.equal(answer, backbone(replace(batch, faces=replace(batch.faces, **noise))).face)


def test_arcs_of_hidden_faces_are_asked_for_and_no_others():
    pretext, batch = small("attribute_masking").eval(), make_batch([8, 5])
    forward_pass = pretext.run(batch, generator(0))
    selection = pretext.select(forward_pass)["arcs"]
    hidden = forward_pass.mask.hidden[forward_pass.tokens.valid]
    assert selection.row.tolist() == hidden[batch.faces.arc_index[0]].nonzero()[:, 0].tolist()
    assert torch.equal(selection.sample, batch.faces.solid[batch.faces.arc_index[0, selection.row]])
    truth = pretext.targets["arcs"].truth(selection, batch)
    records = torch.cat([torch.from_numpy(record.arc_convexity.astype(int)) for record in batch.records])
    assert torch.equal(truth["convexity"], records[selection.row])


def test_the_degree_is_not_asked_for_since_the_mask_token_knows_it():
    assert [FACE_SCALARS[column] for column in range(N) if column not in ASKED] == ["log_degree"]


def test_copying_a_neighbour_of_the_same_cavity_is_no_help():
    """Scalars of a whole cavity are equal for all its faces: a seen one must not tell those of a hidden one."""
    batch = make_batch([9])
    hidden = torch.zeros(9).bool()
    hidden[[2, 3]] = True
    partial = without_hidden(batch, hidden).faces
    rows = [FACE_SCALARS.index(name) for name in CAVITY_SCALARS]
    assert not torch.allclose(partial.invariant[~hidden][:, rows], batch.faces.invariant[~hidden][:, rows])
    assert (partial.invariant[hidden] == 0).all()
    touched = hidden[batch.faces.arc_index].any(0)
    assert (partial.arc_invariant[touched] == 0).all() and (partial.arc_invariant[~touched] != 0).any(1).all()


def test_with_nothing_hidden_the_scalars_are_those_of_the_solid():
    batch = make_batch([9, 4])
    partial = without_hidden(batch, torch.zeros(13).bool()).faces
    assert torch.equal(partial.invariant, batch.faces.invariant)
    assert torch.equal(partial.arc_invariant, batch.faces.arc_invariant)
