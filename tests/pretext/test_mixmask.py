"""MixMask's acceptance checks, by their numbers (Vishniakov et al. 2024, arXiv:2210.11456)."""

import copy

import pytest
import torch
from torch.nn import functional as F

from brep_mae.datasets.batch import Batch, Frames
from brep_mae.masking.filling import fill, filling_mask, over_pixels, partners
from brep_mae.pretext.mixmask import MixMask, Params, info_nce, mix_loss
from brep_mae.seeds import generator
from brep_mae.settings import PretrainParams, load
from brep_mae.training.loop import train
from tests.stored import solids, store
from tests.synthetic import make_batch, make_frames

SMALL = {"channels": [8, 8, 16, 16], "layers": [1, 1, 1, 1], "bottleneck": False, "stride": 8}
TEMPERATURE = 0.2
KEYS = ("contrast.clean", "contrast.own", "contrast.filler")


def small(**changes: object) -> MixMask:
    torch.manual_seed(0)
    values = load().methods["mixmask"] | {"network": SMALL, "code": 8, "queue": 20, "grid": 4} | changes
    return MixMask(Params(**values))


def total(terms: dict[str, torch.Tensor], but: str = "") -> torch.Tensor:
    return sum(value for name, value in terms.items() if name != but)


def oracle(own: torch.Tensor, partner: torch.Tensor) -> torch.Tensor:
    """Embeds a mixture as the share of it that shows each image: (N, N)."""
    n, share = len(partner), own.float().mean()
    shown = share * torch.eye(n) + (1 - share) * torch.eye(n)[partner]
    return F.normalize(shown, dim=1)


def oracle_terms(own: torch.Tensor, partner: torch.Tensor, queue: torch.Tensor) -> dict[str, torch.Tensor]:
    key = torch.eye(len(partner))
    mixed, share = oracle(own, partner), float(own.float().mean())
    return mix_loss(key, mixed, key, queue, partner, share, TEMPERATURE)


@pytest.fixture
def queue() -> torch.Tensor:
    return F.normalize(torch.randn(11, 6, generator=generator(5)), dim=1)


@pytest.mark.parametrize("kind", ["block", "discrete"])
def test_check_1_a_mixture_is_its_own_where_the_mask_is_and_its_partners_elsewhere(kind):
    pretext, batch = small(mask=kind), make_batch([4, 5, 6, 7], frames=True)
    out = pretext(batch, generator(1))
    seen = pretext.views(batch, generator(1))
    flipped = seen.query.flip(0)
    own = seen.own.expand_as(seen.query)
    assert torch.equal(seen.mixed[own], seen.query[own])
    assert torch.equal(seen.mixed[~own], flipped[~own])
    assert 0 < float(out["own_share"]) < 1
    assert float(out["own_share"]) == float(seen.own.float().mean())


@pytest.mark.parametrize("kind", ["block", "discrete"])
@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_check_1_both_kinds_of_mask_honour_the_requested_share_of_the_own_image(kind, share):
    rng = generator(2)
    masks = torch.stack([filling_mask(kind, 8, share, rng) for _ in range(200)]).float()
    assert abs(float(masks.mean()) - share) < 0.02
    assert len(masks.unique(dim=0)) > 190
    if kind == "block":
        assert (masks.mean((1, 2)) == share).all()


def test_check_1_share_counts_pixels_where_cells_do_not_divide_the_image():
    mask = torch.tensor([[True, False], [False, False]])
    assert int(over_pixels(mask, 5, 5).sum()) == 9


def test_check_2_the_three_terms_match_a_computation_by_hand(queue):
    own, partner = torch.tensor([[True, True], [True, False]]), partners(6, 1)
    terms = oracle_terms(own, partner, queue)
    mixed = oracle(own, partner)

    def by_hand(query: torch.Tensor, image: int) -> torch.Tensor:
        scores = torch.cat([query[image : image + 1], queue @ query]) / TEMPERATURE
        return scores.logsumexp(0) - scores[0]

    clean = torch.stack([by_hand(torch.eye(6)[i], i) for i in range(6)]).mean()
    to_own = torch.stack([by_hand(mixed[i], i) for i in range(6)]).mean()
    to_filler = torch.stack([by_hand(mixed[i], 5 - i) for i in range(6)]).mean()
    expected = (clean, 0.75 * to_own, 0.25 * to_filler)
    assert all(torch.isclose(terms[k], v) for k, v in zip(KEYS, expected, strict=True))
    assert terms["contrast.own"] < 0.75 * to_filler  # the share tells which image is which


def inverted(queue: torch.Tensor, but: str = "") -> tuple[torch.Tensor, torch.Tensor]:
    own, partner = torch.tensor([[True, True], [True, False]]), partners(6, 1)
    return total(oracle_terms(own, partner, queue), but), total(oracle_terms(~own, partner, queue), but)


def test_check_2_the_inverted_mask_gives_the_same_loss(queue):
    assert torch.isclose(*inverted(queue), rtol=1e-6)


def test_check_5_control_without_the_third_term_check_2_fails(queue):
    assert not torch.isclose(*inverted(queue, but="contrast.filler"), rtol=1e-2)


@pytest.mark.parametrize("everywhere, term", [(True, "contrast.own"), (False, "contrast.filler")])
def test_check_3_a_mask_of_ones_or_zeros_doubles_the_plain_loss(everywhere, term, monkeypatch):
    pretext, batch = small(), make_batch([4, 5, 6, 7], frames=True)
    mask = torch.full((4, 4), everywhere)
    monkeypatch.setattr("brep_mae.pretext.mixmask.filling_mask", lambda *_: mask)
    out = pretext(batch, generator(0))
    assert torch.isclose(out["loss"], 2 * out["contrast.clean"], rtol=1e-5)
    assert torch.isclose(out[term], out["contrast.clean"], rtol=1e-5)


def test_check_3_control_without_undoing_the_partners_the_third_term_is_another():
    pretext, batch = small(), make_batch([4, 5, 6, 7], frames=True)
    seen = pretext.views(batch, generator(0))
    mixed = fill(seen.query, torch.zeros_like(seen.own), seen.partner)
    code, key = (pretext.projector(pretext.network.cells(x).mean(1)) for x in (mixed, seen.key))
    undone, left = (info_nce(q, key, pretext.queue, 0.2) for q in (code[seen.partner.argsort()], code))
    assert not torch.isclose(undone, left, rtol=1e-4)


def stepped(pretext: MixMask, batch: Batch, step: int = 0) -> None:
    optimizer = torch.optim.SGD([p for p in pretext.parameters() if p.requires_grad], 0.1)
    pretext.begin_step(step, generator(step))
    pretext(batch, generator(0, step))["loss"].backward()
    optimizer.step()
    pretext.after_step(step)


def test_check_4_queue_rows_are_the_momentum_networks_codes_of_the_clean_keys():
    pretext, batch = small(), make_batch([4, 5, 6], frames=True)
    before = copy.deepcopy(pretext)
    stepped(pretext, batch)
    clean = before.views(batch, generator(0, 0)).key
    expected = before.key_projector(before.key_network.cells(clean).mean(1))
    assert torch.equal(pretext.queue[:6], expected)
    assert torch.equal(pretext.queue[6:], before.queue[6:])
    for step in range(1, 4):
        stepped(pretext, batch, step)
    assert int(pretext.next_row) == 4 * 6 - 20  # the oldest rows are overwritten first
    assert not torch.equal(pretext.queue[:4], expected[:4]) and torch.equal(pretext.queue[4:6], expected[4:6])


def test_check_4_momentum_update_is_exact_and_the_copy_gets_no_gradient():
    pretext, batch = small(momentum=0.9), make_batch([4, 5, 6], frames=True)
    before = copy.deepcopy(pretext)
    stepped(pretext, batch)
    moved = 0
    pairs = (("network", "key_network"), ("projector", "key_projector"))
    for student, teacher in pairs:
        old, new = dict(getattr(before, teacher).named_parameters()), dict(getattr(pretext, teacher).named_parameters())
        for name, weight in getattr(pretext, student).named_parameters():
            assert new[name].grad is None
            assert torch.allclose(new[name], 0.9 * old[name] + 0.1 * weight, atol=1e-7)
            moved += not torch.equal(new[name], old[name])
    assert moved > 10


def test_check_4_evaluation_changes_neither_queue_nor_copy():
    pretext, batch = small().eval(), make_batch([4, 5], frames=True)
    before = copy.deepcopy(pretext.state_dict())
    pretext(batch, generator(0))
    assert not pretext._fresh
    assert all(torch.equal(before[k], v) for k, v in pretext.state_dict().items())


@pytest.mark.parametrize("samples", [2, 3, 4, 5, 8, 9])
@pytest.mark.parametrize("frames", [1, 2, 3])
def test_check_5_no_image_is_filled_with_its_own_solid_and_the_inverse_undoes_the_permutation(samples, frames):
    partner = partners(samples, frames)
    rows = torch.arange(samples * frames)
    assert torch.equal(partner[partner.argsort()], rows)
    assert torch.equal(partner.sort().values, rows)
    assert (partner // frames != rows // frames).all()


def test_a_lone_solid_has_no_partner_but_itself_and_a_finite_loss():
    out = small()(make_batch([4], frames=True), generator(0))
    assert all(torch.isfinite(v) for v in out.values())


def test_the_paper_s_network_builds():
    r50 = {"channels": [64, 128, 256, 512], "layers": [3, 4, 6, 3], "bottleneck": True, "stride": 32}
    assert small(network=r50).backbone().dim == 2048


def test_backbone_answers_for_faces_and_for_images_without_faces():
    backbone = small().backbone()
    batch = make_batch([4, 5], frames=True)
    assert backbone(batch).face.shape == (9, 16)
    natural = Batch(("a",), None, Frames(batch.frames.image[:1, :1], torch.full((1, 1, 1, 1), -1)))
    out = backbone(natural)
    assert out.solid.shape == (1, 16) and out.face.shape == (0, 16)


def test_training_that_is_cut_off_and_resumed_equals_one_that_is_not(tmp_path):
    """Momentum network, queue and its place are in the state: every weight and row is bitwise the same."""
    uids = store(tmp_path, 8)
    data, heldout = solids(tmp_path, uids[:6], "frames"), solids(tmp_path, uids[6:], "frames")
    params = PretrainParams(seed=0, log_every=2, checkpoint_every=2, weight_decay=0.05, clip_norm=1.0, warmup=0.1)
    device = torch.device("cpu")

    class CutOff(Exception):
        pass

    def run(pretext: MixMask, folder: str, cut: int = 0) -> MixMask:
        def report(row: dict) -> None:
            if cut and row["step"] > cut:
                raise CutOff

        train(pretext, data, heldout, params, tmp_path / folder / "state.pt", report, device)
        return pretext

    whole = run(small(steps=6, batch=3), "whole")
    with pytest.raises(CutOff):
        run(small(steps=6, batch=3), "cut", cut=2)
    again = small(steps=6, batch=3)
    again.queue.zero_()  # whatever the fresh one holds, the state replaces
    resumed = run(again, "cut").state_dict()
    assert all(torch.equal(value, resumed[name]) for name, value in whole.state_dict().items())
    assert int(resumed["next_row"]) == 6 * 6 % 20


def test_views_differ_between_images_and_stay_images():
    frames = make_frames([5] * 4)
    pretext = small()
    seen = pretext.views(Batch(("",) * 4, None, frames), generator(0))
    assert seen.query.min() >= 0 and seen.query.max() <= 1
    assert not torch.allclose(seen.query, seen.key, atol=1e-2)
