"""Two feature extractors side by side."""

import pytest
import torch
from torch import nn

from brep_mae.datasets.batch import Batch
from brep_mae.models.extractor import FeatureExtractor, Features
from brep_mae.models.extractors.hops import Hops
from brep_mae.models.extractors.joined import Joined
from tests.synthetic import make_batch


class Constant(FeatureExtractor):
    """Says `value` in `dim` columns of every face, and twice that in one more of every solid."""

    def __init__(self, value: float, dim: int, *reads: str) -> None:
        super().__init__()
        self.last, self.dim, self.reads = nn.Linear(dim, dim), dim, frozenset(reads)
        self.value = nn.Parameter(torch.tensor(value))

    @property
    def solid_dim(self) -> int:
        return self.dim + 1

    def top(self) -> list[nn.Module]:
        return [self.last]

    def forward(self, batch: Batch) -> Features:
        faces = batch.faces
        return Features(
            self.value * torch.ones(len(faces.label), self.dim),
            self.value * 2 * torch.ones(faces.n_solids, self.solid_dim),
        )


@pytest.fixture
def pair() -> tuple[Constant, Constant]:
    return Constant(1.0, 2, "faces"), Constant(5.0, 3, "faces", "frames")


def test_features_stand_in_the_order_of_the_extractors(pair):
    features = Joined(*pair)(make_batch([4, 2]))
    assert features.face.tolist() == [[1.0, 1.0, 5.0, 5.0, 5.0]] * 6
    assert features.solid.tolist() == [[2.0] * 3 + [10.0] * 4] * 2


def test_content_widths_and_last_layers_are_those_of_both(pair):
    first, second = pair
    joined = Joined(first, second)
    assert (joined.dim, joined.solid_dim) == (5, 7) and joined.reads == {"faces", "frames"}
    assert joined.top() == [first.last, second.last]
    assert Joined(Hops(), first).top() == [first.last]


def test_three_are_joined_two_by_two_and_keep_their_order(pair):
    joined, batch = Joined(Joined(*pair), Constant(7.0, 1, "faces")), make_batch([3])
    assert joined(batch).face[0].tolist() == [1.0, 1.0, 5.0, 5.0, 5.0, 7.0]
    assert joined.dim == 6 and len(joined.top()) == 3


def test_the_weights_of_both_are_trained_and_saved(pair):
    joined = Joined(*pair)
    joined(make_batch([3])).face.sum().backward()
    assert pair[0].value.grad is not None and pair[1].value.grad is not None
    assert len(joined.state_dict()) == len(pair[0].state_dict()) + len(pair[1].state_dict())
