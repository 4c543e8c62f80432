"""What every feature extractor says of itself holds for the features that it gives."""

import pytest
import torch

from brep_mae.fewshot.baselines.uvnet import UVNet
from brep_mae.models.extractor import FeatureExtractor
from brep_mae.models.extractors.blind import Blind
from brep_mae.models.extractors.hops import Hops
from brep_mae.models.extractors.joined import Joined
from brep_mae.plugins import METHODS, known
from tests.contracts.test_methods import small
from tests.synthetic import make_batch

OTHERS = {
    "plain features": Hops,
    "UV-Net": UVNet,
    "ablated": lambda: Blind(UVNet(), ["log_area"]),
    "joined": lambda: Joined(Hops(), small("mae_faces").backbone()),
}


@pytest.fixture(params=[*known(METHODS), *OTHERS])
def extractor(request) -> FeatureExtractor:
    made = OTHERS[request.param]() if request.param in OTHERS else small(request.param).backbone()
    return made.eval()


def test_a_face_and_a_solid_have_as_many_features_as_the_extractor_says(extractor):
    batch = make_batch([4, 3], frames="frames" in extractor.reads)
    with torch.no_grad():
        features = extractor(batch)
    assert features.face.shape == (7, extractor.dim)
    assert features.solid.shape == (2, extractor.solid_dim) and features.solid.isfinite().all()


def test_what_is_said_of_nothing_stands_before_what_is_said_of_something(extractor):
    nothing, batch = extractor.of_nothing(), make_batch([4, 3], frames="frames" in extractor.reads)
    with torch.no_grad():
        features = extractor(batch)
    assert torch.equal(torch.cat([nothing.face, features.face]), features.face)
    assert torch.equal(torch.cat([nothing.solid, features.solid]), features.solid)


def test_the_last_layer_is_part_of_the_network(extractor):
    layers = extractor.top()
    assert bool(layers) == bool(list(extractor.parameters()))
    own = {id(weight) for weight in extractor.parameters()}
    assert all(id(weight) in own for layer in layers for weight in layer.parameters())
