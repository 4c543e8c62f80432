"""MixMask: contrast an image with its key, and a mixture with the keys of both images it is made of.

Vishniakov, Xing, Shen 2024, arXiv:2210.11456, on MoCo v2 (arXiv:2003.04297). Not a recipe of the composed forward:
nothing is hidden and nothing is predicted. Differs from the paper: group instead of batch normalisation; AdamW, as all
methods here; no blur, as is usual for small images; without Un-Mix. A render is filled with another solid's only.
"""

import copy
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor
from torch.nn import functional as F

from brep_mae import ranks
from brep_mae.composition.pretext import DataSpec, MethodParams, Pretext
from brep_mae.composition.teacher import follow
from brep_mae.datasets.batch import Batch
from brep_mae.datasets.transforms import jitter_colors, random_resized_crop
from brep_mae.masking.filling import fill, filling_mask, over_pixels, partners
from brep_mae.models.convnet import ConvBackbone, ConvParams
from brep_mae.models.projector import Projector
from brep_mae.settings import Share


class Params(MethodParams):
    """`own_share` of an image's cells that stay its own; `queue` keys of earlier batches; `crop` least share of an
    image's area in a view; `jitter` of its colours; `images` folder or archive of natural images to train on in the
    place of the frames."""

    network: ConvParams
    code: PositiveInt
    mask: Literal["block", "discrete"]
    grid: PositiveInt
    own_share: float = Share
    queue: PositiveInt
    momentum: float = Field(ge=0, le=1)
    temperature: float = Field(gt=0)
    crop: float = Field(gt=0, le=1)
    jitter: float = Field(ge=0, le=1)
    images: str = ""


@dataclass(frozen=True)
class Views:
    """N = solids x frames images: query, mixed, key (N, 3, H, W); own (H, W) True = the mixture shows the image itself;
    partner (N,) whose content it shows elsewhere, among the images of all parts of the batch (see `ranks`)."""

    query: Tensor
    mixed: Tensor
    key: Tensor
    own: Tensor
    partner: Tensor


def info_nce(query: Tensor, key: Tensor, queue: Tensor, temperature: float) -> Tensor:
    """Cross-entropy of finding each query's key among the queue's, what this part of the batch adds to the mean.
    (N, D), (N, D), (K, D) -> scalar"""
    logits = torch.cat([(query * key).sum(1, keepdim=True), query @ queue.T], 1) / temperature
    return F.cross_entropy(logits, torch.zeros(len(query), dtype=torch.long, device=query.device)) / ranks.parts()


def mix_loss(
    query: Tensor, mixed: Tensor, key: Tensor, queue: Tensor, partner: Tensor, own: float, temperature: float
) -> dict[str, Tensor]:
    """The three terms of the loss, weights included.

    Args:
        query, mixed: codes (N, D) of the images and of the mixtures.
        key: codes (parts x N, D) by the momentum encoder, of the images of all parts of the batch.
        partner: (N,) rows of a permutation; mixture i shows image i and image partner[i].
        own: share of a mixture that is the image's own.

    Every key meets the mixture that it fills, in the order of the keys.
    """
    clean, order = ranks.part(key), partner.argsort()
    return {
        "contrast.clean": info_nce(query, clean, queue, temperature),
        "contrast.own": own * info_nce(mixed, clean, queue, temperature),
        "contrast.filler": (1 - own) * info_nce(mixed[order], key[partner[order]], queue, temperature),
    }


class MixMask(Pretext):
    """The query network, its momentum copy and the queue of the copy's keys; all of them are in the state.

    A training step's keys enter the queue, and the copy follows, once the weights have moved; evaluation moves neither.
    """

    def __init__(self, params: Params) -> None:
        super().__init__()
        self.params: Params = params
        self.network = ConvBackbone(params.network)
        self.projector = Projector(self.network.dim, params.code)
        self.key_network = copy.deepcopy(self.network).requires_grad_(False)
        self.key_projector = copy.deepcopy(self.projector).requires_grad_(False)
        self.queue: Tensor
        self.next_row: Tensor
        self.register_buffer("queue", F.normalize(torch.randn(params.queue, params.code), dim=1))
        self.register_buffer("next_row", torch.zeros((), dtype=torch.long))
        self._fresh: list[Tensor] = []

    @property
    def reads(self) -> frozenset[str]:
        return frozenset({"frames"})

    @property
    def parallel(self) -> bool:
        return True

    def views(self, batch: Batch, rng: torch.Generator) -> Views:
        if batch.frames is None:
            raise ValueError("mixmask needs a batch with frames")
        solids, frames, _, height, width = batch.frames.image.shape
        images = batch.frames.image.flatten(0, 1)
        query, key = (self._augmented(images, rng) for _ in range(2))
        p, partner = self.params, ranks.part(partners(solids * ranks.parts(), frames)).to(images.device)
        own = over_pixels(filling_mask(p.mask, p.grid, p.own_share, rng), height, width).to(images.device)
        return Views(query, fill(query, own, partner), key, own, partner)

    def _augmented(self, images: Tensor, rng: torch.Generator) -> Tensor:
        cropped = random_resized_crop(images, self.params.crop, rng, flip=True)
        return jitter_colors(cropped, self.params.jitter, rng)

    def forward(self, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        seen = self.views(batch, rng)
        codes = self.projector(self.network.cells(torch.cat([seen.query, seen.mixed])).mean(1))
        query, mixed = codes.chunk(2)
        with torch.no_grad():
            key = ranks.joined_rows(self.key_projector(self.key_network.cells(seen.key).mean(1)))
        if self.training:
            self._fresh.append(key)
        own = float(seen.own.float().mean())
        terms = mix_loss(query, mixed, key, self.queue, seen.partner, own, self.params.temperature)
        parts = {name: term.detach() for name, term in terms.items()}
        share = torch.tensor(own / ranks.parts())
        return {"loss": torch.stack(list(terms.values())).sum(), "own_share": share, **parts}

    def begin_step(self, step: int, rng: torch.Generator) -> bool:
        self._fresh.clear()
        return False

    @torch.no_grad()
    def after_step(self, step: int) -> None:
        keys = torch.cat(self._fresh)[-len(self.queue) :]
        self._fresh.clear()
        rows = (self.next_row + torch.arange(len(keys), device=keys.device)) % len(self.queue)
        self.queue[rows] = keys.to(self.queue)
        self.next_row.copy_((self.next_row + len(keys)) % len(self.queue))
        follow(self.key_network, self.network, self.params.momentum)
        follow(self.key_projector, self.projector, self.params.momentum)

    def backbone(self) -> ConvBackbone:
        return self.network


def build(p: Params, spec: DataSpec) -> MixMask:
    return MixMask(p)
