"""Plain good features: the invariants of a face, and what its arcs and neighbours say of themselves. No weights.

What a message-passing network of two layers could gather, spelled out: a forest or a linear layer on these is the
strongest baseline from scratch. Machining features grow along concave arcs (Joshi and Chang 1988), so neighbours
across those are gathered apart.
"""

import torch

from brep_mae.datasets.batch import Batch
from brep_mae.features.invariants import ARC_COLUMNS, ARC_DIM, FACE_DIM
from brep_mae.models.extractor import SPREADS, FeatureExtractor, Features, gather

CONCAVE = ARC_COLUMNS.index("bend concave")
HOPS_DIM = 2 * FACE_DIM + 4 * ARC_DIM + 3 * (FACE_DIM + ARC_DIM)


class Hops(FeatureExtractor):
    """Shapes: Batch with F faces of B solids -> Features, face (F, HOPS_DIM), solid (B, 3 * HOPS_DIM + 1).

    A face: its own invariants; mean, least and greatest of its arcs'; the mean of its neighbours'; mean, least and
    greatest of neighbours' and arcs' across concave arcs; the mean of all other arcs. A solid: the mean, least and
    greatest of its faces', and the logarithm of their number.
    """

    reads = frozenset({"faces", "arcs", "invariants"})
    dim, solid_dim = HOPS_DIM, len(SPREADS) * HOPS_DIM + 1

    def forward(self, batch: Batch) -> Features:
        faces = batch.faces_with(self.reads)
        own, arcs, (i, j), n = faces.invariant, faces.arc_invariant, faces.arc_index, len(faces.invariant)
        concave = arcs[:, CONCAVE] > 0
        across = torch.cat([own[j[concave]], arcs[concave]], 1)
        face = torch.cat(
            [
                own,
                *(gather(arcs, i, n, how) for how in SPREADS),
                gather(own[j], i, n, "mean"),
                *(gather(across, i[concave], n, how) for how in SPREADS),
                gather(arcs[~concave], i[~concave], n, "mean"),
            ],
            1,
        )
        count = torch.bincount(faces.solid, minlength=faces.n_solids)[:, None]
        solid = [gather(face, faces.solid, faces.n_solids, how) for how in SPREADS]
        return Features(face, torch.cat([*solid, count.log()], 1))
