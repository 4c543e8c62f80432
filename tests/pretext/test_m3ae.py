"""M3AE's acceptance checks (Geng et al. 2022, arXiv:2205.14204).

Check 5, that the right render helps, needs training: `pytest -m slow tests/evaluation/test_cross_modal.py`.
"""

from dataclasses import replace

import pytest
import torch

from brep_mae import settings
from brep_mae.composition.pretext import DataSpec, build
from brep_mae.datasets.batch import Batch
from brep_mae.datasets.content import kinds
from brep_mae.masking.mask import Mask
from brep_mae.models.decoder import Decoder
from brep_mae.pretext.m3ae import JointMAE, with_frame
from brep_mae.seeds import generator
from brep_mae.settings import SizeParams
from brep_mae.targets.pixels import patchify
from brep_mae.tokens.tokens import FACE, PATCH
from tests.contracts.test_no_peek import scramble_hidden
from tests.selected import selected
from tests.synthetic import GRID, make_batch

TINY = {"dim": 32, "depth": 2, "heads": 2}
SPEC = DataSpec(GRID, 16)


def method(**changed) -> JointMAE:
    torch.manual_seed(0)
    values = settings.load().methods["m3ae"] | {"size": TINY, "decoder": TINY, "patch": 4} | changed
    pretext = build("m3ae", values, SPEC).eval()
    assert isinstance(pretext, JointMAE)
    return pretext


def paired(n_faces: list[int] | None = None) -> Batch:
    """Solids with one frame each."""
    batch = make_batch(n_faces or [6, 9], frames=True)
    return with_frame(batch, torch.zeros(len(batch.uid), dtype=torch.long))


def codes(pretext: JointMAE, batch: Batch, mask: Mask) -> torch.Tensor:
    with torch.no_grad():
        tokens = pretext.tokens(batch)
        return pretext.decoder(pretext.encoder(tokens, mask), tokens)[:, 1:]


@pytest.mark.parametrize("seen_kind, hidden_kind", [(FACE, PATCH), (PATCH, FACE)])
def test_check_1_a_seen_token_of_one_kind_changes_predictions_of_the_other(seen_kind, hidden_kind):
    pretext, batch = method(), paired()
    tokens = pretext.tokens(batch)
    mask = pretext.mask(tokens, generator(0))
    other = scramble_hidden(batch, tokens, tokens.valid & ~mask.hidden & (tokens.kind == seen_kind))
    moved = (codes(pretext, other, mask) - codes(pretext, batch, mask)).abs().amax(2)
    assert (moved[mask.hidden & (tokens.kind == hidden_kind)] > 1e-4).all()


def test_check_1_hidden_tokens_of_either_kind_never_reach_the_encoder():
    pretext, batch = method(), paired()
    tokens = pretext.tokens(batch)
    mask = pretext.mask(tokens, generator(0))
    before = pretext.encoder(tokens, mask).x
    for kind in (FACE, PATCH):
        changed = pretext.tokens(scramble_hidden(batch, tokens, mask.hidden & (tokens.kind == kind)))
        assert not torch.equal(changed.x, tokens.x)
        assert torch.equal(pretext.encoder(changed, mask).x, before)


def test_check_1_control_with_attention_cut_the_kinds_do_not_meet():
    """What the check would catch: two towers side by side."""
    pretext, batch = method(), paired()
    for stack in (pretext.encoder.stack, pretext.decoder.stack):
        for block in stack.blocks:
            block.attn.forward = lambda x, attn_mask=None, **_: torch.zeros_like(x)
    tokens = pretext.tokens(batch)
    mask = pretext.mask(tokens, generator(0))
    other = scramble_hidden(batch, tokens, tokens.valid & ~mask.hidden & (tokens.kind == FACE))
    moved = (codes(pretext, other, mask) - codes(pretext, batch, mask))[mask.hidden & (tokens.kind == PATCH)]
    assert (moved == 0).all()


def test_check_2_padding_changes_neither_codes_nor_losses():
    """The same solid and mask, alone and beside one of 30 faces."""
    pretext, both = method(), paired([6, 30])
    alone = Batch(both.uid[:1], make_batch([6]).faces, replace(both.frames, image=both.frames.image[:1]))
    narrow, wide = pretext.tokens(alone), pretext.tokens(both)
    few = pretext.mask(narrow, generator(0)).hidden
    many = torch.zeros_like(wide.valid)
    many[:1, :6], many[:1, 30:] = few[:, :6], few[:, 6:]
    many[1, ::2] = True
    a, b = codes(pretext, alone, Mask(few)), codes(pretext, both, Mask(many))
    same = torch.cat([b[:1, :6], b[:1, 30:]], 1)
    assert torch.allclose(a, same, atol=1e-5)
    for name, target in pretext.targets.items():
        first, second = (x[:, : 6 if name == "uvgrid" else None][:, -16:] for x in (a, same))
        rows = torch.arange(6 if name == "uvgrid" else 16)
        one = target(selected(first[0], rows), alone)
        two = target(selected(second[0], rows), both)
        assert all(torch.allclose(one[term].error, two[term].error, atol=1e-5) for term in one)


def test_check_2_control_attention_to_padding_would_be_noticed():
    pretext, both = method(), paired([6, 30])
    tokens = pretext.tokens(both)
    nothing = Mask(torch.zeros_like(tokens.valid))
    padded = replace(tokens, valid=torch.ones_like(tokens.valid))
    with torch.no_grad():
        right, wrong = (pretext.decoder(pretext.encoder(t, nothing), t)[0, 1:7] for t in (tokens, padded))
    assert not torch.allclose(right, wrong, atol=1e-4)


def test_check_3_the_truth_is_read_at_hidden_tokens_only():
    pretext, batch = method(), paired()
    image, grid = batch.frames.image.requires_grad_(), batch.faces.grid.requires_grad_()
    with torch.no_grad():
        tokens = pretext.tokens(batch)
        mask = pretext.mask(tokens, generator(0))
    for name, target in pretext.targets.items():
        content = tokens.valid & (tokens.kind == target.kind)
        rows = (mask.hidden & content)[content].nonzero().squeeze(1)
        terms = target(selected(torch.randn(len(rows), 32), rows), batch)
        sum(term.error.sum() for term in terms.values()).backward()
        touched = patchify(image.grad[:, 0], 4).abs().sum(2).flatten() if name == "pixels" else grid.grad.flatten(1)
        touched = touched.view(len(touched), -1).abs().sum(1) > 0
        assert torch.equal(touched.nonzero().squeeze(1), rows)


def test_check_3_the_loss_is_the_weighted_sum_of_solid_means():
    pretext, batch = method(), paired([4, 30])
    out = pretext(batch, generator(0))
    total = sum(pretext.weights[k] * v for k, v in out.items() if "." in k)
    assert torch.isclose(out["loss"], total, atol=1e-6)
    tokens = pretext.tokens(batch)
    _ = (again := generator(0)), pretext.views(batch, again)
    mask = pretext.mask(tokens, again)
    rows = mask.hidden[:, :30][tokens.valid[:, :30]].nonzero().squeeze(1)
    hidden_codes = codes(pretext, batch, mask)[:, :30][mask.hidden[:, :30]]
    error = pretext.targets["uvgrid"](selected(hidden_codes, rows), batch)
    point, solid = error["point"].error, batch.faces.solid[rows]
    per_solid = torch.stack([point[solid == i].mean() for i in range(2)])
    assert torch.isclose(out["uvgrid.point"], per_solid.mean(), atol=1e-6)
    assert not torch.isclose(point.mean(), per_solid.mean(), atol=1e-4), "solids of 4 and 30 faces must weigh the same"


@pytest.mark.parametrize("silent, heard", [("uvgrid", "pixels"), ("pixels", "uvgrid")])
def test_check_3_a_weight_of_zero_silences_that_head_alone(silent, heard):
    weights = {k: 0.0 if k.startswith(silent) else w for k, w in settings.load().methods["m3ae"]["weights"].items()}
    pretext = method(weights=weights)
    pretext(paired(), generator(0))["loss"].backward()
    gradient = {name: pretext.targets[name].head.weight.grad for name in (silent, heard)}
    assert gradient[silent] is None or (gradient[silent] == 0).all()
    assert (gradient[heard] != 0).any()


ALONE = {"faces": {"frames": None}, "frames": {"faces": None}}


@pytest.mark.parametrize("kind, kept, length", [("faces", FACE, 1 + 2), ("frames", PATCH, 1 + 4)])
def test_check_4_a_batch_of_one_kind_runs_and_leaves_the_other_kinds_parts_alone(kind, kept, length):
    pretext, batch = method(), replace(paired([9, 8]), **ALONE[kind])
    tokens = pretext.tokens(batch)
    assert pretext.encoder(tokens, pretext.mask(tokens, generator(0))).x.shape[1] == length
    out = pretext(batch, generator(0))
    assert torch.isfinite(out["loss"]) and out["loss"] > 0
    assert {key.split(".")[0] for key in out if "." in key} == {{FACE: "uvgrid", PATCH: "pixels"}[kept]}
    out["loss"].backward()
    mask_tokens, types, places = pretext.decoder.mask_token, pretext.tokens.type_token, pretext.decoder.where.type_token
    for gradient in (mask_tokens.grad[0], types.grad, places.grad):
        assert (gradient[kept] != 0).any()
        assert (gradient[1 - kept] == 0).all()


def test_check_4_control_a_paired_batch_moves_both_kinds_parts():
    pretext = method()
    pretext(paired(), generator(0))["loss"].backward()
    assert (pretext.decoder.mask_token.grad[0] != 0).any(1).all()


def test_a_patch_is_encoded_alike_with_and_without_the_layers_that_faces_need():
    """An image-only batch runs through the same layers as a paired one whose faces are all hidden."""
    pretext, batch = method(), paired([1, 1])
    tokens = pretext.tokens(batch)
    gone = torch.zeros_like(tokens.valid)
    gone[:, 0] = True
    with torch.no_grad():
        beside = pretext.encoder(tokens, Mask(gone)).x
        alone = pretext.encoder(pretext.tokens(replace(batch, faces=None))).x
    assert torch.allclose(beside, alone, atol=1e-5)


def test_without_types_and_own_mask_tokens_kinds_in_one_place_would_coincide():
    """Hidden tokens at the same position vector differ by type and mask token alone."""
    pretext = method()
    tokens = pretext.tokens(paired())
    mask_tokens = pretext.decoder.mask_tokens(tokens)[0]
    assert not torch.allclose(mask_tokens[tokens.kind == FACE][0], mask_tokens[tokens.kind == PATCH][0], atol=1e-3)
    plain = Decoder(32, SizeParams(**TINY), pretext.decoder.where, arcs=True)
    assert plain.mask_tokens(tokens).shape[1] == 1
    where = torch.zeros(1, 2, tokens.where.shape[2])
    where[0, 1, 0] = PATCH
    types = pretext.decoder.where.type_token
    assert not torch.allclose(types[FACE], types[PATCH], atol=1e-3)


def test_every_step_reads_one_frame_of_each_solid_drawn_at_random():
    pretext, batch = method(), make_batch([5] * 40, frames=True)
    seen, truth = pretext.views(batch, generator(0))
    assert truth is seen and seen.frames.image.shape[:2] == (40, 1)
    first = (seen.frames.image[:, 0] == batch.frames.image[:, 0]).flatten(1).all(1)
    second = (seen.frames.face[:, 0] == batch.frames.face[:, 1]).flatten(1).all(1)
    assert (first ^ second).all() and 8 < int(first.sum()) < 32


def test_features_of_faces_come_from_face_tokens_and_a_solid_is_pooled_over_both_kinds():
    pretext, batch = method(), paired([6, 9])
    with torch.no_grad():
        out = pretext.backbone()(batch)
        latent = pretext.encoder.read(pretext.tokens(batch))
    assert torch.equal(out.face[:6], latent.x[0, 1:7])
    both = latent.x[0, 1:][latent.valid[0, 1:]]
    assert torch.allclose(out.solid[0], torch.cat([both.mean(0), both.amin(0), both.amax(0)]), atol=1e-5)
    assert kinds(pretext.backbone().reads) == {"faces", "frames"}


@pytest.mark.parametrize("n_faces", [[1], [1, 2], [1, 7, 1]])
def test_solids_of_one_face_keep_it_and_never_give_nan(n_faces):
    pretext, batch = method(mask_ratios={"face": 0.99, "patch": 0.99}), paired(n_faces)
    for only in ({}, *ALONE.values()):
        out = pretext(replace(batch, **only), generator(0))
        assert all(torch.isfinite(value).all() for value in out.values())
        out["loss"].backward()
    tokens = pretext.tokens(batch)
    hidden = pretext.mask(tokens, generator(0)).hidden
    assert hidden[:, tokens.kind == FACE].sum(1).tolist() == [n - 1 for n in n_faces]


def test_a_batch_of_neither_kind_is_refused():
    with pytest.raises(ValueError, match="faces or frames"):
        method()(Batch(("a",)), generator(0))
