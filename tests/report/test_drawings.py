"""Reconstructions show what was seen, what was hidden and what was predicted, and nothing that was trimmed away."""

from pathlib import Path

import numpy as np
import pytest

from brep_mae.report import drawings, figures
from brep_mae.report.drawings import EDGE, SEEN, Scene, best_view, polygons, reconstruction, scenes
from brep_mae.schema import INSIDE
from tests.report.stored_faces import face_arrays, face_file


def panels(arrays: dict[str, np.ndarray]) -> list[Scene]:
    return list(scenes(*(arrays[key] for key in ("grid", "predicted", "hidden", "edge", "edge_face")))[1].values())


def edges(scene: Scene) -> np.ndarray:
    return scene.cells[np.isclose(scene.paint, EDGE).all(1)]


def coloured(scene: Scene) -> np.ndarray:
    """Cells that are neither grey nor of an edge."""
    shade = scene.paint / np.array(SEEN)
    return scene.cells[(np.ptp(shade, axis=1) > 1e-6) & ~np.isclose(scene.paint, EDGE).all(1)]


def test_hidden_faces_are_coloured_left_and_right_and_missing_between() -> None:
    original, seen, predicted = panels(face_arrays([True, False]))
    assert [len(coloured(scene)) for scene in (original, seen, predicted)] == [9, 0, 9]
    assert [len(scene.cells) for scene in (original, seen, predicted)] == [9 + 9 + 3, 9 + 3, 9 + 9 + 3]
    assert np.allclose(coloured(predicted), 0.9 * coloured(original))  # the right one is drawn from the prediction


def test_the_three_panels_are_seen_from_one_point_and_say_what_they_show(tmp_path: Path) -> None:
    figure = reconstruction(face_file(tmp_path / "a.npz", [True, False]))
    assert [axes.get_title() for axes in figure.axes[:2]] == ["original: 2 faces", "seen: 1 of 2 faces"]
    assert len({(axes.elev, axes.azim) for axes in figure.axes}) == 1
    figures.png(figure)  # projects


def test_an_edge_between_two_hidden_faces_is_not_given_away() -> None:
    assert [len(edges(scene)) for scene in panels(face_arrays([True, True]))] == [3, 0, 3]


def test_a_solid_of_which_nothing_was_seen_is_drawn() -> None:
    figures.png(drawings.faces(face_arrays([True, True])))


def test_every_solid_has_a_row_of_its_own_and_its_own_edges(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    monkeypatch.setattr(drawings, "scenes", lambda *arrays: (drawn.append(arrays), scenes(*arrays))[1])
    arrays = face_arrays([True, False], solids=(0, 1)) | {"edge_face": np.array([[1], [1]])}
    assert len(drawings.faces(arrays).axes) == 6
    assert [len(grid) for grid, *_ in drawn] == [1, 1]
    assert [len(edge) for *_, edge, _ in drawn] == [0, 1]
    assert drawn[1][-1].tolist() == [[0], [0]]  # numbered within the solid


def test_only_what_lies_inside_the_trimming_loops_is_drawn_with_half_cells_at_their_border() -> None:
    grid = face_arrays([True, True])["grid"][0]
    grid[2:, :, INSIDE] = 0
    assert len(polygons(grid)) == 3  # of 3 x 3 cells, the first row stays whole
    grid[2, 0, INSIDE] = 1
    found = polygons(grid)
    assert len(found) == 4
    (half,) = [cell for cell in found if len(np.unique(cell, axis=0)) == 3]
    assert not (half == grid[2, 1, :3]).all(1).any(), "the corner outside is left out"


def test_the_view_is_one_from_which_hidden_faces_are_seen() -> None:
    arrays = face_arrays([True, False])
    assert best_view(arrays["grid"], arrays["hidden"])[0] > 0
    arrays["grid"][..., 5] = -1  # facing down
    assert best_view(arrays["grid"], arrays["hidden"])[0] < 0


def test_a_face_too_thin_for_a_cell_is_drawn_as_points() -> None:
    arrays = face_arrays([True, False])
    arrays["grid"][0, ..., INSIDE] = np.eye(4)
    assert [len(scene.points) for scene in panels(arrays)] == [4, 0, 0]  # the prediction has cells


@pytest.mark.parametrize("solids, views, shape", [(3, 4, (3, 12)), (3, 6, (6, 12)), (2, 24, (6, 12)), (8, 1, (3, 8))])
def test_frames_stand_beside_each_other_as_far_as_they_fit(solids: int, views: int, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (3, solids, views, 8, 8, 3), dtype=np.uint8)
    figure = drawings.images({"titles": np.array(["original", "seen", "predicted"]), "images": images})
    assert len(figure.axes) == shape[0] * shape[1]
    lower = figure.axes[shape[1]]  # the first of the second row
    assert lower.get_ylabel() == "seen" and (lower.images[0].get_array() == images[1, 0, 0]).all()
    block = figure.axes[(shape[0] - 1) * shape[1]]
    assert (block.images[0].get_array() == images[2, (solids - 1) // (12 // views or 1) * (12 // views or 1), 0]).all()


def test_a_file_of_another_kind_is_an_error_that_names_it(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", weights=np.zeros(3))
    with pytest.raises(ValueError, match=r"other\.npz: not a reconstruction, it holds weights; pretrain again"):
        reconstruction(tmp_path / "other.npz")


def test_an_array_that_would_need_pickle_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "evil.npz", titles=np.array([{"a": 1}], dtype=object), images=np.zeros(1))
    with pytest.raises(ValueError, match="allow_pickle"):
        reconstruction(tmp_path / "evil.npz")
