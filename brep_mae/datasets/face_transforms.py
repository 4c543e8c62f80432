"""Random changes of faces that keep what they are. Pure: the randomness is passed in."""

from dataclasses import replace

import torch
from torch import Tensor

from brep_mae.datasets.batch import Batch
from brep_mae.features.invariants import ARC_SCALARS, FACE_SCALARS


def jitter_scalars(batch: Batch, spread: float, rng: torch.Generator) -> Batch:
    """Normal noise of standard deviation `spread` on the standardised scalars of faces and arcs, if there are any."""
    if batch.faces is None or batch.faces.invariant is None:
        return batch

    def noisy(rows: Tensor, scalars: int) -> Tensor:
        noise = torch.randn(len(rows), scalars, generator=rng).to(rows)
        return torch.cat([rows[:, :scalars] + spread * noise, rows[:, scalars:]], 1)

    face = noisy(batch.faces.invariant, len(FACE_SCALARS))
    arc = noisy(batch.faces.arc_invariant, len(ARC_SCALARS))
    return replace(batch, faces=replace(batch.faces, invariant=face, arc_invariant=arc))
