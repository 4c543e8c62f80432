"""An encoder that starts from a vision transformer answers as that one does."""

import pytest
import timm
import torch
from safetensors.torch import save_file

from brep_mae.checkpoints.weights import CheckpointError
from brep_mae.composition.pretext import DataSpec, build
from brep_mae.datasets.batch import Batch, Frames
from brep_mae.seeds import generator
from brep_mae.settings import load
from brep_mae.tokens.patches import sine_cosine

NAME = "deit_tiny_patch16_224"


@pytest.fixture
def model():
    """Random weights in the place of those that ImageNet has taught, and MAE's positions."""
    torch.manual_seed(0)
    made = timm.create_model(NAME, pretrained=False, num_classes=0, dynamic_img_size=True).eval()
    torch.nn.init.normal_(made.cls_token)
    torch.nn.init.normal_(made.patch_embed.proj.bias)
    rows, columns = torch.meshgrid(torch.arange(14), torch.arange(14), indexing="ij")
    made.pos_embed.data[0, 1:] = sine_cosine(torch.stack([rows, columns], -1).view(-1, 2).float(), 192)
    return made


def method(path, **changed):
    start = {"model": NAME, "path": str(path)}
    values = load().methods["mae_images"] | {"size": "tiny", "patch": 16, "init": start} | changed
    return build("mae_images", values, DataSpec(5, 224)).eval()


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_the_encoder_answers_as_the_model_does(tmp_path, model, suffix):
    path = tmp_path / f"weights.{suffix}"
    (save_file if suffix == "safetensors" else torch.save)(model.state_dict(), path)
    image = torch.rand(1, 1, 3, 224, 224, generator=generator(0))
    pretext = method(path)
    batch = Batch(("a",), None, Frames(image, torch.zeros(1, 1, 224, 224).long()))
    mean, deviation = (torch.tensor(model.pretrained_cfg[key]).view(3, 1, 1) for key in ("mean", "std"))
    with torch.no_grad():
        theirs = model.forward_features((image[0] - mean) / deviation)
        before = pretext.encoder(pretext.tokens(batch)).x
        pretext.begin_step(0, generator(0))
        ours = pretext.encoder(pretext.tokens(batch)).x
    assert torch.allclose(ours, theirs, atol=1e-3)
    assert not torch.allclose(before, theirs, atol=0.1)


def test_smaller_patches_are_read_by_a_resampled_projection(tmp_path, model):
    """A plain image is the same at every size: so is what a projection says of a patch of it."""
    torch.save(model.state_dict(), tmp_path / "weights.pth")
    large, small = (method(tmp_path / "weights.pth", patch=patch) for patch in (16, 8))
    told = []
    for pretext, side in ((large, 16), (small, 8)):
        pretext.begin_step(0, generator(0))
        told.append(pretext.tokens.embed.proj(torch.full((1, 3, side, side), 0.7)).flatten())
    assert torch.cosine_similarity(*told, dim=0) > 0.98


def test_a_training_that_goes_on_does_not_start_again(tmp_path, model):
    torch.save(model.state_dict(), tmp_path / "weights.pth")
    pretext = method(tmp_path / "weights.pth")
    before = pretext.encoder.class_token.clone()
    pretext.begin_step(1, generator(0))
    assert torch.equal(pretext.encoder.class_token, before)


@pytest.mark.parametrize(
    "name, changed, message",
    [
        (NAME, {"size": "small"}, r"is of size \{dim: 192, depth: 12, heads: 3\}, the encoder of \{dim: 384"),
        (NAME, {"size": {"dim": 192, "depth": 12, "heads": 4}}, "heads: 4}; set size: {dim: 192, depth: 12, heads: 3}"),
        ("test_vit2", {}, "no vision transformer with a class token; take a plain vit_"),
        ("resnet18", {}, "resnet18: no vision transformer of timm"),
        ("vit_tinny", {}, "vit_tinny: no vision transformer of timm"),
    ],
)
def test_a_model_of_another_shape_is_refused_with_both_shapes(tmp_path, name, changed, message):
    path = tmp_path / "weights.pth"
    if name in (NAME, "test_vit2"):
        torch.save(timm.create_model(name, num_classes=0).state_dict(), path)
    pretext = method(path, init={"model": name, "path": str(path)}, **changed)
    with pytest.raises(CheckpointError, match=message):
        pretext.begin_step(0, generator(0))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"gone\.pth: not weights of deit_tiny"):
        method(tmp_path / "gone.pth").begin_step(0, generator(0))
