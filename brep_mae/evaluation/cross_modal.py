"""Does a model that reads faces and frames use one to predict the other? A paired test on solids it has not seen."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.stats import t as student_t
from scipy.stats import ttest_rel
from torch import Tensor

from brep_mae.composition.masked import MaskedPretext
from brep_mae.datasets.batch import Batch
from brep_mae.datasets.loader import Samples
from brep_mae.schema import MIN_FACES
from brep_mae.seeds import generator
from brep_mae.targets.terms import sample_means


@dataclass(frozen=True)
class Gain:
    """Loss (N,) of N solids with their own other kind of content (`own`) and with another solid's (`other`)."""

    own: np.ndarray
    other: np.ndarray

    @property
    def t(self) -> float:
        """Paired t over solids, positive where `own` is lower; 0 where the other kind makes no difference at all."""
        return float(ttest_rel(self.other, self.own).statistic) if (self.other != self.own).any() else 0.0

    @property
    def p(self) -> float:
        """Probability of so large a t if the other kind did not matter (one-sided)."""
        return float(student_t.sf(self.t, len(self.own) - 1))

    def summary(self, name: str) -> dict[str, float]:
        """Numbers for a metrics file: mean losses, the share by which `own` is lower, t, p and the number of solids."""
        own, other = float(self.own.mean()), float(self.other.mean())
        tested = {"t": self.t, "p": self.p, "solids": len(self.own)}
        values = {"own": own, "other": other, "gain": 1 - own / other, **tested}
        return {f"{name}.{key}": value for key, value in values.items()}


SolidLosses = Callable[[Batch, torch.Generator], dict[str, Tensor]]
"""(batch of B solids, generator) -> target's name -> loss (B,) of each solid."""


def solid_losses(model: MaskedPretext) -> SolidLosses:
    """Each target's part of the training loss, sample by sample, terms and tokens weighted as in training.

    A sample is a solid where the method reads one as a whole. Where every image is a sample of its own the losses are
    those of images, in the order of the method's truth.
    """

    def losses(batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        parts: dict[str, Tensor] = {}
        for name, selection, term in model.errors(model.run(batch, rng)):
            means, _ = sample_means(term, selection)
            target = name.partition(".")[0]
            parts[target] = parts.get(target, 0.0) + model.weights.get(name, 1.0) * means
        return parts

    return losses


def paired_losses(
    losses: SolidLosses, heldout: Samples, seed: int, faces: str, frames: str, draws: int, size: int
) -> dict[str, Gain]:
    """As `cross_modal_gain`, for anything that answers with a loss per solid."""
    if len(heldout) < 3:
        raise ValueError(f"{len(heldout)} held-out solids are too few for a paired test")
    order = torch.randperm(len(heldout), generator=generator(seed)).tolist()
    rows: list[Tensor] = []
    for i, chunk in enumerate(np.array_split(order, max(1, math.ceil(len(order) / size)))):
        uids = [heldout.uids[k] for k in chunk]
        own, other = heldout.batch(uids), heldout.batch(uids[1:] + uids[:1])
        assert own.faces is not None
        batches = own, replace(own, frames=other.frames), replace(own, faces=other.faces)
        drawn = []
        for draw in range(draws):
            right, strange_frame, strange_faces = (losses(batch, generator(seed, i, draw)) for batch in batches)
            pairs = right[faces], strange_frame[faces], right[frames], strange_faces[frames]
            drawn.append(torch.stack(pairs))
        n_faces = torch.bincount(own.faces.solid, minlength=len(uids))[None]
        rows.append(torch.cat([torch.stack(drawn).mean(0), n_faces]))
    table = torch.cat(rows, 1).double().numpy()
    predicted = table[4] >= MIN_FACES
    if predicted.sum() < 3:
        raise ValueError(f"{predicted.sum()} held-out solids of several faces are too few for a paired test")
    return {"faces": Gain(table[0, predicted], table[1, predicted]), "frames": Gain(table[2], table[3])}


@torch.no_grad()
def cross_modal_gain(
    model: MaskedPretext, heldout: Samples, seed: int, faces: str, frames: str, draws: int = 4, size: int = 32
) -> dict[str, Gain]:
    """Held-out loss of hidden faces with the solid's own frame against another solid's, and of patches likewise.

    Both losses of a pair share the frame's number and the mask (of the kind that is predicted: a kind's mask must not
    depend on the other kind's content). A partner is the next solid of a random order, so none is its own.

    Args:
        heldout: solids the model was not trained on, with faces and frames; those of one face do not count for
            "faces", since nothing of theirs is predicted.
        seed: of order, frames and masks.
        faces, frames: names of the targets that predict each kind.
        draws: frames and masks per solid, over which its losses are averaged; the test counts solids, not draws.
        size: solids of a batch; a partner comes from the same batch.

    Returns: {"faces": Gain, "frames": Gain}

    Raises ValueError with fewer than 3 solids, too few for a test.
    """
    was_training = model.training
    model.eval()
    try:
        return paired_losses(solid_losses(model), heldout, seed, faces, frames, draws, size)
    finally:
        model.train(was_training)
