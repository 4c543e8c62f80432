"""Reading files of planes without the kernel's repairs: the same records, and never for a flawed solid."""

import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from OCP.BRepAlgoAPI import BRepAlgoAPI_Cut

from brep_mae.brep import file_graphs as module
from brep_mae.brep.file_graphs import file_graphs
from brep_mae.brep.graph import face_graph
from brep_mae.brep.part import Parts
from brep_mae.brep.sampling import Sampling
from brep_mae.brep.step import read_solids
from brep_mae.schema import FaceGraph
from tests.brep.solids import SHAPES, box, notched_block, placed, write_step

SAMPLING = Sampling(6, 64, 16, False, False)
WINDOW = BRepAlgoAPI_Cut(box(4, 4, 1), box(2, 1, 3, (1, 1, -1))).Shape()


@pytest.fixture
def reads(monkeypatch) -> list[bool]:
    """Whether each reading of a file trusted it."""
    found: list[bool] = []

    def read(path: Path, trusting: bool = False):
        found.append(trusting)
        return read_solids(path, trusting)

    monkeypatch.setattr(module, "read_solids", read)
    return found


def same(a: FaceGraph, b: FaceGraph) -> bool:
    pairs = [(getattr(a, f.name), getattr(b, f.name)) for f in fields(FaceGraph)]
    return all(np.array_equal(x, y) if isinstance(x, np.ndarray) else x == y for x, y in pairs)


def repaired(file: Path) -> list[FaceGraph]:
    parts = Parts(SAMPLING)
    return [face_graph(solid, f"k#{solid.index}", "n", parts) for solid in read_solids(file)]


@pytest.mark.parametrize("shape", [box(1, 2, 3), notched_block(), WINDOW, placed("moved", WINDOW)])
def test_a_sound_solid_of_planes_is_read_once_and_the_same_to_the_bit(tmp_path, reads, shape):
    file = write_step(tmp_path / "a.step", shape)
    found = file_graphs(file, "k", "n", SAMPLING)
    assert reads == [True]
    assert not read_solids(file, trusting=True)[0].repaired
    assert len(found) == 1 and all(same(a, b) for a, b in zip(found, repaired(file), strict=True))


def test_curved_solids_are_never_trusted(tmp_path):
    for name in ("cylinder", "sphere", "torus", "cone"):
        assert read_solids(write_step(tmp_path / "a.step", SHAPES[name]), trusting=True)[0].repaired


def out_of_order(text: str) -> str:
    return re.sub(r"(EDGE_LOOP\('',\(#\d+,)(#\d+),(#\d+)", r"\1\3,\2", text, count=1)


def inside_out(text: str) -> str:
    return re.sub(
        r"(ADVANCED_FACE\('',\([^)]*\),#\d+,)\.([TF])\.", lambda m: m[1] + (".F." if m[2] == "T" else ".T."), text
    )


def one_edge_backwards(text: str) -> str:
    return re.sub(
        r"(ORIENTED_EDGE\('',\*,\*,#\d+,)\.([TF])\.", lambda m: m[1] + (".F." if m[2] == "T" else ".T."), text, count=1
    )


@pytest.mark.parametrize("flaw", [out_of_order, inside_out, one_edge_backwards])
def test_a_flawed_solid_is_read_again_with_repairs(tmp_path, reads, flaw):
    file = write_step(tmp_path / "a.step", notched_block())
    text = file.read_text()
    flat = re.sub(r"\n\s*", "", text)  # the writer breaks lines within an entity
    assert flaw(flat) != flat
    file.write_text(flaw(flat))
    found = file_graphs(file, "k", "n", SAMPLING)
    assert reads == [True, False]
    assert all(same(a, b) for a, b in zip(found, repaired(file), strict=True))
