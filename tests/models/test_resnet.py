"""The network that the papers on continual learning compare on."""

import torch

from brep_mae.continual.class_tasks import TaskFeatures
from brep_mae.continual.supermask import SupermaskModel
from brep_mae.datasets.batch import Batch, Frames
from brep_mae.models.resnet import ResNet18


def test_it_has_the_weights_of_the_official_code_of_exssnet():
    """prateeky2806/exessnet at 1e768f8: 21 masked tensors, 1,090,460 weights with the classifier of 2 classes."""
    weights = SupermaskModel(TaskFeatures(ResNet18()), 2, 160, 0.1).weights()
    assert len(weights) == 21 and sum(weight.numel() for weight in weights.values()) == 1_090_460


def test_a_solid_is_the_mean_of_its_frames():
    image = torch.rand(2, 3, 3, 32, 32)
    net = ResNet18().eval()
    solid = net(Batch(("a", "b"), None, Frames(image, torch.zeros(2, 3, 1, 1)))).solid
    alone = [net(Batch(("a", "b"), None, Frames(image[:, i : i + 1], torch.zeros(2, 1, 1, 1)))).solid for i in range(3)]
    assert solid.shape == (2, 160)
    assert torch.allclose(solid, torch.stack(alone).mean(0), atol=1e-5)
