"""Signed distance to a face's trimming loops at random points of its (u, v) box: the implicit half of a face.

Jones et al. 2023, arXiv:2210.10807. Differs from the paper: the distance is the exact one to the chords that follow
the loops, where the paper takes the distance to the nearest sample of the other side; a face without any outside
sample is marked instead of getting an infinite distance; seams of periodic surfaces are no boundary (see `trimming`);
free-form surfaces go on along their tangent plane outside their own domain (see `surfaces`).
"""

import numpy as np

from brep_mae.brep.trimming import TrimmedFace
from brep_mae.schema import FIELD_DISTANCE, FIELD_POINT, FIELD_UV

MARGIN = 0.1
"""How far the pool reaches beyond the box, as a share of its side."""


def draw_pool(count: int, rng: np.random.Generator) -> np.ndarray:
    """Uniform in [-MARGIN, 1 + MARGIN]^2. Shapes: (count, 2)."""
    return rng.random((count, 2)) * (1 + 2 * MARGIN) - MARGIN


def face_field(
    face: TrimmedFace, pool: np.ndarray, inside: np.ndarray, distance: np.ndarray, keep: int
) -> tuple[np.ndarray, bool]:
    """Keeps the half of the samples that is nearest to the boundary and fills up from the rest of the pool.

    Args:
        pool: rescaled (u, v) as drawn; u runs like the rows of the stored UV-grid.
        inside: True inside the loops or on them, for every point of the pool.
        distance: to the loops, in the rescaled box, >= 0.
        keep: samples to keep, at most the pool.

    Returns:
        samples (keep, 6), channels as in schema, and whether the face is bounded: False where no point of the pool
        lies outside, and the distances, then zero, mean nothing.
    """
    bounded = bool((~inside).any() and np.isfinite(distance).all())
    signed = np.where(inside, -distance, distance) if bounded else np.zeros(len(pool))
    order = np.argsort(np.abs(signed), kind="stable")
    nearest = order[: keep // 2] if bounded else order[:0]
    free = np.ones(len(pool), bool)
    free[nearest] = False
    rest = np.flatnonzero(free)[: keep - len(nearest)]  # the pool is random, so its order is a random choice
    kept = np.concatenate([nearest, rest])
    samples = np.empty((keep, 6))
    samples[:, FIELD_UV] = pool[kept]
    samples[:, FIELD_POINT] = face.outward(face.parameters(pool[kept]))[0]
    samples[:, FIELD_DISTANCE] = signed[kept]
    return samples, bounded
