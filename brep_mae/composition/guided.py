"""Masked pretraining whose mask learns from labels (MLO-MAE, Guo et al. 2025, arXiv:2402.18128).

Three levels. I: encoder and decoder predict what is hidden, each error weighed by the mask. II: a head on the encoder
learns labels, of four fifths of the labelled training solids. III: the mask learns what brings encoder and head to
fewer errors on the other fifth. All of it happens on the training side; what is pretrained so has read labels.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import ceil

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from brep_mae.checks import SettingsError
from brep_mae.composition.label_heads import LabelHead
from brep_mae.composition.masked import MaskedPretext, Weights
from brep_mae.composition.multilevel import Levels, gradients, hypergradient
from brep_mae.composition.optim import adamw
from brep_mae.composition.pretext import MethodParams
from brep_mae.composition.step import Step
from brep_mae.datasets.batch import Batch
from brep_mae.datasets.derived.files import file_of
from brep_mae.datasets.loader import Samples
from brep_mae.masking.learned import LearnedMask, detached
from brep_mae.masking.mask import Mask
from brep_mae.settings import OptimParams, Share, SizeParams

JUDGES = 0.2
"""Share of the labelled training files that judge the mask."""


class GuidedParams(MethodParams):
    """`mask_hidden` width of the masking network; `unroll` steps of the encoder for one of the head and one of the
    mask; `head_lr`, `mask_lr` rates of these."""

    size: SizeParams
    decoder: SizeParams
    mask_ratio: float = Share
    mask_hidden: PositiveInt
    unroll: PositiveInt
    head_lr: float = Field(gt=0)
    mask_lr: float = Field(gt=0)
    weights: Weights


def judged(data: Samples) -> tuple[Samples, Samples]:
    """Of the labelled samples those that the head learns from, and those that judge the mask. Solids of a file stay
    together, and a file's side follows from the hash of its name. Raises SettingsError where one side stays empty."""
    labelled = [uid for uid, known in zip(data.uids, data.labelled(data.uids), strict=True) if known]
    files = sorted({file_of(uid) for uid in labelled}, key=_place)
    if len(files) < 2:
        raise SettingsError(
            f"params.yaml: methods: a mask that learns from labels needs labels of two training files or more, and "
            f"there are {len(files)}: label some, or take the method without it (mae_faces, mae_images)"
        )
    judges = set(files[: ceil(JUDGES * len(files))])
    learned, judging = ([uid for uid in labelled if (file_of(uid) in judges) == side] for side in (False, True))
    return data.only(learned), data.only(judging)


def _place(file: str) -> bytes:
    return hashlib.sha256(b"judge " + file.encode()).digest()


class GuidedMAE(MaskedPretext):
    """A masked autoencoder whose mask is learned, and the head that judges it.

    Which tokens are hidden, what the mask reads and all batches are one and the same in every evaluation behind one
    step of the mask, and dropout is off, so that differences are those of the weights.
    """

    params: GuidedParams
    mask: LearnedMask
    head: LabelHead
    _sides: tuple[Samples, tuple[Samples, Samples]] | None = None

    @property
    def reads(self) -> frozenset[str]:
        return super().reads | {"faces"}

    @property
    def reads_labels(self) -> bool:
        return True

    def optimizers(self, optim: OptimParams) -> dict[str, torch.optim.Optimizer]:
        parts = {"tokens": self.tokens, "encoder": self.encoder, "decoder": self.decoder, "targets": self.targets}
        flat = optim.model_copy(update={"layer_decay": 1.0})
        return {
            "weights": adamw(nn.ModuleDict(parts), self.params.lr, optim),  # type: ignore[arg-type]
            "head": adamw(self.head, self.params.head_lr, flat),
            "mask": adamw(self.mask, self.params.mask_lr, flat),
        }

    def sides(self, data: Samples) -> tuple[Samples, Samples]:
        """As `judged`, found once for the samples of a training."""
        if self._sides is None or self._sides[0] is not data:
            self._sides = data, judged(data)
        return self._sides[1]

    @torch.no_grad()
    def masks(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What is hidden of a batch, and sigma, which says how much that error counts: of all its faces, or of all
        patches of its frames, in order. (M,) bool, (M,)"""
        with evaluated(self):
            tokens = self.tokens(batch)
            return self.mask(tokens, torch.Generator()).hidden[tokens.valid], self.mask.sigma(tokens)[tokens.valid]

    def label_loss(self, batch: Batch) -> Tensor:
        """The head's, with nothing hidden."""
        loss: Tensor = self.head(self.encoder(self.tokens(batch)), batch)
        return loss

    def train_step(self, step: Step) -> dict[str, float]:
        """As always; every `unroll` steps the head and then the mask move as well. The row of these steps' losses
        is a mean over all steps, in which they count `unroll` times."""
        terms = super().train_step(step)
        unroll = self.params.unroll
        if (step.number + 1) % unroll:
            return terms
        learned, judging = (step.draw(samples) for samples in self.sides(step.data))
        head, mask = list(self.head.parameters()), list(self.mask.parameters())
        finetune = self.label_loss(learned)
        _give(head, gradients(finetune, head))
        step.update("head")
        levels = self.levels(next(step.batches()), learned, judging, step.rng)
        with evaluated(self):
            _give(mask, hypergradient(levels))
            validate = levels.validate()
        step.update("mask")
        return terms | {"finetune": unroll * finetune.item(), "validate": unroll * validate.item()}

    def levels(self, batch: Batch, learned: Batch, judging: Batch, rng: torch.Generator) -> Levels:
        """The three problems on one batch each, to be asked in evaluation mode."""
        state = rng.get_state()

        def again() -> torch.Generator:
            replayed = torch.Generator()
            replayed.set_state(state)
            return replayed

        with torch.no_grad():
            tokens = detached(self.tokens(self.views(batch, again())[0]))
            hidden = self.mask(tokens, again()).hidden

        def pretrain() -> Tensor:
            return self.losses(self.run(batch, again(), Mask(hidden, self.mask.sigma(tokens))))["loss"]

        return Levels(
            pretrain=pretrain,
            finetune=lambda: self.label_loss(learned),
            validate=lambda: self.label_loss(judging),
            weights=[*self.tokens.parameters(), *self.encoder.parameters()],
            head=list(self.head.parameters()),
            mask=list(self.mask.parameters()),
        )


@contextmanager
def evaluated(module: nn.Module) -> Iterator[None]:
    """The module in evaluation mode."""
    training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(training)


def _give(weights: Sequence[Tensor], gradient: Sequence[Tensor]) -> None:
    for weight, of in zip(weights, gradient, strict=True):
        weight.grad = of
