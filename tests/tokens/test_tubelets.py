import pytest
import torch
from torch.nn import functional as F

from brep_mae.datasets.batch import Batch
from brep_mae.tokens.patches import standardised
from brep_mae.tokens.tubelets import SPACE, VIEW, SeparablePosition, TubeletTokens
from tests.synthetic import make_batch, make_frames


def clip(views: int) -> Batch:
    return Batch(("a", "b"), None, make_frames([5, 5], views=views))


@pytest.mark.parametrize("depth", [1, 2])
def test_a_tubelet_is_a_convolution_over_space_and_views(depth):
    tokens, batch = TubeletTokens(16, 4, depth, 4, 8), clip(4)
    out = tokens(batch)
    weight = tokens.embed.proj.weight.unflatten(1, (depth, 3)).transpose(1, 2)
    video = standardised(batch.frames.image).transpose(1, 2)
    expected = F.conv3d(video, weight, tokens.embed.proj.bias, stride=(depth, 4, 4)).flatten(2).transpose(1, 2)
    assert out.x.shape == (2, 4 // depth * 16, 8)
    assert torch.allclose(out.x - tokens.position(out.where), expected, atol=1e-5)


def test_tokens_stand_view_by_view_and_rows_of_patches_within():
    where = TubeletTokens(16, 4, 1, 4, 8)(clip(4)).where[0]
    assert where[:, VIEW].tolist() == [view for view in range(4) for _ in range(16)]
    assert where[:, SPACE].tolist() == list(range(16)) * 4


def test_positions_are_separable_and_both_tables_learn():
    """ST-MAE check 4: PE(v, i) - PE(w, i) does not depend on i."""
    position = SeparablePosition(4, 16, 8)
    where = torch.cartesian_prod(torch.arange(4), torch.arange(16)).float()
    code = position(where).view(4, 16, 8)
    assert torch.allclose(code[1] - code[3], (code[1] - code[3])[:1].expand(16, -1), atol=1e-6)
    assert not torch.allclose(code[1], code[3], atol=1e-3)
    assert not torch.allclose(code[:, 2], code[:, 5], atol=1e-3)
    code.square().sum().backward()
    assert all((table.grad != 0).any() for table in (position.space_token, position.view_token))


def test_a_shorter_clip_fits_and_a_longer_or_odd_one_is_refused():
    tokens = TubeletTokens(16, 4, 2, 4, 8)
    assert tokens(clip(2)).x.shape[1] == 16
    for views in (3, 6):
        with pytest.raises(ValueError, match=f"clip of {views} frames"):
            tokens(clip(views))


def test_sizes_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="patches of 32"):
        TubeletTokens(16, 32, 1, 4, 8)
    with pytest.raises(ValueError, match="tubelets of 2"):
        TubeletTokens(16, 4, 2, 5, 8)
    with pytest.raises(ValueError, match="need a batch with frames"):
        TubeletTokens(16, 4, 1, 4, 8)(make_batch([4]))
