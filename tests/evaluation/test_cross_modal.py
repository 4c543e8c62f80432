"""M3AE's acceptance check 5 (Geng et al. 2022, arXiv:2205.14204): the right render helps to predict hidden faces, and
the right faces help to predict hidden patches. Run the proof itself with `pytest -m slow tests/training`."""

import os
from collections.abc import Sequence

import pytest
import torch

from brep_mae import settings
from brep_mae.composition.pretext import DataSpec, build
from brep_mae.datasets.batch import Batch, Frames, collate
from brep_mae.datasets.loader import Samples, Solids
from brep_mae.datasets.source import open_source
from brep_mae.datasets.splits import read_split
from brep_mae.evaluation.cross_modal import cross_modal_gain, paired_losses, solid_losses
from brep_mae.pretext.m3ae import JointMAE
from brep_mae.seeds import generator
from brep_mae.training.loop import train
from tests.synthetic import GRID, make_batch

TINY = {"dim": 32, "depth": 2, "heads": 2}
N_FACES = [6, 9, 1, 12, 2, 7, 8, 5, 4, 10]


class Synthetic(Samples):
    """Solids of different numbers of faces; one has a single face."""

    def __init__(self, n: int = len(N_FACES)) -> None:
        self.uids = tuple(map(str, range(n)))

    def batch(self, uids: Sequence[str]) -> Batch:
        solids = [make_batch([N_FACES[int(uid)]], seed=int(uid), frames=True) for uid in uids]
        image, face = (torch.cat([getattr(s.frames, name) for s in solids]) for name in ("image", "face"))
        return Batch(tuple(uids), collate([s.faces for s in solids]), Frames(image, face))


def matcher(batch: Batch, rng: torch.Generator) -> dict[str, torch.Tensor]:
    """A model that has learned all there is: it sees whether faces and frame of a solid belong together."""
    sizes = torch.bincount(batch.faces.solid).tolist()
    images = [make_batch([n], seed=N_FACES.index(n), frames=True).frames.image[0] for n in sizes]
    match = torch.tensor([torch.equal(a, b) for a, b in zip(images, batch.frames.image, strict=True)])
    error = 1 - 0.5 * match.float() + 0.1 * torch.rand(len(match), generator=rng)
    return {"uvgrid": error, "pixels": 2 * error}


def test_a_model_that_matches_faces_and_frames_is_told_from_one_that_does_not():
    gains = paired_losses(matcher, Synthetic(), 0, "uvgrid", "pixels", draws=2, size=4)
    for kind, solids, difference in (("faces", len(N_FACES) - 1, 0.5), ("frames", len(N_FACES), 1.0)):
        gain = gains[kind]
        assert gain.p < 1e-6
        assert len(gain.own) == solids, "no face of a solid of one face is predicted"
        assert abs(gain.other - gain.own - difference).max() < 1e-6
        assert gain.summary(kind)[f"{kind}.gain"] > 0.3


def tiny() -> JointMAE:
    torch.manual_seed(0)
    values = settings.load().methods["m3ae"] | {"size": TINY, "decoder": TINY, "patch": 4}
    return build("m3ae", values, DataSpec(GRID, 16))


def test_losses_of_solids_average_to_the_losses_of_training():
    model, batch = tiny().eval(), Synthetic(6).batch(["0", "1", "3", "4"])
    with torch.no_grad():
        by_solid, terms = solid_losses(model)(batch, generator(5)), model(batch, generator(5))
    for name, losses in by_solid.items():
        expected = sum(model.weights[k] * v for k, v in terms.items() if k.startswith(f"{name}."))
        assert torch.isclose(losses.mean(), expected, rtol=1e-5)


def test_control_without_attention_a_strange_partner_makes_no_difference_at_all():
    """Frame, masks and weights of both losses of a pair are the same, so that only the other kind's content differs."""
    model = tiny()
    for stack in (model.encoder.stack, model.decoder.stack):
        for block in stack.blocks:
            block.attn.forward = lambda x, attn_mask=None, **_: torch.zeros_like(x)
    for gain in cross_modal_gain(model, Synthetic(), 0, "uvgrid", "pixels", draws=1).values():
        assert abs(gain.own - gain.other).max() < 1e-6
        assert gain.own.min() > 0


def test_control_an_untrained_model_has_no_gain():
    for gain in cross_modal_gain(tiny(), Synthetic(), 0, "uvgrid", "pixels").values():
        assert gain.p > 0.01
        assert (gain.own != gain.other).any()


def test_same_seed_same_numbers_and_the_model_is_left_as_it_was():
    model = tiny().train()
    first, again = (cross_modal_gain(model, Synthetic(5), 3, "uvgrid", "pixels", draws=1) for _ in range(2))
    other = cross_modal_gain(model, Synthetic(5), 4, "uvgrid", "pixels", draws=1)
    assert first["faces"].summary("faces") == again["faces"].summary("faces") != other["faces"].summary("faces")
    assert model.training


def test_too_few_solids_are_refused():
    for n, message in ((0, "0 held-out"), (2, "2 held-out"), (3, "2 held-out solids of several faces")):
        with pytest.raises(ValueError, match=message):
            cross_modal_gain(tiny(), Synthetic(n), 0, "uvgrid", "pixels")


@pytest.mark.slow
def test_check_5_after_training_the_own_render_and_the_own_faces_help_on_solids_never_seen(tmp_path):
    """Trains the default block on 800 generated solids, about five minutes on two cores."""
    from brep_mae.brep.render.pool import RenderOptions
    from brep_mae.datasets.shards import open_shards
    from brep_mae.generate.generate import generate
    from brep_mae.ingest.dataset import parse_dataset
    from pipelines.render import render_dataset

    params, workers = settings.load(), os.cpu_count() or 1
    generate(tmp_path / "source", "machined", 800, 0, workers)
    source = open_source("generated", str(tmp_path / "source"), 0, tmp_path / "work")
    parsed, frames = tmp_path / "parsed", tmp_path / "frames"
    parse_dataset(source, parsed, params.parse, params.split, workers, tmp_path / "work")
    options = RenderOptions(
        params.render.views, params.render.size, params.parse.deadline_s, params.parse.memory_mb, False
    )
    render_dataset(source.root, open_shards(parsed), frames, options, workers, tmp_path / "work")

    sides = read_split(parsed / "split.parquet")
    torch.manual_seed(0)
    model = build("m3ae", params.methods["m3ae"], DataSpec(params.parse.grid, params.render.size))
    data = {side: Solids(parsed, frames, uids, model.reads) for side, uids in sides.items()}
    device = torch.device("cpu")
    train(model, data["train"], data["validation"], params.pretrain, tmp_path / "state.pt", lambda row: None, device)
    gains = cross_modal_gain(model, data["test"], 0, "uvgrid", "pixels")
    assert gains["faces"].p < 0.01, gains["faces"].summary("faces")
    assert gains["frames"].p < 0.01, gains["frames"].summary("frames")
