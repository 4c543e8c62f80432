"""Hidden content stays hidden from every encoder, from UV-grids and pixels and from raw geometry up."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from brep_mae.composition.pretext import Pretext
from brep_mae.datasets.batch import collate
from brep_mae.datasets.content import kinds
from brep_mae.datasets.from_graph import from_graph
from brep_mae.masking.mask import Mask
from brep_mae.plugins import METHODS, known
from brep_mae.schema import ARRAYS, FaceGraph, validate
from brep_mae.seeds import generator
from brep_mae.tokens.tokens import FACE, PATCH, Tokens
from tests.contracts.test_methods import UNMASKED, batch_for, small


@pytest.fixture(params=[n for n in known(METHODS) if n not in UNMASKED])
def masked(request) -> str:
    """Methods that hide tokens from an encoder."""
    return request.param


def latent_of(pretext: Pretext, batch, mask: Mask):
    with torch.no_grad():
        tokens = pretext.masked_tokens(pretext.tokens(batch), batch, mask)
        return pretext.encoder(tokens, mask).x


def scramble_hidden(batch, tokens: Tokens, hidden: torch.Tensor):
    """Noise in the raw content of hidden faces and patches, and in every coedge that touches a hidden face.

    A coedge between a hidden and a seen face is scrambled too: the encoder sees only arcs whose two ends are seen.
    """
    noise = torch.Generator().manual_seed(7)
    of_patches, of_faces = (hidden[:, tokens.kind == kind] for kind in (PATCH, FACE))
    if of_patches.numel():
        batch = scramble_patches(batch, of_patches, noise)
    return scramble_faces(batch, of_faces, noise) if of_faces.numel() else batch


def scramble_patches(batch, hidden: torch.Tensor, noise: torch.Generator):
    """`hidden` may cover fewer frames than the batch holds: then the first ones."""
    image = batch.frames.image.clone()
    patch = 4
    side = image.shape[-1] // patch
    flat = hidden.reshape(len(image), -1, side, side)
    read = image[:, : flat.shape[1]]
    pixels = flat.repeat_interleave(patch, -1).repeat_interleave(patch, -2)[:, :, None].expand_as(read)
    read[pixels] = torch.rand(int(pixels.sum()), generator=noise)
    return replace(batch, frames=replace(batch.frames, image=image))


def scramble_faces(batch, hidden: torch.Tensor, noise: torch.Generator):
    faces = batch.faces
    rows = hidden[torch.arange(hidden.shape[1]) < torch.bincount(faces.solid)[:, None]]

    def noisy(tensor, where):
        tensor = tensor.clone()
        tensor[where] = torch.randn(tensor[where].shape, generator=noise) * 3
        return tensor

    arcs, rng = rows[faces.arc_index].any(0), np.random.default_rng(1)
    of_solid = rows.split([record.n_faces for record in batch.records])
    records = [changed_geometry(*pair, rng) for pair in zip(batch.records, map(Tensor.numpy, of_solid), strict=True)]
    surface = faces.surface.clone()
    surface[rows] = (surface[rows] + 1) % 5
    return replace(
        batch,
        records=tuple(records),
        faces=replace(
            faces,
            grid=noisy(faces.grid, rows),
            scalars=noisy(faces.scalars, rows),
            field=noisy(faces.field, rows),
            surface=surface,
            arc_grid=noisy(faces.arc_grid, arcs),
            arc_scalars=noisy(faces.arc_scalars, arcs),
            invariant=noisy(faces.invariant, rows),
            arc_invariant=noisy(faces.arc_invariant, arcs),
        ),
    )


def test_no_peek_hidden_content_never_reaches_the_encoder(masked):
    """MAE check 1: masked-content invariance, from the raw UV-grids and pixels up."""
    pretext, batch = small(masked).eval(), batch_for(masked)
    tokens = pretext.tokens(batch)
    mask = pretext.mask(tokens, generator(3))
    before = latent_of(pretext, batch, mask)
    after = latent_of(pretext, scramble_hidden(batch, tokens, mask.hidden), mask)
    assert torch.equal(before, after)


def changed_geometry(record: FaceGraph, hidden: np.ndarray, rng: np.random.Generator) -> FaceGraph:
    """The stored solid with other hidden faces: whatever is measured of them, of their arcs and of their edges, but not
    which faces meet. Place and scale of the solid stay."""
    touched = hidden[record.arc_index].any(0)
    edges = np.zeros(record.edge_vertex.shape[1], bool)
    edges[record.arc_edge[touched]] = True
    rows = {"F": hidden, "A": touched, "E": edges}
    kept = {"face_parent", "face_label", "face_color", "arc_index", "arc_edge", "arc_seam", "edge_vertex"}
    kinds = {"face_type": 5, "face_loops": 4, "arc_type": 3, "arc_convexity": 3}
    changed = {}
    for name, (_, axes) in ARRAYS.items():
        if name in kept or not axes or axes[0] not in rows:
            continue
        array, here = getattr(record, name).copy(), rows[axes[0]]
        if name in kinds:
            array[here] = (array[here] + 1) % kinds[name]
        elif array.dtype.kind == "f":
            array[here] = 1 + np.abs(rng.normal(size=array[here].shape))
        changed[name] = array
    return validate(replace(record, **changed))


def test_no_peek_from_raw_geometry(masked):
    """Hidden faces that are other faces, in the stored solid, and all content made of it anew: nothing that is computed
    across faces (areas, cavities, what lies over a face) may carry them to the encoder."""
    pretext, batch = small(masked).eval(), batch_for(masked)
    if "faces" not in kinds(pretext.backbone().reads):
        pytest.skip("its encoder reads no faces")
    tokens = pretext.tokens(batch)
    mask = pretext.mask(tokens, generator(3))
    hidden = mask.hidden[:, tokens.kind == FACE]
    rng = np.random.default_rng(0)
    records = [
        changed_geometry(record, hidden[row, : record.n_faces].numpy(), rng) for row, record in enumerate(batch.records)
    ]
    other = replace(batch, faces=collate([from_graph(record) for record in records]), records=tuple(records))
    assert not torch.equal(other.faces.grid, batch.faces.grid)
    assert torch.equal(latent_of(pretext, batch, mask), latent_of(pretext, other, mask))


def test_no_peek_control_seen_content_does_reach_the_encoder(masked):
    pretext, batch = small(masked).eval(), batch_for(masked)
    tokens = pretext.tokens(batch)
    mask = pretext.mask(tokens, generator(3))
    seen = Mask(tokens.valid & ~mask.hidden)
    before = latent_of(pretext, batch, mask)
    assert not torch.allclose(before, latent_of(pretext, scramble_hidden(batch, tokens, seen.hidden), mask))
