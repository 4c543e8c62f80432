"""What a learned mask hides in the course of its training, as the arrays that `report.masks` draws and counts."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from brep_mae.composition.guided import GuidedMAE
from brep_mae.composition.pretext import Pretext
from brep_mae.datasets.batch import Batch
from brep_mae.datasets.combined import ConcatDataset
from brep_mae.datasets.loader import Samples, Solids
from brep_mae.output.files import whole_file
from brep_mae.pretraining.picture import DRAWN, chosen, outlines
from brep_mae.schema import SURFACE_TYPES

PATCHES = ("ground", "solid")
"""Kinds of patches: those in which no pixel shows the solid, and all others."""
COUNTED = 16
"""Held-out batches from which it is told how much is hidden of each kind."""


class MaskHistory:
    """Keeps a file per step that is looked at, so that a training that was cut off and resumed has them all.

    Args:
        heldout: samples whose masks are looked at: all for what is counted, a few for what is drawn.
        size: samples of a batch.
    """

    def __init__(self, heldout: Samples, size: int) -> None:
        self.size, self.counted = size, heldout.capped(COUNTED, size)
        self.drawn = heldout.only(chosen(heldout))

    def keep(self, folder: Path, step: int, pretext: Pretext) -> dict[str, float]:
        """Takes note of the masks after `step` steps. Returns "hidden/KIND" -> share of that kind that is hidden."""
        assert isinstance(pretext, GuidedMAE)
        device = next(pretext.parameters()).device
        of_faces = "frames" not in pretext.backbone().reads
        names = SURFACE_TYPES if of_faces else PATCHES
        number = torch.zeros(2, len(names), device=device)
        for batch in (each.to(device) for each in self.counted.in_order(self.size)):
            hidden, _ = pretext.masks(batch)
            kind = batch.faces_with(frozenset({"faces"})).surface if of_faces else _shows_solid(batch, len(hidden))
            number += torch.stack([torch.bincount(kind[rows], minlength=len(names)) for rows in (hidden, hidden >= 0)])
        hidden, sigma = pretext.masks(self.drawn.batch(self.drawn.uids).to(device))
        arrays = {"hidden": hidden, "sigma": sigma, "number": number}
        folder.mkdir(parents=True, exist_ok=True)
        with whole_file(folder / f"{step:06d}.npz") as file:
            np.savez(file, **{name: array.cpu().numpy() for name, array in arrays.items()})  # type: ignore[arg-type]
        return {f"hidden/{name}": float(some / all_) for name, some, all_ in zip(names, *number, strict=True) if all_}

    def arrays(self, folder: Path) -> dict[str, np.ndarray]:
        """steps (S,); kinds (K,) of tokens, number (S, 2, K) of those that are hidden and of all; hidden and sigma
        (S, M) of the M faces or patches that are drawn, with their `outlines`, or images (N, T, H, W, 3)."""
        files = sorted(folder.glob("*.npz"))
        rows = []
        for path in files:
            with np.load(path, allow_pickle=False) as file:
                rows.append({name: file[name] for name in file.files})
        found = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        found["steps"] = np.array([int(path.stem) for path in files])
        found["kinds"] = np.array(SURFACE_TYPES if found["number"].shape[-1] == len(SURFACE_TYPES) else PATCHES)
        return found | self._drawn()

    def _drawn(self) -> dict[str, np.ndarray]:
        frames = self.drawn.batch(self.drawn.uids).frames
        if frames is not None:
            return {"images": (frames.image.permute(0, 1, 3, 4, 2) * 255).round().byte().numpy()}
        assert isinstance(self.drawn, Solids | ConcatDataset)
        return outlines(self.drawn.reading(DRAWN).batch(self.drawn.uids).faces_with(DRAWN))


def _shows_solid(batch: Batch, patches: int) -> Tensor:
    """Index in PATCHES of every patch of all frames. (M,)"""
    assert batch.frames is not None
    shown = (batch.frames.face >= 0).flatten(0, 1).float()
    side = round((patches / len(shown)) ** 0.5)
    return F.max_pool2d(shown[:, None], shown.shape[-1] // side).flatten().long()
