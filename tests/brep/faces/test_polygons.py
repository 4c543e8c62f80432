"""Faces of many chords: points meet few of them, and get the same answers to the last bit."""

import numpy as np
import pytest

from benchmarks.plates import plate_of_holes
from brep_mae.brep.faces import polygons
from tests.brep.solids import graph_of

SIDES = 16


def rings(rows: int, faces: int, curved: float, seams: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Points, among them ends and middles of chords, and rows x rows rings of 16 chords in each face."""
    rng = np.random.default_rng(5)
    turn = np.linspace(0.0, 2 * np.pi, SIDES + 1)
    ring = np.stack([np.cos(turn), np.sin(turn)], axis=-1) * 0.4 / rows
    corners = rng.uniform(0.0, 1.0, (rows**2, faces, 1, 2)) + ring
    chords = np.stack([corners[:, :, :-1], corners[:, :, 1:]], axis=-2)
    chords = chords.transpose(0, 2, 1, 3, 4).reshape(rows**2 * SIDES, faces, 2, 2)
    error = np.where(rng.random(chords.shape[:2]) < curved, rng.uniform(0.0, 1e-3, chords.shape[:2]), 0.0)
    some = rng.integers(0, len(chords), 20)
    known = np.concatenate([chords[some, :, 0], chords[some].mean(axis=2)]).transpose(1, 0, 2)
    points = np.concatenate([known, rng.uniform(-0.1, 1.1, (faces, 300, 2))], axis=1)
    return points, chords, rng.random(chords.shape[:2]) < seams, error


@pytest.mark.parametrize("curved, seams", [(0.0, 0.0), (0.5, 0.2), (1.0, 1.0)])
@pytest.mark.parametrize("rows, pairs", [(4, polygons.PAIRS), (12, polygons.PAIRS), (12, 16)])
def test_leaving_chords_out_changes_nothing(monkeypatch, rows, pairs, curved, seams):
    case = rings(rows, 2, curved, seams)
    monkeypatch.setattr(polygons, "PAIRS", pairs)
    monkeypatch.setattr(polygons, "MANY", 10**9)
    expected = polygons.locate(*case)
    monkeypatch.setattr(polygons, "MANY", 1)
    for got, right in zip(polygons.locate(*case), expected, strict=True):
        np.testing.assert_array_equal(got, right)
    assert expected[0].any() and not expected[0].all()


def test_a_point_meets_few_of_many_chords(monkeypatch):
    met = []
    real = polygons._squared_gap

    def counted(px: np.ndarray, *rest: np.ndarray) -> np.ndarray:
        met.append(px.size)
        return real(px, *rest)

    monkeypatch.setattr(polygons, "_squared_gap", counted)
    points, chords, seam, error = rings(40, 1, 0.0, 0.0)
    polygons.locate(points, chords, seam, error)
    assert sum(met) < 0.01 * points.shape[1] * len(chords)


def test_a_plate_of_many_holes(monkeypatch):
    """Samples of a plate of 8 x 8 mm are inside but in holes of radius 0.3 around the middles of its squares."""
    plate = plate_of_holes(8)
    graph = graph_of(plate, grid=30)
    (top, bottom) = np.flatnonzero(graph.face_area_mm2 > 30)
    points, inside = graph.face_grid[top, ..., :3], graph.face_grid[top, ..., 6]
    place = points[..., :2] - points[..., :2].min(axis=(0, 1))
    away = np.linalg.norm(place % 1 - 0.5, axis=-1)
    np.testing.assert_array_equal(inside > 0.5, away >= 0.3)
    np.testing.assert_array_equal(graph.face_grid[bottom, ..., 6].sum(), inside.sum())
    assert graph.face_area_mm2[top] == pytest.approx(64 - 64 * np.pi * 0.09, rel=1e-6)
    monkeypatch.setattr(polygons, "MANY", 10**9)
    np.testing.assert_array_equal(graph_of(plate, grid=30).face_grid, graph.face_grid)
