"""A backbone that is not shown some scalars: they are zeros to it, and nothing else is."""

from dataclasses import replace

import pytest
import torch

from brep_mae.features.invariants import ARC_DIM, ARC_SCALARS, FACE_DIM, FACE_SCALARS
from brep_mae.models.extractors.blind import Blind
from brep_mae.models.extractors.hops import Hops
from tests.contracts.test_methods import small
from tests.synthetic import make_batch


def moved(batch, name: str, kind: str):
    """The batch with one scalar of all faces or arcs raised by one."""
    names, key = (FACE_SCALARS, "invariant") if kind == "face" else (ARC_SCALARS, "arc_invariant")
    rows = getattr(batch.faces, key).clone()
    rows[:, names.index(name)] += 1.0
    return replace(batch, faces=replace(batch.faces, **{key: rows}))


def reaches(blind: Blind, name: str, kind: str) -> bool:
    batch = make_batch([6, 4])
    before, after = blind(batch), blind(moved(batch, name, kind))
    return not (torch.equal(before.face, after.face) and torch.equal(before.solid, after.solid))


def test_what_is_hidden_does_not_reach_the_backbone_inside_and_all_else_does():
    blind = Blind(Hops(), ["above", "log_length"])
    assert [n for n in FACE_SCALARS if not reaches(blind, n, "face")] == ["above"]
    assert [n for n in ARC_SCALARS if not reaches(blind, n, "arc")] == ["log_length"]


def test_a_name_of_both_a_face_and_an_arc_is_hidden_in_both():
    shared = set(FACE_SCALARS) & set(ARC_SCALARS)
    assert shared == {"distance", "offset"}
    blind = Blind(Hops(), sorted(shared))
    assert not any(reaches(blind, name, kind) for name in shared for kind in ("face", "arc"))
    assert reaches(blind, "log_area", "face") and reaches(blind, "back_offset", "arc")


def test_one_hot_columns_are_never_hidden():
    blind, batch = Blind(Hops(), [*FACE_SCALARS, *ARC_SCALARS]), make_batch([5])
    face = blind(batch).face
    assert (face[:, : len(FACE_SCALARS)] == 0).all()
    assert torch.equal(face[:, len(FACE_SCALARS) : FACE_DIM], batch.faces.invariant[:, len(FACE_SCALARS) :])
    arcs = face[:, FACE_DIM : FACE_DIM + ARC_DIM]
    assert (arcs[:, : len(ARC_SCALARS)] == 0).all() and (arcs[:, len(ARC_SCALARS) :] != 0).any()


def test_the_given_batch_stays_as_it_is_and_the_backbone_answers_for_itself():
    batch, inside = make_batch([6]), small("attribute_masking").backbone().eval()
    before = batch.faces.invariant.clone(), batch.faces.arc_invariant.clone()
    blind = Blind(inside, ["above", "share"])
    blind(batch)
    assert torch.equal(batch.faces.invariant, before[0]) and torch.equal(batch.faces.arc_invariant, before[1])
    assert blind.solid_dim == inside.solid_dim
    assert (blind.dim, blind.reads, blind.top()) == (inside.dim, inside.reads, inside.top()) and inside.top()
    assert torch.equal(Blind(inside, [])(batch).face, inside(batch).face)


def test_an_unknown_scalar_is_named_and_the_known_ones_are_not():
    with pytest.raises(ValueError, match=r"^no scalars abvoe, zzz$"):
        Blind(Hops(), ["zzz", "log_area", "abvoe"])


def test_a_batch_without_faces_is_refused():
    with pytest.raises(ValueError, match="needs a batch with faces"):
        Blind(Hops(), ["above"])(replace(make_batch([4]), faces=None))
