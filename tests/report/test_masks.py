"""Hidden faces of every checkpoint in one colour and seen ones in another, and the share of every kind."""

from pathlib import Path

import numpy as np
import pytest

from brep_mae.report import masks
from brep_mae.report.masks import mask_figure, shares_table, shown_steps
from tests.report.stored_faces import face_arrays

STEPS = [0, 10, 20, 30, 40, 50]


def arrays(solids: bool = True) -> dict[str, np.ndarray]:
    """Two faces or four patches, of which the first is hidden until step 20 and the last from then on."""
    count = 2 if solids else 4
    hidden = np.zeros((6, count), bool)
    hidden[:3, 0], hidden[3:, -1] = True, True
    number = np.array([[[30 - 2 * s, 10 * s, 3], [60, 100, 5]] for s in range(6)])
    found = {"steps": np.array(STEPS), "kinds": np.array(["plane", "cylinder", "torus"]), "number": number}
    found |= {"hidden": hidden, "sigma": np.where(hidden, 0.9, 0.1)}
    if solids:
        drawn = face_arrays([True, False])
        return found | {key: drawn[key] for key in ("grid", "solid", "edge", "edge_face")}
    return found | {"images": np.full((1, 1, 8, 8, 3), 255, np.uint8)}


def saved(path: Path, **changed: bool) -> Path:
    np.savez(path, **arrays(**changed))  # type: ignore[arg-type]
    return path


def test_first_and_last_checkpoint_are_drawn_and_few_between() -> None:
    assert [STEPS[i] for i in shown_steps(arrays())] == [0, 20, 30, 50]
    assert shown_steps({"steps": np.array([0])}) == [0]


def test_the_table_has_shares_of_every_kind_that_there_are_enough_of(tmp_path: Path) -> None:
    table = shares_table("guided", saved(tmp_path / "m.npz"))
    assert list(table.header) == ["kind", "step 0", "step 20", "step 30", "step 50"]
    plane, cylinder, every = table.rows
    assert plane == ["plane (60)", "50.0", "43.3", "40.0", "33.3"]
    assert cylinder == ["cylinder (100)", "0.0", "20.0", "30.0", "50.0"]
    assert every == ["all", "20.0", "29.7", "34.5", "44.2"]


def test_hidden_faces_are_orange_and_seen_ones_blue_at_each_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    painted = []
    scene = masks.scene
    monkeypatch.setattr(
        masks, "scene", lambda grid, colors, *rest: (painted.append(colors), scene(grid, colors, *rest))[1]
    )
    figure = mask_figure(saved(tmp_path / "m.npz"))
    assert [[color[0] > color[2] for color in faces.values()] for faces in painted] == [
        [True, False],
        [True, False],
        [False, True],
        [False, True],
    ]
    assert figure.subfigs[0].axes[0].get_title() == "step 0: 1 of 2 hidden\nσ 0.10 to 0.90"
    lines = {line.get_label(): line.get_ydata() for line in figure.subfigs[1].axes[0].get_lines()}
    assert set(lines) == {"plane (60)", "cylinder (100)", "all"}
    assert np.allclose(lines["cylinder (100)"], [0, 10, 20, 30, 40, 50])


def test_hidden_patches_are_painted_over(tmp_path: Path) -> None:
    figure = mask_figure(saved(tmp_path / "m.npz", solids=False))
    original, *steps = (axes.images[0].get_array() for axes in figure.subfigs[0].axes)
    assert (original == 1).all() and len(steps) == 4
    for image, corner in zip(steps, [(0, 0), (0, 0), (4, 4), (4, 4)], strict=True):
        over = (image < 0.99).any(-1)
        assert over.sum() == 16 and over[corner]
