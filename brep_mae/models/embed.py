"""Embeddings of stored solids by a backbone."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from brep_mae import ranks
from brep_mae.datasets.loader import Solids
from brep_mae.models.extractor import FeatureExtractor


def readable(backbone: FeatureExtractor) -> frozenset[str]:
    """Content that a backbone needs to answer for faces and solids: an image backbone needs the faces' count too."""
    return frozenset({"faces"}) | backbone.reads


@torch.no_grad()
def embed(
    backbone: FeatureExtractor, shards: Path, frames: Path | None, uids: Sequence[str], size: int = 32
) -> np.ndarray:
    """One vector per solid. Shapes: len(uids) solids -> (len(uids), solid_dim) float32."""
    backbone.to(ranks.device()).eval()
    data = Solids(shards, frames, uids, readable(backbone))
    return np.concatenate([backbone(batch.to(ranks.device())).solid.cpu().numpy() for batch in data.in_order(size)])
