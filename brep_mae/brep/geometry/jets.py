"""Partial derivatives of functions of (u, v) as numbers, their calculus, and the curvatures that follow from them.

A jet holds {(i, j): d^(i+j) f / du^i dv^j} for all i + j up to its order, lower orders first. A curve's jet has j = 0.
The entries of one jet broadcast against each other, the last axis being the coordinates.
"""

from collections.abc import Callable
from itertools import product
from math import comb

import numpy as np

from brep_mae.brep.vectors import cross

Jet = dict[tuple[int, int], np.ndarray]


def surface_orders(order: int) -> list[tuple[int, int]]:
    """(0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2), ..."""
    return [(total - j, j) for total in range(order + 1) for j in range(total + 1)]


def filled(jet: Jet, shape: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """The entries in their order; one that is constant along an axis is repeated, and read-only."""
    return tuple(value if value.shape == shape else np.broadcast_to(value, shape) for value in jet.values())


def times(left: Jet, right: Jet, multiply: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Jet:
    """Jet of a bilinear product by Leibniz' rule, for the orders that both have."""
    out: Jet = {}
    for a, b in left:
        if (a, b) in right:
            terms = [
                comb(a, i) * comb(b, j) * multiply(left[i, j], right[a - i, b - j])
                for i, j in product(range(a + 1), range(b + 1))
            ]
            out[a, b] = sum(terms[1:], terms[0])
    return out


def divided(jet: Jet, by: Jet) -> Jet:
    """Jet of a quotient; `by` has one coordinate."""
    out: Jet = {}
    for a, b in jet:
        rest = jet[a, b]
        for i, j in product(range(a + 1), range(b + 1)):
            if i or j:
                rest = rest - comb(a, i) * comb(b, j) * by[i, j] * out[a - i, b - j]
        out[a, b] = rest / by[0, 0]
    return out


def normalised(jet: Jet) -> Jet:
    """Jet of f / |f|; infinite or nan where f is zero."""
    square = times(jet, jet, lambda x, y: (x * y).sum(axis=-1, keepdims=True))
    length: Jet = {}
    for a, b in square:
        rest = square[a, b]
        for i, j in product(range(a + 1), range(b + 1)):
            if 0 < i + j < a + b:
                rest = rest - comb(a, i) * comb(b, j) * length[i, j] * length[a - i, b - j]
        length[a, b] = np.sqrt(rest) if a + b == 0 else rest / (2 * length[0, 0])
    return divided(jet, length)


def principal_curvatures(
    du: np.ndarray, dv: np.ndarray, duu: np.ndarray, duv: np.ndarray, dvv: np.ndarray, normal: np.ndarray
) -> np.ndarray:
    """Larger and smaller principal curvature.

    Args:
        du, dv, duu, duv, dvv: partial derivatives of the surface in mm, (N, 3) each, under the same placement as
            the normal.
        normal: outward unit normals (N, 3), zero where there is none.

    Positive where the material is convex, that is where the surface bends away from the normal: 1/r on both axes for
    a sphere of radius r seen from outside, -1/r and 0 for a hole of radius r. Zero where Du x Dv vanishes (poles).
    Shapes: -> (N, 2) in 1/mm
    """
    area = np.linalg.norm(cross(du, dv), axis=1)
    along, across = np.linalg.norm(du, axis=1), np.linalg.norm(dv, axis=1)
    flat = area <= 1e-8 * max(float((along * across).max(initial=0.0)), 1e-300)
    flat |= ~normal.any(axis=1)
    # in the orthonormal tangent frame e1 = du / s, dv = p e1 + q e2 the second form is a symmetric matrix, so its
    # eigenvalues stay exact at umbilics, where the root of H^2 - K would lose half of the digits
    s = np.where(flat, 1.0, along)
    p, q = (du * dv).sum(axis=1) / s, np.where(flat, 1.0, area / s)
    second_uu, second_uv, second_vv = (-(second * normal).sum(axis=1) for second in (duu, duv, dvv))
    a = second_uu / s**2
    b = (second_uv / s - p * a) / q
    c = (second_vv - p**2 * a - 2 * p * q * b) / q**2
    middle, spread = (a + c) / 2, np.hypot((a - c) / 2, b)
    return np.where(flat[:, None], 0.0, np.stack([middle + spread, middle - spread], axis=1))
