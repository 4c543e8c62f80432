"""What a model is learned from, and what is kept back."""

from dataclasses import replace

import pytest

from brep_mae.datasets.labelling.labels import SolidLabels, write_labels
from brep_mae.datasets.shards import write_shard
from brep_mae.fitted.fit import fit
from tests.stored import FACE_CLASSES
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
