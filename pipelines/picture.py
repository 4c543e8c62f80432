"""What a pretext made of a few held-out solids, as the arrays that `report.figures.reconstruction` draws."""

import numpy as np
import torch

from brep_mae.datasets.loader import Samples, Solids
from brep_mae.pretext.pretext import Pretext
from brep_mae.seeds import generator
from brep_mae.targets.pixels import patchify, unpatchify

FRAMES = 6


def picture(pretext: Pretext, heldout: Samples, seed: int) -> dict[str, np.ndarray]:
    """Arrays of one solid's faces (grid, predicted, hidden), or of some frames (image, masked, predicted); none where
    the method predicts nothing that can be drawn."""
    if isinstance(heldout, Solids) and "faces" in pretext.reads:
        uid = max(heldout.uids[:20], key=lambda u: len(heldout.faces(u).solid))
        batch = heldout.batch([uid])
        assert batch.faces is not None
        out = pretext.reconstruct(batch, generator(seed))
        hidden = out.pop("hidden")
        if not out:
            return {}
        (rows,) = out.values()
        predicted = batch.faces.grid.clone()
        predicted[hidden] = rows
        return {"grid": batch.faces.grid.numpy(), "predicted": predicted.numpy(), "hidden": hidden.numpy()}

    batch = heldout.batch(heldout.uids[:FRAMES])
    assert batch.frames is not None
    image = batch.frames.image
    out = pretext.reconstruct(batch, generator(seed))
    hidden = out.pop("hidden").view(image.shape[0] * image.shape[1], -1)
    if not out:
        return {}
    (rows,) = out.values()
    side = int(hidden.shape[1] ** 0.5)
    patch = image.shape[-1] // side
    patches = patchify(image.flatten(0, 1), patch)
    masked, predicted = patches.clone(), patches.clone()
    masked[hidden], predicted[hidden] = 0.5, rows

    def shown(x: torch.Tensor) -> np.ndarray:
        return unpatchify(x, patch)[:: image.shape[1]].permute(0, 2, 3, 1).numpy()

    return {"image": shown(patches), "masked": shown(masked), "predicted": shown(predicted)}
