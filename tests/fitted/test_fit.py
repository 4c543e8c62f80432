"""What a model is learned from, and what is kept back."""

from dataclasses import replace

import numpy as np
import pytest

from brep_mae.datasets.labelling.labels import SolidLabels, open_labels, write_labels
from brep_mae.datasets.shards import write_shard
from brep_mae.fitted.fit import fit, unit_of
from brep_mae.fitted.rows import every_row
from brep_mae.models.extractors.hops import Hops
from brep_mae.models.extractors.joined import Joined
from tests.contracts.test_methods import small
from tests.stored import FACE_CLASSES, solids, store
from tests.synthetic import make_graph


@pytest.mark.parametrize("kept_back", [0, 1])
def test_a_file_of_which_one_solid_is_for_the_test_is_not_learned_from_at_all(tmp_path, kept_back):
    """Solids of a file resemble one another, so what tells how good a model is must not share a file with the rest."""
    graphs = [
        replace(make_graph(6, seed=2 * file + solid), uid=f"file{file}#{solid}", file=f"{file}.step", solid=solid)
        for file in range(6)
        for solid in range(2)
    ]
    write_shard(tmp_path / "00000.arrow", graphs)
    sides = {f"file5#{kept_back}": "test"}
    labels = {one.uid: SolidLabels(one.face_label, one.part_label, sides.get(one.uid, "")) for one in graphs}
    write_labels(tmp_path / "labels", FACE_CLASSES, (), labels, {})
    model, _ = fit(tmp_path, "face", None)
    assert (model.report["files"], model.report["rows"]) == (5, 60) and model.report["test"] is not None


@pytest.mark.parametrize(
    "parts, unit",
    [
        ([[0, 0], [1, 1], [-1, -1]], "file"),
        ([[0, 1], [1, 1], [-1, -1]], "solid"),
        ([[0, -1], [1, 1], [-1, -1]], "solid"),
        ([[0], [1], [-1, -1]], "solid"),
        ([[-1], [-1, -1]], "solid"),
    ],
)
def test_files_have_classes_where_all_solids_of_each_have_the_same(tmp_path, parts, unit):
    part_of = {f"file{i}#{k}": part for i, solids in enumerate(parts) for k, part in enumerate(solids)}
    graphs = [replace(make_graph(4, seed=i), uid=uid) for i, uid in enumerate(part_of)]
    write_shard(tmp_path / "00000.arrow", graphs)
    none = np.full(4, -1, np.int16)
    labels = {uid: SolidLabels(none, part) for uid, part in part_of.items()}
    write_labels(tmp_path / "labels", (), ("a", "b"), labels, {})
    assert unit_of(open_labels(tmp_path / "labels"), tmp_path) == unit
    labels["file0#0"] = SolidLabels(np.zeros(4, np.int16))
    write_labels(tmp_path / "labels", ("x",), ("a", "b"), labels, {})
    assert unit_of(open_labels(tmp_path / "labels"), tmp_path) == "face"


@pytest.mark.parametrize("unit", ["face", "solid"])
def test_of_no_part_there_are_no_rows_as_wide_as_those_of_some(tmp_path, unit):
    reader = Joined(Hops(), small("attribute_masking").backbone())
    data = solids(tmp_path, store(tmp_path), *reader.reads)
    rows, none = (every_row(unit, reader, data, uids) for uids in (data.uids[:2], []))
    assert none.shape == (0, reader.dim if unit == "face" else reader.solid_dim)
    assert none.shape[1] == rows.shape[1] and none.dtype == rows.dtype
