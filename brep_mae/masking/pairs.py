"""Which image is blended with which (i-MAE, arXiv:2210.11470, section 3)."""

import numpy as np
import torch
from torch import Tensor

from brep_mae.masking.random import drawn
from brep_mae.schema import UNLABELLED


def draw_partners(solid: Tensor, label: Tensor | None, same_prob: float | None, rng: torch.Generator) -> Tensor:
    """A partner for every image, of another solid where the batch has one, and never the image itself but where it is
    alone.

    Args:
        solid: (N,) whose picture an image is.
        label: (N,) class, UNLABELLED where unknown; needed with `same_prob`.
        same_prob: probability that a partner is of the image's own class, and of another class otherwise; None = any.
            An image whose class has no other solid in the batch, or is the only class there, takes any partner.
    """
    numpy_rng, solids = drawn(rng), solid.cpu().numpy()
    if same_prob is not None and label is None:
        raise ValueError("pairs of the same class need labels: without them same_prob must be null")
    labels = None if label is None or same_prob is None else label.cpu().numpy()
    partners = []
    for i in range(len(solids)):
        others = solids != solids[i]
        pool = [others, np.arange(len(solids)) != i]
        if labels is not None and labels[i] != UNLABELLED:
            same = numpy_rng.random() < (same_prob or 0.0)
            pool.insert(0, others & (labels != UNLABELLED) & ((labels == labels[i]) == same))
        choices = next((np.flatnonzero(p) for p in pool if p.any()), np.array([i]))
        partners.append(int(numpy_rng.choice(choices)))
    return torch.tensor(partners, device=solid.device)
