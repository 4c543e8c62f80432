"""What every pretext method keeps to, whatever it does; a new method file is tested without editing this one."""

from dataclasses import replace

import pytest
import torch

from brep_mae import settings
from brep_mae.checks import SettingsError
from brep_mae.composition.pretext import DataSpec, Pretext, build
from brep_mae.datasets.batch import Batch
from brep_mae.datasets.content import FACES, kinds
from brep_mae.models.embed import readable
from brep_mae.plugins import METHODS, known
from brep_mae.seeds import generator
from tests.synthetic import GRID, make_batch

SPEC = DataSpec(grid=GRID, frame=16, face_classes=3, part_classes=2)
SIZES = [6, 9, 3, 12, 2, 7]
UNMASKED = {
    "mixmask": "what it shows of an image is a view of it",
    "supervised": "it learns labels",
    "hybrid_pure": "the encoder reads parameters and the target asks for samples, which no encoder input holds",
}
"""Methods that hide nothing from an encoder, and why: no mask to see through, no ratio, no solid too small for one."""

UNDRAWN = ("supervised", "hybrid_pure", "mlo_mae_faces", "mlo_mae_images")
"""Methods that draw nothing: they hide nothing, or learn what to hide."""

READS = {"faces": "faces", "images": "frames"}
"""What a teacher of that name reads."""


def block(name: str) -> dict:
    """A method's own numbers, with teachers that need no file."""
    values = dict(settings.load().methods[name])
    if "teacher" in values:
        values["teacher"] = {"source": "random", "reads": "faces" if name.endswith("_faces") else "frames"}
    if "teachers" in values:
        values["teachers"] = {key: {"source": "random", "reads": READS[key]} for key in values["teachers"]}
    return values


def small(name: str, **changed) -> Pretext:
    tiny = {"dim": 32, "depth": 2, "heads": 2}
    values = block(name)
    values |= {k: v for k, v in {"size": tiny, "decoder": tiny, "patch": 4}.items() if k in values}
    return build(name, values | changed, SPEC)


def batch_for(name: str, seed: int = 0):
    return make_batch(SIZES, seed, frames="frames" in small(name).reads)


@pytest.fixture(params=known(METHODS))
def name(request) -> str:
    return request.param


@pytest.fixture(params=[n for n in known(METHODS) if n not in UNMASKED])
def masked(request) -> str:
    """Methods that hide tokens from an encoder."""
    return request.param


def test_every_method_file_has_a_block_in_params(name):
    assert name in settings.load().methods


def test_builds_at_full_size_and_counts_its_loss_as_the_weighted_sum_of_its_parts(name):
    pretext = build(name, block(name), SPEC)
    out = pretext(batch_for(name), generator(0))
    total = sum(getattr(pretext, "weights", {}).get(k, 1.0) * v for k, v in out.items() if "." in k)
    assert torch.isclose(out["loss"], total, atol=1e-6)


@pytest.mark.parametrize("weighted", [n for n in known(METHODS) if "weights" in settings.load().methods[n]])
def test_terms_are_those_that_weights_may_name(weighted):
    pretext = small(weighted)
    terms = {f"{name}.{term}" for name, target in pretext.targets.items() for term in target.terms}
    assert {key for key in pretext(batch_for(weighted), generator(0)) if "." in key} == terms


@pytest.mark.parametrize("predicting", [n for n in known(METHODS) if n != "mixmask"])
def test_loss_falls_on_a_few_samples(predicting):
    """MixMask predicts nothing: its loss contrasts views that change with every step."""
    pretext, batch = small(predicting), batch_for(predicting)
    optimizer = torch.optim.AdamW(pretext.parameters(), 3e-3)
    losses = []
    for _ in range(60):
        loss = pretext(batch, generator(0))["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.75 * losses[0]


def test_same_generator_same_loss_and_another_generator_another_mask(name):
    pretext, batch = small(name).eval(), batch_for(name)
    first, again, other = (pretext(batch, generator(s))["loss"] for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert torch.equal(first, other) == (name in UNDRAWN)


def test_padding_is_inert(name):
    """A solid's features do not depend on how many faces its neighbours in the batch have."""
    pretext = small(name).eval()
    backbone = pretext.backbone()
    beside = make_batch([6, 30], frames=True)
    first = replace(beside.frames, image=beside.frames.image[:1], face=beside.frames.face[:1])
    alone = replace(make_batch([6]), frames=first)
    with torch.no_grad():
        a, b = backbone(alone), backbone(beside)
    if "faces" in kinds(backbone.reads):
        assert torch.allclose(a.face, b.face[:6], atol=1e-5)
        assert torch.allclose(a.solid, b.solid[:1], atol=1e-5)
    assert len(b.face) == 36


def test_pictures_have_a_row_per_predicted_row_of_content(name):
    pretext, batch = small(name).eval(), batch_for(name)
    for target, picture in pretext.pictures(batch, generator(0)).items():
        assert picture.kind == pretext.targets[target].kind
        for rows in picture.predicted.values():
            assert len(rows) == int(picture.chosen.sum()) > 0
            assert torch.isfinite(rows).all()


def test_a_solid_of_one_face_is_skipped_and_counted_never_a_nan(masked):
    """Nothing of it can be hidden, alone or beside others; a sample of patches is not concerned."""
    for sizes in ([1], [1, 1], [1, 5]):
        pretext = small(masked)
        batch = make_batch(sizes, frames="frames" in pretext.reads)
        out = pretext(batch, generator(0))
        out["loss"].backward()
        assert all(torch.isfinite(v).all() for v in out.values())
        assert all(torch.isfinite(p.grad).all() for p in pretext.parameters() if p.grad is not None)
        if kinds(pretext.backbone().reads) == {"faces"}:
            assert out["skipped"] == sizes.count(1)
            if set(sizes) == {1} and not any(t.class_token for t in pretext.targets.values()):
                assert out["loss"] == 0


@pytest.mark.parametrize("of_images", [n for n in known(METHODS) if "patch" in settings.load().methods[n]])
def test_frames_smaller_than_a_patch_are_refused(of_images):
    with pytest.raises(ValueError, match="frames of 8 pixels do not divide into patches of 16"):
        build(of_images, block(of_images) | {"patch": 16}, DataSpec(GRID, 8))


def test_a_batch_that_holds_nothing_of_what_a_method_reads_is_refused(name):
    with pytest.raises(ValueError, match="needs a batch with"):
        small(name)(Batch(("a",)), generator(0))


def test_content_that_was_not_read_is_named_by_an_error_and_all_that_is_needed_is_asked_for(name):
    pretext = small(name).eval()
    reads, frames = pretext.reads, "frames" in pretext.reads
    asked, everything = (pretext(make_batch(SIZES, 0, frames, r), generator(0)) for r in (reads, FACES))
    assert all(torch.equal(asked[key], everything[key]) for key in everything)
    for content in reads - {"faces", "frames"}:
        with pytest.raises(ValueError, match=f"needs a batch with .*{content}"):
            pretext(make_batch(SIZES, 0, frames, reads - {content}), generator(0))


def test_a_backbone_answers_a_batch_of_the_content_that_it_asks_for(name):
    backbone = small(name).backbone().eval()
    frames = "frames" in backbone.reads
    with torch.no_grad():
        asked, everything = (backbone(make_batch(SIZES, 0, frames, r)) for r in (readable(backbone), FACES))
    assert torch.equal(asked.face, everything.face) and torch.equal(asked.solid, everything.solid)


@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_a_ratio_that_hides_nothing_or_leaves_nothing_is_refused(masked, ratio):
    key = "mask_ratios" if "mask_ratios" in block(masked) else "mask_ratio"
    value = dict.fromkeys(block(masked)[key], ratio) if key == "mask_ratios" else ratio
    with pytest.raises(SettingsError, match=f"{key}.* must be (more than 0|less than 1), not {ratio}"):
        small(masked, **{key: value})


def test_an_unknown_method_and_a_wrong_key_are_named():
    with pytest.raises(SettingsError, match=r"no method nope; known are .*mae_faces"):
        build("nope", {}, SPEC)
    values = dict(settings.load().methods["mae_faces"]) | {"mask_ration": 0.5}
    with pytest.raises(SettingsError, match="unknown key mask_ration; did you mean mask_ratio"):
        build("mae_faces", values, SPEC)
