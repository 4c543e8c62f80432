"""An exported encoder answers in other runtimes what it answers here."""

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import load_file
from torch import Tensor

from brep_mae.checkpoints.backbones import load_backbone, save_backbone
from brep_mae.checkpoints.export import export
from brep_mae.checkpoints.weights import CheckpointError
from brep_mae.datasets.batch import Batch
from brep_mae.models.backbone import Backbone
from brep_mae.tokens.faces import FaceTokens, arc_content, face_content
from tests.cli.small_tasks import run
from tests.contracts.test_methods import SPEC, small
from tests.synthetic import make_batch

TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {}
    for name in ("attribute_masking", "mae_faces", "mae_images", "m3ae"):
        torch.manual_seed(0)
        pretext, folders[name] = small(name), tmp_path_factory.mktemp(name)
        save_backbone(folders[name], pretext.backbone(), name, pretext.params.model_dump(), SPEC, "digest")
    return folders


def inputs_of(backbone: Backbone, batch: Batch) -> tuple[Tensor, ...]:
    """What an exported encoder reads of one solid, or of the frames of all."""
    if "frames" in backbone.reads:
        assert batch.frames is not None
        return (batch.frames.image.flatten(0, 1),)
    faces = batch.faces_with(backbone.reads)
    if isinstance(backbone.tokens, FaceTokens):
        return face_content(faces), arc_content(faces), faces.arc_index
    return faces.invariant, faces.arc_invariant, faces.arc_index


def ran(file: Path, inputs: tuple[Tensor, ...]) -> list[Tensor]:
    if file.suffix == ".pt2":
        return list(torch.export.load(file).module()(*inputs))
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(file, providers=["CPUExecutionProvider"])
    named = zip((one.name for one in session.get_inputs()), inputs, strict=True)
    return [torch.from_numpy(out) for out in session.run(None, {name: value.numpy() for name, value in named})]


@pytest.mark.parametrize("suffix", [".pt2", ".onnx"])
@pytest.mark.parametrize("name", ["attribute_masking", "mae_faces", "mae_images"])
def test_it_answers_the_same_for_parts_of_any_size(
    encoders: dict[str, Path], tmp_path: Path, name: str, suffix: str
) -> None:
    out = tmp_path / f"encoder{suffix}"
    export(encoders[name], out)
    backbone = load_backbone(encoders[name])
    for seed, size in enumerate((3, 9, 23)):
        batch = make_batch([size], seed, frames="frames" in backbone.reads)
        each, whole = ran(out, inputs_of(backbone, batch))
        with torch.no_grad():
            if "frames" in backbone.reads:
                latent = backbone.encoder.read(backbone.tokens(batch)).x[:, 1:]
                expected = latent, latent.mean(1)
            else:
                features = backbone(batch)
                expected = features.face, features.solid[0]
        torch.testing.assert_close(each, expected[0], rtol=0, atol=TOLERANCE)
        torch.testing.assert_close(whole, expected[1], rtol=0, atol=TOLERANCE)


def test_timm_makes_the_encoders_tokens_from_its_weights(encoders: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "encoder.safetensors"
    export(encoders["mae_images"], out)
    model = timm.create_model(
        "vit_base_patch16_224",
        num_classes=0,
        img_size=SPEC.frame,
        patch_size=4,
        embed_dim=32,
        depth=2,
        num_heads=2,
    ).eval()
    assert model.norm.eps == 1e-6
    model.load_state_dict(load_file(out))
    backbone = load_backbone(encoders["mae_images"])
    batch = make_batch([5, 7], 0, frames=True)
    assert batch.frames is not None
    with torch.no_grad():
        ours = backbone.encoder(backbone.tokens(batch)).x
        theirs = model.forward_features((batch.frames.image.flatten(0, 1) - 0.5) / 0.25)
    torch.testing.assert_close(theirs, ours, rtol=0, atol=TOLERANCE)


def test_what_cannot_be_exported_is_told_and_nothing_is_written(encoders: dict[str, Path], tmp_path: Path) -> None:
    for name, file, reason in (
        ("m3ae", "a.pt2", "reads faces and images at once"),
        ("mae_faces", "a.safetensors", "reads faces, and timm images"),
        ("mae_faces", "a.bin", "ends in .pt2, .onnx, .safetensors"),
    ):
        done = run("export", encoders[name], "--out", tmp_path / file)
        assert done.exit_code == 1 and reason in done.output, done.output
        with pytest.raises(CheckpointError):
            export(encoders[name], tmp_path / file)
    assert not list(tmp_path.iterdir())


def test_the_command_exports_an_encoder_that_comes_with_the_package(tmp_path: Path) -> None:
    done = run("export", "label_free", "--out", tmp_path / "encoder.pt2")
    assert done.exit_code == 0 and "MB" in done.output, done.output
    assert [path.name for path in tmp_path.iterdir()] == ["encoder.pt2"]
