"""Spatiotemporal MAE on turntables: one mask budget over all (view, patch) places of a solid's frames.

Feichtenhofer et al. 2022, arXiv:2205.09113. As in the paper and its code: 90 % hidden, drawn without structure;
separable learnable positions in encoder and decoder; the encoder's class token is dropped and the decoder has its own;
one frame per tubelet is predicted, as standardised pixels; `repeat_aug` clips a loaded sample, which neither the
learning rate nor the number of steps counts (see `effective_epochs`).

Differs from the paper: time is the angle of a turntable, whose views look from above and from below in turn. They lie
15 to 90 degrees apart and are no near-duplicates, so a tubelet is one frame; a turn has no first view, so every clip
starts at a random one, and a view's number says how far it was turned, not its height, which every seen patch shows.
No random crops or flips: a flip would turn the solid into its mirror image, rotating the other way. The paper's recipe
(ViT-L, decoder of 4 blocks and width 512, clip of gradients at 0.02, 1.6e-3 per 256 clips, AdamW 0.9/0.95) shares its
budget here with the other methods.
"""

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from brep_mae import ranks
from brep_mae.composition.masked import ForwardPass, MaskedPretext, Weights
from brep_mae.composition.pretext import DataSpec, MethodParams
from brep_mae.datasets.batch import Batch, Frames
from brep_mae.masking.clip import Sampler, clip_mask
from brep_mae.models.joint_decoder import OwnClassDecoder
from brep_mae.models.transformer import TransformerEncoder
from brep_mae.settings import Share, SizeParams
from brep_mae.targets.pixels import Pixels
from brep_mae.tokens.tubelets import SeparablePosition, TubeletTokens


class Params(MethodParams):
    """`views` is the most frames of a clip, `t_patch` the frames of a tubelet, `repeat_aug` the clips made of a solid
    in one step; `sampler` other than "agnostic" is for ablation."""

    size: SizeParams
    decoder: SizeParams
    mask_ratio: float = Share
    sampler: Sampler
    patch: PositiveInt
    views: PositiveInt
    t_patch: int = Field(ge=1, le=2)
    repeat_aug: PositiveInt
    standardise: bool
    weights: Weights


def effective_epochs(p: Params, solids: int) -> float:
    """How often a training of `p` sees every one of `solids`: repeats count here, though not in the learning rate."""
    return p.steps * min(p.batch, solids) * p.repeat_aug / solids


def target_frames(frames: int, t_patch: int) -> Tensor:
    """Number of the frame that each tubelet predicts, spread over the clip as in the paper's code: 0, ..., last."""
    return torch.linspace(0, frames - 1, frames // t_patch).floor().long()


def of_frames(batch: Batch, frames: Frames) -> Batch:
    """A batch of frames alone."""
    return Batch(tuple(batch.uid[i % len(batch.uid)] for i in range(len(frames.image))), None, frames)


class TurntableMAE(MaskedPretext):
    """MAE over clips whose first view is drawn anew for every clip."""

    params: Params

    @property
    def turns(self) -> int:
        return self.params.repeat_aug

    def losses(self, forward_pass: ForwardPass) -> dict[str, Tensor]:
        """As MaskedPretext, with the number of clips that were made of the batch."""
        clips = torch.tensor(float(len(forward_pass.seen.uid)))
        return super().losses(forward_pass) | {"clips": clips}

    def views(self, batch: Batch, rng: torch.Generator) -> tuple[Batch, Batch]:
        """`repeat_aug` clips of every solid, each rolled to a random start; truth: the frames that are predicted."""
        assert batch.frames is not None
        solids, frames = batch.frames.image.shape[:2]
        clips = torch.arange(solids).repeat(self.turns)
        start = torch.randint(frames, (len(clips) * ranks.parts(), 1), generator=rng)
        start = start[ranks.rows(len(clips), self.turns)]
        turn = (start + torch.arange(frames)) % frames
        rolled = Frames(batch.frames.image[clips[:, None], turn], batch.frames.face[clips[:, None], turn])
        seen = of_frames(batch, rolled)
        return seen, self.truth(seen)

    def figure_views(self, batch: Batch) -> tuple[Batch, Batch]:
        """The turntable as it stands; truth: the frames that are predicted."""
        return batch, self.truth(batch)

    def truth(self, batch: Batch) -> Batch:
        """The frames that are predicted, one per tubelet."""
        assert batch.frames is not None
        if self.params.t_patch == 1:
            return batch
        chosen = target_frames(batch.frames.image.shape[1], self.params.t_patch)
        return of_frames(batch, Frames(batch.frames.image[:, chosen], batch.frames.face[:, chosen]))


def build(p: Params, spec: DataSpec) -> MaskedPretext:
    tokens = TubeletTokens(spec.frame, p.patch, p.t_patch, p.views, p.size.dim)
    position = SeparablePosition(p.views // p.t_patch, tokens.patches, p.decoder.dim)
    return TurntableMAE(
        params=p,
        tokens=tokens,
        mask=clip_mask(p.sampler, p.mask_ratio),
        encoder=TransformerEncoder(p.size, arcs=False),
        decoder=OwnClassDecoder(p.size.dim, p.decoder, position, arcs=False),
        targets={"pixels": Pixels(p.decoder.dim, p.patch, p.standardise)},
        weights=p.weights,
    )
