"""Which parts to label first: files whose faces stand for as many others as possible, see `fewshot.selection`."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch

from brep_mae.datasets.batch import Batch
from brep_mae.datasets.from_graph import from_graph
from brep_mae.evaluation.problem import features_of
from brep_mae.fewshot.selection import covering
from brep_mae.models.embed import readable
from brep_mae.models.extractor import FeatureExtractor
from brep_mae.schema import FaceGraph


def suggest(graphs: Iterable[FaceGraph], extractor: FeatureExtractor, count: int, seed: int) -> Sequence[str]:
    """Names of `count` files, the one that stands for most faces first."""
    rows, owner, names = [], [], dict[str, int]()
    for graph in graphs:
        batch = Batch((graph.uid,), from_graph(graph, readable(extractor)))
        (features,) = features_of(extractor, [batch])
        rows.append(features.face)
        owner += [names.setdefault(graph.file, len(names))] * len(features.face)
    chosen = covering(torch.cat(rows).numpy(), np.array(owner), count, seed) if rows else []
    return [list(names)[i] for i in chosen]
