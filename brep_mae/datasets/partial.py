"""Solids of which some faces are hidden: what can be computed of the others when nothing is known of those."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from brep_mae.datasets.batch import Batch
from brep_mae.datasets.from_graph import between
from brep_mae.features.invariants import invariants
from brep_mae.features.typical import standardised
from brep_mae.schema import take


def without_hidden(batch: Batch, hidden: Tensor) -> Batch:
    """The batch with the invariants of its faces and arcs as if the hidden faces (F,) were not there.

    Most scalars of a face speak of others: its share of the solid's area, how far the solid rises over it, what its
    cavity is like. Those of hidden faces, and of arcs that touch one, are zero.
    """
    faces = batch.faces_with(frozenset({"invariants", "arcs", "record"}))
    assert batch.records is not None
    face, arc = torch.zeros_like(faces.invariant), torch.zeros_like(faces.arc_invariant)
    of_solid = hidden.cpu().split([record.n_faces for record in batch.records])
    first_face = first_arc = 0
    for record, gone in zip(batch.records, of_solid, strict=True):
        seen = np.flatnonzero(~gone.numpy())
        there = (~gone.numpy())[record.arc_index].all(0)[between(record)]
        scalars = standardised(invariants(take(record, seen)))
        face[first_face + torch.from_numpy(seen)] = torch.from_numpy(scalars.face).to(face)
        arc[first_arc + torch.from_numpy(np.flatnonzero(there))] = torch.from_numpy(scalars.arc).to(arc)
        first_face, first_arc = first_face + record.n_faces, first_arc + len(there)
    return replace(batch, faces=replace(faces, invariant=face, arc_invariant=arc))
