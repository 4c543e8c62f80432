"""What a pretext made of a few held-out solids, as the arrays that `report.drawings.reconstruction` draws."""

import numpy as np
import torch
from torch import Tensor

from brep_mae.composition.pretext import Pretext
from brep_mae.datasets.batch import Batch, Frames
from brep_mae.datasets.content import kinds
from brep_mae.datasets.loader import Samples, Solids
from brep_mae.schema import POINT
from brep_mae.seeds import generator
from brep_mae.targets.pixels import patchify, unpatchify
from brep_mae.tokens.tokens import FACE, PATCH

SHARES = (0.1, 0.5, 0.9)
"""Which solids are drawn: those of few, of ordinarily many and of many faces, as quantiles of the number of faces."""

IMAGES = 8
"""Images that are drawn where there are no solids."""

GREY = 0.5

DRAWN = frozenset({"faces", "uvgrid", "arcs", "ugrid"})
"""Content that a picture of faces shows, beside what the method reads."""


def chosen(heldout: Samples) -> list[str]:
    """The samples to draw."""
    if not isinstance(heldout, Solids):
        return list(heldout.uids[:IMAGES])
    ranked = sorted(heldout.uids, key=lambda uid: (len(heldout.faces(uid).solid), uid))
    return list(dict.fromkeys(ranked[round(share * (len(ranked) - 1))] for share in SHARES))


def pictures(pretext: Pretext, heldout: Samples, seed: int) -> dict[str, dict[str, np.ndarray]]:
    """Arrays by name of a picture, "faces" and "images"; none where the method predicts nothing that can be drawn."""
    if isinstance(heldout, Solids) and "faces" in kinds(heldout.read):
        heldout = heldout.reading(heldout.read | DRAWN)
    batch = heldout.batch(chosen(heldout))
    seen, truths = pretext.shown(batch)
    found = {}
    for kind, out in pretext.pictures(batch, generator(seed)).items():
        hidden = out.pop("hidden")
        if out and kind == FACE:
            found["faces"] = _faces(seen, hidden, *out.values())
        if out and kind == PATCH:
            note = " (true means)" if getattr(pretext.params, "standardise", False) else ""
            found["images"] = _images(seen, truths, hidden, out, note)
    return found


def _faces(batch: Batch, hidden: Tensor, rows: Tensor) -> dict[str, np.ndarray]:
    faces = batch.faces_with(DRAWN)
    predicted = faces.grid.clone()
    predicted[hidden] = rows
    once = faces.arc_index[0] < faces.arc_index[1]  # of the two arcs along an edge
    arrays = {"grid": faces.grid, "predicted": predicted, "hidden": hidden, "solid": faces.solid}
    arrays |= {"edge": faces.arc_grid[once][..., POINT], "edge_face": faces.arc_index[:, once]}
    return {name: array.numpy() for name, array in arrays.items()}


def _images(
    seen: Batch, truths: dict[str, Batch], hidden: Tensor, out: dict[str, Tensor], note: str
) -> dict[str, np.ndarray]:
    """Rows of a picture: every truth, what was seen, every prediction with the patches that were not hidden as seen;
    `note` goes into the titles of the predictions."""
    frames = seen.frames
    assert frames is not None
    solids, views, _, size, _ = frames.image.shape
    hidden = hidden.view(solids * views, -1)
    patch = size // round(hidden.shape[1] ** 0.5)

    def filled(image: Tensor, rows: Tensor | float) -> Tensor:
        patches = patchify(image.flatten(0, 1), patch).clone()
        patches[hidden] = rows
        return unpatchify(patches, patch).view_as(image)

    def of(name: str) -> Frames:
        found = truths.get(name, seen).frames
        assert found is not None
        return found

    several = len(out) > 1
    lines = {f"{name}: original" if several else "original": of(name).image for name in out}
    if truths:
        lines["blend"] = frames.image
    lines["seen"] = filled(frames.image, GREY)
    lines |= {
        (f"{name}: predicted" if several else "predicted") + note: filled(frames.image, out[name]) for name in out
    }
    stack = torch.stack(list(lines.values())).permute(0, 1, 2, 4, 5, 3)
    return {"titles": np.array(list(lines)), "images": (stack * 255).round().byte().numpy()}
