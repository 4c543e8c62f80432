"""What a pretext made of a few held-out solids, as the arrays that `report.drawings.reconstruction` draws."""

import numpy as np
import torch
from torch import Tensor

from brep_mae.composition.picture import Picture
from brep_mae.composition.pretext import Pretext
from brep_mae.datasets.batch import Faces
from brep_mae.datasets.combined import ConcatDataset
from brep_mae.datasets.content import kinds
from brep_mae.datasets.loader import Samples, Solids
from brep_mae.schema import POINT
from brep_mae.seeds import generator
from brep_mae.targets.pixels import patchify, unpatchify
from brep_mae.tokens.tokens import FACE

SHARES = (0.1, 0.5, 0.9)
"""Which solids are drawn: those of few, of ordinarily many and of many faces, as quantiles of the number of faces."""

MOST = 1000
"""Solids from which these are chosen, spread evenly over all."""

IMAGES = 8
"""Images that are drawn where there are no solids."""

GREY = 0.5

DRAWN = frozenset({"faces", "uvgrid", "arcs", "ugrid"})
"""Content that a picture of faces shows, beside what the method reads."""


def chosen(heldout: Samples) -> list[str]:
    """The samples to draw."""
    if not isinstance(heldout, Solids | ConcatDataset):
        return list(heldout.uids[:IMAGES])
    ranked = sorted(heldout.thinned(MOST).uids, key=lambda uid: (heldout.graph(uid).n_faces, uid))
    return list(dict.fromkeys(ranked[round(share * (len(ranked) - 1))] for share in SHARES))


def pictures(pretext: Pretext, heldout: Samples, seed: int) -> dict[str, dict[str, np.ndarray]]:
    """Arrays by the name of the target that is drawn; none where the method predicts nothing that can be drawn."""
    if isinstance(heldout, Solids | ConcatDataset) and "faces" in kinds(heldout.read):
        heldout = heldout.reading(heldout.read | DRAWN)
    drawn = pretext.pictures(heldout.batch(chosen(heldout)), generator(seed))
    return {name: (_faces if picture.kind == FACE else _images)(picture) for name, picture in drawn.items()}


def _faces(picture: Picture) -> dict[str, np.ndarray]:
    faces, (rows,) = picture.truth.faces_with(DRAWN), picture.predicted.values()
    predicted = faces.grid.clone()
    predicted[picture.chosen] = rows
    return outlines(faces) | {"predicted": predicted.numpy(), "hidden": picture.chosen.numpy()}


def outlines(faces: Faces) -> dict[str, np.ndarray]:
    """What is drawn of faces as they are: grid (F, U, V, 7), solid (F,), edge (E, U, 3) and the two faces beside it,
    edge_face (2, E)."""
    once = faces.arc_index[0] < faces.arc_index[1]  # of the two arcs along an edge
    arrays = {"grid": faces.grid, "solid": faces.solid}
    arrays |= {"edge": faces.arc_grid[once][..., POINT], "edge_face": faces.arc_index[:, once]}
    return {name: array.numpy() for name, array in arrays.items()}


def _images(picture: Picture) -> dict[str, np.ndarray]:
    """Rows of a figure: every truth, what was seen, every prediction with the patches that were not hidden as seen."""
    assert picture.seen.frames is not None and picture.truth.frames is not None
    originals = picture.truth.frames.image.chunk(len(picture.predicted))
    several = len(originals) > 1
    seen = picture.seen.frames.image if several else originals[0]
    solids, views, _, size, _ = seen.shape
    hidden = picture.chosen.view(solids * views, -1)
    patch = size // round(hidden.shape[1] ** 0.5)

    def filled(rows: Tensor | float) -> Tensor:
        patches = patchify(seen.flatten(0, 1), patch).clone()
        patches[hidden] = rows
        return unpatchify(patches, patch).view_as(seen)

    def title(role: str, line: str) -> str:
        return f"{role}: {line}" if several else line

    lines = {title(role, "original"): image for role, image in zip(picture.predicted, originals, strict=True)}
    if several:
        lines["blend"] = seen
    lines["seen"] = filled(GREY)
    note = f" ({picture.note})" if picture.note else ""
    lines |= {title(role, "predicted") + note: filled(rows) for role, rows in picture.predicted.items()}
    stack = torch.stack(list(lines.values())).permute(0, 1, 2, 4, 5, 3)
    return {"titles": np.array(list(lines)), "images": (stack * 255).round().byte().numpy()}
