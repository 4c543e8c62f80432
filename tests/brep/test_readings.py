"""A parse against the kernel's default reading, solid by solid: area, boxes, masks and the order of faces."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.readings import SAMPLING, by_default, compare, difference
from brep_mae.brep.graph.file_graphs import file_graphs
from brep_mae.brep.reject import Reject
from tests.brep.solids import CUT, SHAPES, placed, write_step


@pytest.mark.parametrize("assembly", [False, True])
def test_made_solids(tmp_path, assembly):
    shapes = [*SHAPES.values(), *CUT.values(), placed("moved", CUT["drilled torus"])]
    told = compare(write_step(tmp_path / "a.step", *shapes, assembly=assembly))
    assert told == [""] * len(shapes)


@pytest.mark.parametrize("folder", ["step_samples", "real_parts"])
def test_files_of_others(shared_data, folder):
    files = sorted(path for path in (shared_data / folder).iterdir() if path.suffix in (".step", ".stp"))
    for file in files[:6]:
        assert set(compare(file)) == {""}, file.name


def test_every_difference_is_told(tmp_path):
    file = write_step(tmp_path / "a.step", CUT["slotted cylinder"])
    (ours,) = file_graphs(file, "k", "n", SAMPLING)
    (default,) = by_default(file)
    assert difference(ours, default) == ""
    assert not isinstance(ours, Reject) and not isinstance(default, Reject)
    order = np.roll(np.arange(ours.n_faces), 1)
    rolled = {name: getattr(ours, name)[order] for name in ("face_area_mm2", "face_centroid_mm", "face_box_mm")}
    assert difference(replace(ours, **rolled), default) == "face_area_mm2 or order"
    assert difference(replace(ours, face_area_mm2=2 * ours.face_area_mm2), default) == "face_area_mm2"
    assert difference(replace(ours, face_box_mm=ours.face_box_mm + 1), default) == "face_box_mm"
    grid = ours.face_grid.copy()
    grid[0, ..., 6] = 1 - grid[0, ..., 6]
    assert difference(replace(ours, face_grid=grid), default) == "masks"
    assert difference(Reject("degenerate", "x"), default) == "refused here: degenerate"
