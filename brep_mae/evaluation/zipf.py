"""How far the sizes of k-means clusters of embeddings are from Zipf's law: a score of embeddings that no label enters.

ELo's fitness (Piergiovanni, Angelova, Ryoo 2020, arXiv:2002.12177, section 3.3). Differs from the paper: squared
distances are divided by their mean within clusters before the soft assignment, for with the paper's unit variance the
score depends on the scale of the features, and a search can win by rescaling them; several runs of k-means, with the
same seeds for everything that is compared, are averaged. Number of clusters and exponent could not be verified.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import softmax
from sklearn.cluster import KMeans

Scale = Literal["within", "raw"]
"""within: squared distances in units of their mean within clusters; raw: as they are, the paper's unit variance."""


@dataclass(frozen=True)
class ZipfScore:
    """Divergences in nats, 0 = Zipf's law: `soft` of sizes by soft assignment, the fitness; `hard` of counted sizes;
    `sd` of `soft` over the runs of k-means."""

    soft: float
    hard: float
    sd: float


def zipf(count: int, exponent: float = 1.0) -> np.ndarray:
    """Shares i^-s / sum_j j^-s of the ranks 1 to `count`, falling."""
    shares = np.arange(1, count + 1, dtype=float) ** -exponent
    return shares / shares.sum()


def divergence(sizes: np.ndarray, law: np.ndarray) -> float:
    """KL(sizes, sorted and as shares || law) in nats; clusters of size 0 add nothing.

    Shapes: sizes (k,) of at least 0, in any order; law (k,) falling shares.
    """
    shares = np.sort(sizes)[::-1] / sizes.sum()
    some = shares > 0
    return float(np.sum(shares[some] * np.log(shares[some] / law[some])))


def soft_sizes(embeddings: np.ndarray, centres: np.ndarray, scale: Scale) -> np.ndarray:
    """Mean over the embeddings of p(c|x) = exp(-|x - c|^2 / scale) / sum. Shapes: (N, D), (k, D) -> (k,)

    Centres that coincide count once, so that embeddings which are all alike fill one cluster and no other.
    """
    distinct = np.unique(centres, axis=0)
    squared = cdist(embeddings, distinct, "sqeuclidean")
    if scale == "within":
        within = squared.min(1).mean()
        squared = squared / within if within > 0 else np.where(squared > 0, np.inf, 0.0)
    sizes = np.zeros(len(centres))
    sizes[: len(distinct)] = softmax(-squared, axis=1).mean(0)
    return sizes


def zipf_score(
    embeddings: np.ndarray, clusters: int, restarts: int, seed: int, scale: Scale = "within", exponent: float = 1.0
) -> ZipfScore:
    """The lower, the closer to Zipf's law are the sizes of `clusters` clusters, averaged over `restarts` of k-means.

    Shapes: embeddings (N, D). Raises ValueError for fewer embeddings than clusters.
    """
    if len(embeddings) < clusters:
        raise ValueError(f"{len(embeddings)} embeddings do not fill {clusters} clusters: embed more, or ask for fewer")
    x, law, soft, hard = embeddings.astype(np.float64), zipf(clusters, exponent), [], []
    for restart in range(restarts):
        means = KMeans(clusters, init="k-means++", n_init=1, random_state=seed + restart).fit(x)
        soft.append(divergence(soft_sizes(x, means.cluster_centers_, scale), law))
        hard.append(divergence(np.bincount(means.labels_, minlength=clusters), law))
    return ZipfScore(float(np.mean(soft)), float(np.mean(hard)), float(np.std(soft)))
