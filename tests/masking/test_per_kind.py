import pytest
import torch

from brep_mae.masking.per_kind import PerKindMask
from brep_mae.seeds import generator
from brep_mae.tokens.tokens import FACE, PATCH, Tokens


def joint(n_faces: list[int], patches: int) -> Tokens:
    """Faces, padded to the most, then patches; either may be missing."""
    most = max(n_faces, default=0)
    faces = torch.arange(most) < torch.tensor(n_faces)[:, None]
    valid = torch.cat([faces, torch.ones(len(n_faces), patches, dtype=torch.bool)], 1)
    kind = torch.tensor([FACE] * most + [PATCH] * patches)
    zeros = torch.zeros(*valid.shape, 4)
    return Tokens(zeros, zeros, valid, kind)


def test_each_kind_is_hidden_at_its_own_ratio_and_padding_never():
    tokens = joint([10, 40], 64)
    hidden = PerKindMask({"face": 0.5, "patch": 0.75})(tokens, generator(0)).hidden
    assert hidden[:, :40].sum(1).tolist() == [5, 20]
    assert hidden[:, 40:].sum(1).tolist() == [48, 48]
    assert not (hidden & ~tokens.valid).any()


def test_control_one_ratio_for_all_would_not_keep_both_counts():
    hidden = PerKindMask({"face": 0.75, "patch": 0.75})(joint([10, 40], 64), generator(0)).hidden
    assert hidden[:, :40].sum(1).tolist() != [5, 20]


def test_kinds_are_drawn_independently_and_samples_differ():
    hidden = PerKindMask({"face": 0.5, "patch": 0.5})(joint([64] * 256, 64), generator(0)).hidden.float()
    faces, patches = hidden[:, :64], hidden[:, 64:]
    assert len({tuple(row.tolist()) for row in hidden}) == 256
    correlation = ((faces - 0.5) * (patches - 0.5)).mean() / 0.25
    assert correlation.abs() < 4 / (64 * 256) ** 0.5


@pytest.mark.parametrize("n_faces, patches", [([1], 16), ([2], 4), ([5], 1), ([3, 1, 2], 16)])
def test_a_ratio_that_would_leave_nothing_leaves_one_of_each_kind(n_faces, patches):
    tokens = joint(n_faces, patches)
    hidden = PerKindMask({"face": 0.99, "patch": 0.99})(tokens, generator(0)).hidden
    for kind in (FACE, PATCH):
        n = (tokens.valid & (tokens.kind == kind)).sum(1)
        n_hidden = (hidden & (tokens.kind == kind)).sum(1)
        assert torch.equal(n_hidden, n - 1)


def test_a_missing_kind_is_left_out():
    mask = PerKindMask({"face": 0.5, "patch": 0.75})
    assert mask(joint([8, 4], 0), generator(0)).hidden.sum(1).tolist() == [4, 2]
    assert mask(joint([0, 0], 16), generator(0)).hidden.sum(1).tolist() == [12, 12]


def test_a_wrong_or_missing_ratio_is_named():
    with pytest.raises(ValueError, match="unknown kind fase"):
        PerKindMask({"fase": 0.5})
    with pytest.raises(ValueError, match="outside"):
        PerKindMask({"face": 1.0})
    with pytest.raises(ValueError, match="no mask ratio for patch"):
        PerKindMask({"face": 0.5})(joint([4], 4), generator(0))
