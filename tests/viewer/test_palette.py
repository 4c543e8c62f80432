"""Colours that everyone can tell apart."""

import itertools

import numpy as np

from brep_mae.palette import NO_CLASS, NONE, OKABE_ITO, class_colors

DEUTERANOPIA = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
)
PROTANOPIA = np.array(
    [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
)
TRITANOPIA = np.array(
    [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
)
"""Machado et al. 2009, severity 1, on linear RGB."""


def lab(colors: np.ndarray, seen_as: np.ndarray) -> np.ndarray:
    """CIELAB of sRGB (N, 3) in 0..255, as seen."""
    value = colors / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = np.clip(linear @ seen_as.T, 0, 1) @ to_xyz.T / np.array([0.9505, 1, 1.089])
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1)


def least_distance(colors: list[tuple[int, int, int]], seen_as: np.ndarray) -> float:
    seen = lab(np.array(colors, float), seen_as)
    return min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(seen, 2))


def test_colours_of_a_few_classes_differ_for_every_eye() -> None:
    colors = list(class_colors(str(i) for i in range(len(OKABE_ITO))).values())
    for eye in (np.eye(3), DEUTERANOPIA, PROTANOPIA, TRITANOPIA):
        assert least_distance(colors, eye) > 10  # 2.3 is what an eye just notices


def test_many_classes_have_a_colour_each() -> None:
    colors = class_colors(str(i) for i in range(60))
    assert len(set(colors.values())) == 61
    assert least_distance(list(colors.values())[:21], np.eye(3)) > 10


def test_no_class_is_grey_and_takes_no_colour_from_others() -> None:
    assert class_colors([NONE, "a", "b", "a"]) == {"a": OKABE_ITO[0], "b": OKABE_ITO[1], NONE: NO_CLASS}
