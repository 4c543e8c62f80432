"""Milled parts: a feature has the faces its name says, keeps them beside others, and the seed settles everything."""

import json
from collections import Counter

import numpy as np
import pytest
from OCP.BRepGProp import BRepGProp
from OCP.GProp import GProp_GProps

from brep_mae.brep.graph.file_graphs import file_graphs
from brep_mae.brep.sampling import Sampling
from brep_mae.datasets.adapters import mfcad
from brep_mae.datasets.source import open_source
from brep_mae.generate.generate import generate
from brep_mae.generate.generators.milled.classes import FACE_CLASSES, PART_CLASSES
from brep_mae.generate.generators.milled.draw import FEATURES, build, draw_part
from brep_mae.generate.labelled import LabelledSolid, Rejected, check, edges, faces
from brep_mae.schema import POINT

SOLIDS, SEED, STOCK_MM3 = 6, 5, 1000.0
BY_HAND = {  # faces of the feature, and pieces of the cube's six sides
    "chamfer": (1, 6),
    "triangular_passage": (3, 6),
    "rectangular_passage": (4, 6),
    "6sides_passage": (6, 6),
    "triangular_through_slot": (2, 7),
    "rectangular_through_slot": (3, 7),
    "rectangular_through_step": (2, 6),
    "2sides_through_step": (3, 6),
    "slanted_through_step": (2, 6),
    "triangular_pocket": (4, 6),
    "rectangular_pocket": (5, 6),
    "6sides_pocket": (7, 6),
    "rectangular_blind_slot": (4, 6),
    "triangular_blind_step": (2, 6),
    "rectangular_blind_step": (3, 6),
}


def accepted(rng: np.random.Generator, *classes: str) -> LabelledSolid:
    """The first of a hundred attempts that is not rejected."""
    for _ in range(100):
        try:
            return build(rng, classes)
        except Rejected:
            continue
    pytest.fail(f"a hundred draws of {classes} rejected")


def volume_mm3(part: LabelledSolid) -> float:
    BRepGProp.VolumeProperties_s(part.solid, size := GProp_GProps())
    return size.Mass()


def labelled_faces(part: LabelledSolid):
    return zip(faces(part.solid), part.labels, strict=True)


def test_classes_are_mfcads_in_its_order():
    assert FACE_CLASSES == mfcad.FACE_CLASSES
    assert set(BY_HAND) == set(FEATURES) == set(FACE_CLASSES) - {"stock"}


@pytest.mark.parametrize("name", BY_HAND)
def test_a_feature_alone_has_the_faces_counted_by_hand(name):
    rng, (own, stock) = np.random.default_rng(1), BY_HAND[name]
    for _ in range(8):
        part = accepted(rng, name)
        check(part)
        assert len(part.labels) == len(faces(part.solid))
        assert Counter(part.labels) == {name: own, "stock": stock}
        assert 0.05 * STOCK_MM3 < volume_mm3(part) < STOCK_MM3 - 1


@pytest.mark.parametrize(
    "classes",
    [
        ("2sides_through_step", "triangular_pocket", "rectangular_blind_slot", "triangular_blind_step"),
        ("chamfer", "slanted_through_step", "rectangular_pocket", "6sides_pocket", "rectangular_blind_step"),
        ("6sides_passage", "triangular_through_slot", "rectangular_through_step", "triangular_pocket"),
    ],
)
def test_features_keep_apart(classes):
    """Each has the faces it has alone; none but passages ever meet another feature."""
    rng = np.random.default_rng(2)
    for _ in range(6):
        found = Counter(accepted(rng, *classes).labels)
        del found["stock"]
        assert found == {name: BY_HAND[name][0] for name in classes}


def test_passages_run_across_each_other_and_across_chamfers():
    rng = np.random.default_rng(3)
    counts = {len(accepted(rng, "rectangular_passage", "6sides_passage").labels) for _ in range(30)}
    assert min(counts) == 6 + 4 + 6 < max(counts)
    chamfered = [accepted(rng, "chamfer", "triangular_passage") for _ in range(30)]
    corners = {sum(len(edges(f)) for f, c in labelled_faces(part) if c == "chamfer") for part in chamfered}
    assert min(corners) == 4 < max(corners)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("milled") / "set"
    return out, generate(out, "milled", SOLIDS, SEED)


def test_the_same_seed_gives_the_same_bytes_and_another_others(made, tmp_path):
    generate(tmp_path / "same", "milled", 3, SEED)
    generate(tmp_path / "other", "milled", 1, SEED + 1)
    for index in range(3):
        name = f"step/{index:06d}.step"
        assert (tmp_path / "same" / name).read_bytes() == (made[0] / name).read_bytes()
    assert (tmp_path / "other/step/000000.step").read_bytes() != (made[0] / "step/000000.step").read_bytes()


def test_parts_are_as_large_as_mfcads():
    parts = [draw_part(SEED, index) for index in range(40)]
    stock = sum(part.labels.count("stock") for part in parts)
    total = sum(len(part.labels) for part in parts)
    assert 20 < total / len(parts) < 25  # 22.5 in MFCAD
    assert 0.25 < stock / total < 0.34  # 0.295 in MFCAD
    assert {label for part in parts for label in part.labels} == set(FACE_CLASSES)


def test_files_parse_and_every_face_gets_its_label(made, tmp_path):
    out, report = made
    assert report.attempts == SOLIDS + sum(report.rejected.values())
    source = open_source("generated", str(out), 0, tmp_path)
    assert (source.face_classes, source.part_classes) == (FACE_CLASSES, PART_CLASSES)
    for line in (out / "labels.jsonl").read_text().splitlines():
        record = json.loads(line)
        (graph,) = file_graphs(out / record["file"], record["file"], record["file"], Sampling(4, 0, 0, False, False))
        assert np.ptp(graph.arc_grid[..., POINT].reshape(-1, 3), axis=0) == pytest.approx(10)
        assert Counter(FACE_CLASSES[i] for i in source.label(graph).face_label) == Counter(record["faces"])
