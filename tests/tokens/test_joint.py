from dataclasses import replace

import pytest
import torch

from brep_mae.datasets.batch import Batch
from brep_mae.tokens.joint import JointPosition, JointTokens
from brep_mae.tokens.tokens import FACE, PATCH
from tests.synthetic import GRID, make_batch


def tokenizer() -> JointTokens:
    torch.manual_seed(0)
    return JointTokens(GRID, 16, 4, 16)


def test_faces_then_patches_of_the_first_frame_each_as_its_own_tokenizer_gives_them():
    tokens, batch = tokenizer(), make_batch([3, 7], frames=True)
    out = tokens(batch)
    assert out.kind.tolist() == [FACE] * 7 + [PATCH] * 16
    assert out.valid.sum(1).tolist() == [3 + 16, 7 + 16]
    assert torch.equal(out.x[:, :7], tokens.faces(batch).x + tokens.type_token[FACE])
    first = tokens.patches(batch).x.unflatten(0, (2, 2))[:, 0]
    assert torch.equal(out.x[:, 7:], first + tokens.type_token[PATCH])


def test_arcs_point_at_the_same_faces_as_without_patches():
    tokens, batch = tokenizer(), make_batch([3, 7], frames=True)
    alone, out = tokens.faces(batch), tokens(batch)
    row, slot = alone.arcs.index // 7, alone.arcs.index % 7
    assert torch.equal(out.arcs.index, row * out.x.shape[1] + slot)
    assert (out.kind[out.arcs.index % out.x.shape[1]] == FACE).all()


def test_either_kind_alone():
    tokens, batch = tokenizer(), make_batch([3, 7], frames=True)
    both, faces, patches = tokens(batch), tokens(replace(batch, frames=None)), tokens(replace(batch, faces=None))
    assert torch.equal(faces.x, both.x[:, :7])
    assert torch.equal(patches.x, both.x[:, 7:])
    assert torch.equal(patches.where, both.where[:, 7:])
    assert patches.arcs.index.shape == (2, 0)


def test_position_depends_on_kind_and_on_that_kinds_own_place():
    torch.manual_seed(0)
    position, out = JointPosition(16), tokenizer()(make_batch([3, 7], frames=True))
    code = position(out.where)
    with torch.no_grad():
        position.type_token[PATCH] += 1
    moved = (position(out.where) - code).abs().amax((0, 2))
    assert (moved[out.kind == FACE] == 0).all() and (moved[out.kind == PATCH] > 0.5).all()
    assert code[0, 7:].std(0).max() > 0.1


def test_neither_kind_and_unequal_numbers_of_solids_are_refused():
    with pytest.raises(ValueError, match="faces, frames or both"):
        tokenizer()(Batch(("a",)))
    batch = make_batch([3, 7], frames=True)
    with pytest.raises(ValueError, match="1 solids with faces but 2 with frames"):
        tokenizer()(replace(make_batch([3]), frames=batch.frames))
