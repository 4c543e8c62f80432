"""Signed distance to a face's trimming loops at random points of its (u, v) box: the implicit half of a face.

Jones et al. 2023, arXiv:2210.10807. Differs from the paper: the distance is the exact one to the chords that follow
the loops, where the paper takes the distance to the nearest sample of the other side; a face without any outside
sample is marked instead of getting an infinite distance; seams of periodic surfaces are no boundary (see `trimming`);
free-form surfaces go on along their tangent plane outside their own domain (see `freeform`).
"""

import numpy as np

from brep_mae.brep.faces.trimming import MARGIN


def draw_pool(uid: str, faces: int, count: int) -> np.ndarray:
    """Uniform in [-MARGIN, 1 + MARGIN]^2, the same for the same solid on every run. Shapes: (faces, count, 2)."""
    if not count:
        return np.empty((faces, 0, 2))
    key = int.from_bytes(uid.encode(), "big")
    draws = [np.random.default_rng([key, face]).random((count, 2)) for face in range(faces)]
    return np.array(draws) * (1 + 2 * MARGIN) - MARGIN


def keep_near(inside: np.ndarray, distance: np.ndarray, keep: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Keeps the half of each face's samples that is nearest to the boundary and fills up from the rest of the pool.

    Args:
        inside: (F, P) True inside the loops or on them.
        distance: (F, P) to the loops, in the rescaled box, >= 0.
        keep: samples to keep of each face, at most the pool.

    Returns:
        numbers of the samples kept (F, keep), their signed distances (F, keep), and whether a face is bounded (F,):
        False where no point of the pool lies outside, and the distances, then zero, mean nothing.
    """
    bounded = (~inside).any(axis=1) & np.isfinite(distance).all(axis=1)
    signed = np.where(bounded[:, None], np.where(inside, -distance, distance), 0.0)
    order = np.argsort(np.abs(signed), axis=1, kind="stable")
    nearest = order[:, : keep // 2]
    # the pool is random, so its order is a random choice; where nothing is near, all that order counts
    later = np.ones(inside.shape, bool)
    np.put_along_axis(later, nearest, False, axis=1)
    rest = np.argsort(~later, axis=1, kind="stable")[:, : keep - keep // 2]
    kept = np.concatenate([nearest, rest], axis=1)
    return kept, np.take_along_axis(signed, kept, axis=1), bounded
