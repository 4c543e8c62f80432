"""ELo's network with all candidate losses: each can be silenced alone, and none reads what another one hides
(Piergiovanni et al. 2020, arXiv:2002.12177, acceptance check 5 and what it rests on)."""

import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from brep_mae.datasets.batch import Batch
from brep_mae.masking.mask import Mask
from brep_mae.pretext.joint import Joint
from brep_mae.pretext.m3ae import JointMAE, with_frame
from brep_mae.seeds import generator
from brep_mae.tokens.tokens import FACE, PATCH
from tests.contracts.test_methods import small
from tests.contracts.test_no_peek import scramble_hidden
from tests.synthetic import make_batch

SIZES = [6, 9, 4, 12]
TARGETS = list(small("joint").targets)


def method(**changed) -> Joint:
    torch.manual_seed(0)
    pretext = small("joint", **changed).eval()
    assert isinstance(pretext, Joint)
    return pretext


def paired(seed: int = 0) -> Batch:
    batch = make_batch(SIZES, seed, frames=True)
    return with_frame(batch, torch.zeros(len(batch.uid), dtype=torch.long))


def head_gradients(pretext: Joint) -> dict[str, float]:
    """Of every target the greatest entry of the gradient in its own weights."""
    pretext(paired(), generator(0))["loss"].backward()
    of = {
        name: [p.grad.abs().max() for p in t.parameters() if p.grad is not None] for name, t in pretext.targets.items()
    }
    return {name: float(max(found, default=torch.zeros(()))) for name, found in of.items()}


@pytest.mark.parametrize("silent", TARGETS)
def test_check_5_a_target_of_weight_0_has_no_gradient_in_its_head_and_all_others_have(silent):
    weights = {f"{silent}.{term}": 0.0 for term in small("joint").targets[silent].terms}
    gradients = head_gradients(method(weights=weights))
    assert gradients.pop(silent) == 0 and all(value > 0 for value in gradients.values())


def test_check_5_control_without_such_a_weight_every_head_has_a_gradient():
    assert all(value > 0 for value in head_gradients(method()).values())


def hidden_arcs(pretext: Joint, batch: Batch) -> tuple[Mask, torch.Tensor]:
    tokens = pretext.tokens(batch)
    mask = pretext.mask(tokens, generator(1))
    return mask, mask.hidden.flatten()[tokens.arcs.index].any(0)


def other_kinds(batch: Batch, arcs: torch.Tensor) -> Batch:
    kind = batch.faces.arc_kind.clone()
    kind[arcs] = kind[arcs].roll(1, dims=1)
    return replace(batch, faces=replace(batch.faces, arc_kind=kind))


def codes(pretext: Joint, batch: Batch, mask: Mask) -> torch.Tensor:
    with torch.no_grad():
        return pretext.run_views(batch, batch, generator(0), mask).codes["code"]


def test_the_decoder_does_not_know_the_kind_of_an_arc_that_it_is_asked_for(monkeypatch):
    pretext, batch = method(), paired()
    mask, asked = hidden_arcs(pretext, batch)
    assert asked.any() and not asked.all()
    other = other_kinds(batch, asked)
    assert torch.equal(codes(pretext, batch, mask), codes(pretext, other, mask))
    seen = other_kinds(batch, ~asked)
    assert not torch.equal(codes(pretext, batch, mask), codes(pretext, seen, mask)), "of seen faces it does"
    monkeypatch.setattr(Joint, "masked_tokens", JointMAE.masked_tokens)
    leaked = codes(pretext, batch, mask), codes(pretext, other, mask)
    assert not torch.allclose(*leaked), "control: m3ae's decoder knows the kinds of all arcs"


def views(pretext: Joint, batch: Batch, mask: Mask) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.no_grad():
        return pretext.run_views(batch, batch, generator(0), mask).codes["views"][:, 0].chunk(2, 1)


@pytest.mark.parametrize("changed, moved", [(FACE, 0), (PATCH, 1)])
def test_a_view_of_one_kind_is_blind_to_the_other_and_to_what_is_hidden(changed, moved):
    pretext, batch = method(), paired()
    tokens = pretext.tokens(batch)
    mask = pretext.mask(tokens, generator(1))
    before = views(pretext, batch, mask)
    other = scramble_hidden(batch, tokens, tokens.valid & ~mask.hidden & (tokens.kind == changed))
    after = views(pretext, other, mask)
    assert torch.equal(after[1 - moved], before[1 - moved]) and not torch.allclose(after[moved], before[moved])
    unseen = views(pretext, scramble_hidden(batch, tokens, mask.hidden), mask)
    assert all(torch.equal(a, b) for a, b in zip(unseen, before, strict=True))


def test_the_contrast_is_info_nce_in_both_directions():
    pretext, batch = method(), paired()
    target = pretext.targets["contrast"]
    forward_pass = pretext.run(batch, generator(2))
    faces, image = forward_pass.codes["views"][:, 0].chunk(2, 1)
    logits = target.faces(faces) @ target.image(image).T / target.temperature
    right = torch.arange(len(SIZES))
    expected = (F.cross_entropy(logits, right) + F.cross_entropy(logits.T, right)) / 2
    assert torch.isclose(pretext.losses(forward_pass)["contrast.match"], expected, atol=1e-6)


def test_the_contrast_counts_in_units_of_a_guess_and_falls_to_0_where_views_match():
    pretext = method()
    pretext.calibrate([paired(seed) for seed in (0, 10)], generator(0))
    target = pretext.targets["contrast"]
    assert target.unit.flatten()[0] == pytest.approx(math.log(len(SIZES)))
    target.faces = target.image = torch.nn.Identity()
    forward_pass = pretext.run(paired(), generator(2))
    matching = F.one_hot(torch.arange(len(SIZES)), 32).float().repeat(1, 2)[:, None]
    term = pretext.losses(replace(forward_pass, codes=forward_pass.codes | {"views": matching}))["contrast.match"]
    assert float(term) < 1e-3
    alike = torch.ones(len(SIZES), 1, 64)
    term = pretext.losses(replace(forward_pass, codes=forward_pass.codes | {"views": alike}))["contrast.match"]
    assert float(term) == pytest.approx(1.0)


@pytest.mark.parametrize("teacher, pupil", [("faces", "face_features"), ("images", "patch_features")])
def test_each_of_two_teachers_is_heard_by_its_own_target_alone(teacher, pupil, monkeypatch):
    pretext, batch = method(), paired()
    before = pretext(batch, generator(0))
    own = pretext.teacher.teachers[teacher]
    teach = own.forward

    def reversed_features(batch, mask):
        targets = teach(batch, mask)
        return replace(targets, features=targets.features.flip(1))

    monkeypatch.setattr(own, "forward", reversed_features)
    after = pretext(batch, generator(0))
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    assert changed == {f"{pupil}.features", "loss"}


def test_two_teachers_are_frozen_and_no_part_of_the_state():
    pretext = method()
    pretext(paired(), generator(0))["loss"].backward()
    for teacher in pretext.teacher.teachers.values():
        assert all(not p.requires_grad and p.grad is None for p in teacher.network.parameters())
    assert not any(name.startswith("teacher") for name in pretext.state_dict())


def test_a_teacher_of_images_with_another_grid_of_patches_is_refused():
    teachers = {"faces": {"source": "random", "reads": "faces"}, "images": {"source": "random", "reads": "frames"}}
    pretext = method(teachers=teachers)
    pretext.teacher.teachers["images"].side = 8
    with pytest.raises(ValueError, match="the teacher has 4 x 4 patches, the student 8 x 8: give both one grid"):
        pretext(paired(), generator(0))


@pytest.mark.parametrize("missing", ["faces", "frames"])
def test_a_batch_that_lacks_a_kind_is_refused(missing):
    with pytest.raises(ValueError, match=f"needs? a batch with {missing}"):
        method()(replace(paired(), **{missing: None}), generator(0))
