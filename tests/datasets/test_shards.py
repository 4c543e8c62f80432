import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from brep_mae import schema
from brep_mae.datasets.labelling.labels import FOLDER, TABLE, LabelsError, SolidLabels, labels_of, write_labels
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


def rewritten(path, change, batches=1):
    """The shard with other columns, as another program could write it."""
    reader = pa.ipc.open_file(pa.memory_map(str(path)))
    batch = reader.get_batch(0)
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    change(columns)
    new = pa.record_batch(columns).replace_schema_metadata(batch.schema.metadata)
    content = pa.BufferOutputStream()
    with pa.ipc.new_file(content, new.schema) as writer:
        for _ in range(batches):
            writer.write_batch(new)
    path.write_bytes(content.getvalue().to_pybytes())


def cast(name, kind):
    return lambda columns: columns.update({name: columns[name].cast(kind)})


def emptied(columns):
    columns["uid"] = pa.array([None, *columns["uid"].to_pylist()[1:]], pa.string())


@pytest.mark.parametrize(
    "change, batches, reason",
    [
        (cast("face_grid", pa.large_list(pa.float64())), 1, r"face_grid is large_list<item: double>, not .*float"),
        (cast("arc_index", pa.large_list(pa.int64())), 1, "column arc_index is .*int64"),
        (cast("solid", pa.int64()), 1, "column solid is int64, not int32"),
        (lambda columns: columns.pop("face_area_mm2"), 1, "column face_area_mm2 is missing"),
        (lambda columns: columns.update(more=columns["uid"]), 1, "column more is string, not known"),
        (emptied, 1, "column uid has 1 empty places"),
        (lambda columns: None, 2, "2 record batches, one is written"),
        (lambda columns: None, 0, "0 record batches, one is written"),
    ],
)
def test_columns_of_another_type_and_other_batches_are_refused_and_not_misread(folder, change, batches, reason):
    rewritten(folder / "00000.arrow", change, batches)
    with pytest.raises(ShardError, match=rf"00000\.arrow: .*{reason}.*; run the parse stage again"):
        open_shards(folder)


@pytest.mark.parametrize("size", [0, 3, 1000, -2])
def test_sizes_that_do_not_fit_the_numbers_are_refused_with_the_solid(folder, size):
    def change(columns):
        columns["size_F"] = pa.array([size, *columns["size_F"].to_pylist()[1:]], pa.int32())

    rewritten(folder / "00000.arrow", change)
    shards = open_shards(folder)
    assert same(shards[1], UNKNOWN[1])
    with pytest.raises(ShardError, match=rf"00000\.arrow: {GRAPHS[0].uid} holds .* damaged; run the parse stage again"):
        validate(shards[0])


def test_offsets_that_leave_the_file_are_refused(folder):
    def change(columns):
        offsets, values = columns["face_grid"].offsets.to_pylist(), columns["face_grid"].values
        offsets[1] = 2 * len(values)
        columns["face_grid"] = pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), values)

    rewritten(folder / "00000.arrow", change)
    shards = open_shards(folder)
    for row in (0, 1):
        with pytest.raises(ShardError, match="damaged; run the parse stage again"):
            validate(shards[row])
    assert same(shards[2], UNKNOWN[2])


def test_a_flipped_byte_ends_in_the_record_or_an_error_of_ours_and_in_no_crash(folder):
    """In a process of its own: a wrong offset would be followed out of the file."""
    script = f"""
from dataclasses import fields
from pathlib import Path
from brep_mae.datasets.shards import ShardError, open_shards
from brep_mae.schema import FaceGraph
path = Path({str(folder)!r}) / "00000.arrow"
whole = path.read_bytes()
for place in range(0, len(whole), 97):
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1:])
    try:
        shards = open_shards(path.parent)
    except ShardError:
        continue
    for row in range(len(shards)):
        try:
            [getattr(shards[row], each.name) for each in fields(FaceGraph)]
        except ShardError:
            pass
print("alive")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "alive", done.stderr[-500:]


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
    known = {g.uid: SolidLabels(g.face_label, g.part_label) for g in GRAPHS[3::-1]}
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
    with pytest.raises(LabelsError, match=rf"{TABLE}: holds no labels: not complete .*; run the label stage"):
        open_shards(folder)
    table.unlink()
    with pytest.raises(LabelsError, match="no such file"):
        open_shards(folder)
