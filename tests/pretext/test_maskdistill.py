"""The acceptance checks of MaskDistill (Peng et al. 2022, arXiv:2210.10615); check 2 is in tests/masking/test_block.py.

Check 5 also asks for the five components (teacher, its normalisation, student, head, loss) to be swapped by
configuration. Here a teacher is chosen by numbers and names; the rest is wiring in Python, so that what is swapped is a
constructor's argument: the test builds MAE and dBOT from the very same parts.
"""

import json
from dataclasses import replace

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from brep_mae import settings
from brep_mae.checkpoints.backbones import save_backbone
from brep_mae.checkpoints.weights import CheckpointError
from brep_mae.checks import SettingsError
from brep_mae.composition.masked import MaskedPretext
from brep_mae.datasets.content import kinds
from brep_mae.models.encoder import Fill
from brep_mae.seeds import generator
from brep_mae.teachers.images import timm_model
from tests.contracts.test_methods import SPEC, block, small
from tests.contracts.test_no_peek import latent_of, scramble_hidden
from tests.pretext.checks import asked, digest, steps
from tests.synthetic import make_batch

SIZES = [6, 9, 3, 12]


@pytest.fixture(params=["maskdistill_faces", "maskdistill_images"])
def name(request) -> str:
    return request.param


def student(name: str):
    return small(name).eval(), make_batch(SIZES, frames=True)


@pytest.fixture
def images(tmp_path):
    """Folder of a backbone of images, 16 pixels in patches of 4."""
    values = block("mae_images") | {"size": {"dim": 24, "depth": 1, "heads": 2}, "patch": 4}
    save_backbone(tmp_path / "images", small("mae_images", **values).backbone(), "mae_images", values, SPEC, "d")
    return tmp_path / "images"


def cross_modal(folder):
    return small("maskdistill_faces", teacher=stored(folder))


def stored(folder, dim: int = 24):
    return {"source": "checkpoint", "reads": "frames", "path": str(folder), "dim": dim}


def test_check_1_the_encoder_holds_mask_tokens_and_is_n_plus_1_long(name):
    pretext, batch = student(name)
    tokens = pretext.tokens(batch)
    mask = pretext.mask(tokens, generator(0))
    assert pretext.encoder(tokens, mask).x.shape[1] == tokens.x.shape[1] + 1
    assert small("mae_images").encoder(tokens, mask).x.shape[1] < tokens.x.shape[1] + 1 or name != "maskdistill_images"


def test_check_1_hidden_content_and_the_curves_around_it_stay_out(name, monkeypatch):
    pretext, batch = student(name)
    tokens = pretext.tokens(batch)
    mask = pretext.mask(tokens, generator(0))
    other = scramble_hidden(batch, tokens, mask.hidden)
    assert torch.equal(latent_of(pretext, batch, mask), latent_of(pretext, other, mask))

    def without_arc_tokens(self, tokens, mask):
        return replace(filled(self, tokens, mask), arcs=tokens.arcs)

    if name == "maskdistill_faces":
        filled = Fill.forward
        monkeypatch.setattr(Fill, "forward", without_arc_tokens)
        leaked = latent_of(pretext, batch, mask), latent_of(pretext, other, mask)
        assert not torch.allclose(*leaked), "control: with curves left as they are, hidden content leaks"


def test_check_3_loss_support_is_every_hidden_token_and_no_other(name):
    pretext, batch = student(name)
    touched, mask = asked(pretext, batch)
    assert torch.equal(touched[:, 1:], mask.hidden)
    assert not touched[:, 0].any()


def test_check_3_faces_in_no_frame_leave_the_loss(images):
    pretext, batch = cross_modal(images), make_batch(SIZES, frames=True)
    face = batch.frames.face.clone()
    face[face % 2 == 1] = -1
    batch = replace(batch, frames=replace(batch.frames, face=face))
    shown = torch.zeros(len(SIZES), max(SIZES), dtype=torch.bool)
    for i, n in enumerate(SIZES):
        shown[i, :n] = torch.isin(torch.arange(n), face[i])
    touched, mask = asked(pretext, batch)
    assert torch.equal(touched[:, 1:], mask.hidden & shown)
    assert (mask.hidden & ~shown).any(), "control: some hidden face must be in no frame"


def test_check_3_scaling_and_shifting_the_teacher_leaves_the_loss(name, monkeypatch):
    pretext, batch = student(name)
    loss = pretext(batch, generator(0))["loss"]
    teach = type(pretext.teacher).forward

    def other(self, batch, mask):
        targets = teach(self, batch, mask)
        return replace(targets, features=scale * targets.features + 2)

    monkeypatch.setattr(type(pretext.teacher), "forward", other)
    scale = 3.0
    assert torch.isclose(pretext(batch, generator(0))["loss"], loss, atol=1e-4)
    scale = -3.0
    assert not torch.isclose(pretext(batch, generator(0))["loss"], loss, atol=1e-4), "control: a < 0 is another target"


def test_check_4_teacher_is_frozen_and_sees_everything(name):
    pretext, batch = student(name)
    mask = pretext.mask(pretext.tokens(batch), generator(0))
    target = pretext.teacher(batch, mask).features
    teacher = pretext.teacher.network
    before = digest(teacher)
    steps(pretext.train(), batch, 3)
    assert digest(teacher) == before and not any(m.training for m in teacher.modules())
    assert all(p.grad is None and not p.requires_grad for p in teacher.parameters())
    again = pretext.mask(pretext.tokens(batch), generator(1))
    assert torch.equal(pretext.teacher(batch, again).features, target)
    teacher.full = False
    assert not torch.equal(pretext.teacher(batch, mask).features, target), "control: behind the mask it says otherwise"


def test_check_4_grids_or_widths_that_differ_are_refused(images):
    batch = make_batch([5], frames=True)
    with pytest.raises(ValueError, match="teacher has 4 x 4 patches, the student 2 x 2"):
        small("maskdistill_images", patch=8, teacher=stored(images))(batch, generator(0))
    with pytest.raises(ValueError, match="24 wide, not 32: set its dim"):
        small("maskdistill_images", teacher=stored(images, dim=32))(batch, generator(0))
    small("maskdistill_images", teacher=stored(images))(batch, generator(0))


def test_check_5_the_head_is_exactly_one_affine_map(name):
    pretext, _ = student(name)
    head = pretext.targets["features"].head
    assert type(head) is nn.Linear and head.bias is not None
    assert list(pretext.decoder.parameters()) == []


def test_check_5_mae_and_dbot_are_the_same_parts_put_together_otherwise(name):
    """The unified view: each is the composed forward over a mask, an encoder, a head and a target."""
    content = name.removeprefix("maskdistill_")
    for other in (f"mae_{content}", f"dbot_{content}"):
        first, second = small(name), small(other)
        assert type(first).run_views is type(second).run_views is MaskedPretext.run_views
        assert type(first.tokens) is type(second.tokens) and type(first.encoder) is type(second.encoder)
        first.mask = second.mask  # random masking in place of blocks
        batch = make_batch(SIZES, frames=True)
        assert torch.isfinite(first(batch, generator(0))["loss"])


def test_a_random_teacher_of_a_message_network_needs_a_size():
    pretext = small("maskdistill_faces", size={"dim": 16, "depth": 2, "dropout": 0.0})
    with pytest.raises(ValueError, match="a size with heads"):
        pretext(make_batch(SIZES), generator(0))


@pytest.mark.parametrize("size", [{"dim": 32, "depth": 2, "heads": 2}, {"dim": 16, "depth": 2, "dropout": 0.0}])
def test_a_cross_modal_teacher_is_learned_from(images, size):
    pretext, batch = small("maskdistill_faces", teacher=stored(images), size=size), make_batch(SIZES, frames=True)
    assert kinds(pretext.reads) == {"faces", "frames"} and kinds(pretext.backbone().reads) == {"faces"}
    losses = steps(pretext, batch, 40)
    assert losses[-1] < 0.8 * losses[0]


def test_a_timm_model_teaches_patches_and_faces_without_a_download(tmp_path):
    torch.manual_seed(0)
    model = timm.create_model("vit_tiny_patch16_224", pretrained=False, depth=1)
    save_file(model.state_dict(), tmp_path / "weights.safetensors")
    teacher = {"source": "timm", "reads": "frames", "model": "vit_tiny_patch16_224", "dim": 192}
    batch = make_batch([5, 6], frames=True)
    with pytest.raises(CheckpointError, match=r"weights.safetensors: not weights of vit_tiny_patch16_224"):
        small("maskdistill_images", teacher=teacher | {"path": str(tmp_path / "weights.safetensors")})(
            batch, generator(0)
        )
    for name in ("maskdistill_images", "maskdistill_faces"):
        out = small(name, teacher=teacher)(batch, generator(0))
        assert torch.isfinite(out["loss"]) and out["loss"] > 0


class Writes:
    """Pickled, it writes a file where it is read without care."""

    def __init__(self, path) -> None:
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_weights_of_a_teacher_that_hide_a_program_are_refused_and_run_nothing(tmp_path):
    torch.save({"head.weight": Writes(tmp_path / "ran")}, tmp_path / "weights.pth")
    with pytest.raises(CheckpointError, match=r"weights.pth: not weights of vit_tiny_patch16_224"):
        timm_model("vit_tiny_patch16_224", str(tmp_path / "weights.pth"))
    assert not (tmp_path / "ran").exists()
    torch.load(tmp_path / "weights.pth", weights_only=False)
    assert (tmp_path / "ran").exists(), "control: without care it does run"


def test_a_student_s_checkpoint_opens_without_its_teacher_s(tmp_path, images):
    pretext = cross_modal(images)
    assert not [k for k in pretext.state_dict() if k.startswith("teacher.")]
    absent = small("maskdistill_faces", teacher=stored(tmp_path / "gone"))
    absent.backbone()
    with pytest.raises(CheckpointError, match="not a checkpoint's description"):
        absent(make_batch([5], frames=True), generator(0))


def test_a_message_network_cannot_teach_what_no_student_could_predict(tmp_path):
    values = block("attribute_masking")
    network = small("attribute_masking", **values).backbone()
    save_backbone(tmp_path / "messages", network, "attribute_masking", values, SPEC, "d")
    teacher = {"source": "checkpoint", "reads": "faces", "path": str(tmp_path / "messages"), "dim": network.dim}
    with pytest.raises(ValueError, match="messages: not a transformer"):
        small("maskdistill_faces", teacher=teacher)(make_batch([5]), generator(0))


def test_an_incomplete_teacher_is_named():
    values = block("maskdistill_images")
    with pytest.raises(SettingsError, match="a teacher from checkpoint needs path and dim"):
        small("maskdistill_images", teacher=values["teacher"] | {"source": "checkpoint"})
    with pytest.raises(ValueError, match="knows nothing of patches"):
        small("maskdistill_images", teacher={"source": "random", "reads": "faces"})
    assert json.dumps(settings.load().methods["maskdistill_images"]["teacher"])
