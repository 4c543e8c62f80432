"""Scalars in units of their typical spread, for networks, whose inputs should all be of one size.

Fixed numbers rather than those of the data at hand: a single solid has none, and a network that moves to another data
set must read the same scalar in the same unit. Measured on 200 of the generated machined parts, and rounded.
"""

import numpy as np

from brep_mae.features.invariants import ARC_SCALARS, FACE_SCALARS, Invariants

MOST = 5.0

FACE_TYPICAL = {  # value, spread
    "log_area": (-4.67, 2.05),
    "fill": (0.88, 0.2),
    "log_long": (-1.87, 1.09),
    "log_short": (-2.71, 1.25),
    "thick": (0.01, 0.04),
    "log_compact": (-0.76, 0.8),
    "above": (0.18, 0.18),
    "below": (0.28, 0.21),
    "on_hull": (0.23, 0.43),
    "spread": (0.17, 0.34),
    "bulge": (0.0, 0.05),
    "distance": (0.21, 0.1),
    "offset": (0.05, 0.15),
    "log_degree": (1.64, 0.43),
    "loops": (1.22, 0.8),
    "concave": (0.31, 0.31),
    "smooth": (0.07, 0.18),
    "convex": (0.61, 0.31),
    "log_inner": (0.68, 0.54),
    "log_walls": (0.87, 0.73),
    "log_cycles": (0.43, 0.69),
    "log_border": (1.51, 0.52),
    "log_ways": (1.39, 0.49),
    "log_exits": (0.88, 0.46),
    "opposite": (0.27, 0.4),
    "open": (0.23, 0.43),
    "square_inner": (0.73, 0.38),
    "square_border": (0.74, 0.3),
}
ARC_TYPICAL = {  # value, spread
    "cos_angle": (0.1, 0.34),
    "angle": (0.23, 0.41),
    "log_length": (-2.48, 1.34),
    "share": (0.2, 0.18),
    "offset": (-0.02, 0.11),
    "back_offset": (-0.02, 0.11),
    "distance": (0.15, 0.11),
    "log_area_ratio": (0.0, 2.51),
    "square": (0.69, 0.46),
}
assert tuple(FACE_TYPICAL) == FACE_SCALARS and tuple(ARC_TYPICAL) == ARC_SCALARS


def standardised(scalars: Invariants) -> Invariants:
    """Scalars from their typical value on, over their spread, within +-MOST; one-hot columns stay as they are."""
    return Invariants(_in_units(scalars.face, FACE_TYPICAL), _in_units(scalars.arc, ARC_TYPICAL), scalars.arc_index)


def _in_units(rows: np.ndarray, typical: dict[str, tuple[float, float]]) -> np.ndarray:
    n = len(typical)
    value, spread = np.array(list(typical.values()), np.float32).T
    return np.concatenate([((rows[:, :n] - value) / spread).clip(-MOST, MOST), rows[:, n:]], 1)
