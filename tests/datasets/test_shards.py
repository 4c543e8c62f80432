import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from brep_mae import schema
from brep_mae.datasets.labels import FOLDER, TABLE, LabelsError, SolidLabels, labels_of, write_labels
from brep_mae.datasets.shards import ShardError, digest, open_shards, write_shard
from brep_mae.schema import ARRAYS, UNLABELLED, validate
from tests.records import record

GRAPHS = [record(f"{i:016x}#0", faces=2 + i, arcs=2 * i, file=f"{i}.step", name=f"é {i}") for i in range(5)]
UNKNOWN = [replace(g, face_label=np.full(g.n_faces, UNLABELLED, np.int16), part_label=UNLABELLED) for g in GRAPHS]
"""What a shard holds of them."""


@pytest.fixture
def folder(tmp_path):
    write_shard(tmp_path / "00000.arrow", GRAPHS[:3])
    write_shard(tmp_path / "00001.arrow", GRAPHS[3:])
    return tmp_path


def same(a, b):
    names = ("uid", "file", "solid", "name", "unit_mm", "face_name", "part_label")
    plain = all(getattr(a, n) == getattr(b, n) for n in names)
    return plain and all(
        getattr(a, n).dtype == getattr(b, n).dtype and np.array_equal(getattr(a, n), getattr(b, n)) for n in ARRAYS
    )


def test_records_come_back_as_they_were_from_any_place(folder):
    shards = open_shards(folder)
    assert len(shards) == 5
    assert shards.uids == [g.uid for g in GRAPHS]
    for i in (4, 0, 3, 2, 1, -1):
        assert same(validate(shards[i]), UNKNOWN[i])
    assert all(same(a, b) for a, b in zip(shards, UNKNOWN, strict=True))
    assert [g.uid for g in shards[1:3]] == [g.uid for g in GRAPHS[1:3]]
    with pytest.raises(IndexError):
        shards[5]


def test_arrays_are_views_into_the_file(folder):
    shards = open_shards(folder)
    grid = shards[1].face_grid
    assert not grid.flags.owndata and not grid.flags.writeable
    assert np.shares_memory(grid, shards[1].face_grid)


def test_the_same_records_are_the_same_bytes(folder, tmp_path_factory):
    again = tmp_path_factory.mktemp("again")
    write_shard(again / "00000.arrow", GRAPHS[:3])
    write_shard(again / "00001.arrow", UNKNOWN[3:])  # labels are no part of it
    assert (again / "00001.arrow").read_bytes() == (folder / "00001.arrow").read_bytes()
    assert digest(again) == digest(folder)
    write_shard(again / "00001.arrow", GRAPHS[2:])
    assert digest(again) != digest(folder)


def test_another_schema_version_is_refused_with_file_reason_and_remedy(folder, monkeypatch):
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    versions = f"schema version {schema.VERSION - 1}, this program reads {schema.VERSION}"
    with pytest.raises(ShardError, match=rf"00000.arrow: {versions}; run the parse stage"):
        open_shards(folder)


def test_a_cut_shard_and_an_empty_folder_are_refused(folder, tmp_path_factory):
    path = folder / "00001.arrow"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ShardError, match=r"00001.arrow: not a complete shard"):
        open_shards(folder)
    with pytest.raises(ShardError, match="run the parse stage first"):
        open_shards(tmp_path_factory.mktemp("empty"))


def test_a_crash_while_writing_leaves_no_half_shard(tmp_path, monkeypatch):
    monkeypatch.setattr("os.replace", lambda a, b: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_shard(tmp_path / "00000.arrow", GRAPHS)
    assert list(tmp_path.glob("*.arrow")) == []


def test_other_processes_open_the_files_themselves(folder):
    assert len(pickle.dumps(open_shards(folder))) < 1000
    assert same(pickle.loads(pickle.dumps(open_shards(folder)))[4], UNKNOWN[4])  # noqa: S301


def test_reading_needs_no_cad_kernel_and_no_torch():
    code = "import sys, brep_mae.datasets.shards; print({'OCP', 'torch'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


@pytest.mark.parametrize("place", ["beside", "elsewhere"])
def test_labels_are_joined_when_a_record_is_read(folder, tmp_path_factory, place):
    at = folder / FOLDER if place == "beside" else tmp_path_factory.mktemp("labels")
    known = {g.uid: SolidLabels(g.face_label, g.part_label) for g in GRAPHS[:4]}
    write_labels(at, ("a", "b"), ("p", "q", "r"), known, {"rows": 7})
    shards = open_shards(folder, None if place == "beside" else at)
    assert all(same(a, b) for a, b in zip(shards, [*GRAPHS[:4], UNKNOWN[4]], strict=True))
    assert same(pickle.loads(pickle.dumps(shards))[1], GRAPHS[1])  # noqa: S301
    assert (shards.labels.face_classes, shards.labels.part_classes) == (("a", "b"), ("p", "q", "r"))
    first = shards.labels.digest
    write_labels(at, ("a", "b"), ("p", "q", "r"), known, {"rows": 8})
    assert labels_of(folder, at).digest == first, "what the report says is no label"
    write_labels(at, ("a", "c"), ("p", "q", "r"), known, {})
    assert labels_of(folder, at).digest != first


def test_labels_of_another_solid_and_broken_ones_are_refused(folder):
    write_labels(folder / FOLDER, ("a", "b"), (), {GRAPHS[0].uid: SolidLabels(np.zeros(7, np.int16))}, {})
    with pytest.raises(ShardError, match=r"00000.arrow: .* has 2 faces, its labels name 7; run the label stage again"):
        open_shards(folder)[0]
    table = folder / FOLDER / TABLE
    table.write_bytes(table.read_bytes()[:-40])
    with pytest.raises(LabelsError, match=r"labels: holds no labels: not complete .*; run the label stage"):
        open_shards(folder)
    table.unlink()
    with pytest.raises(LabelsError, match="no such file"):
        open_shards(folder)
