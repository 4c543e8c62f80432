import pickle
import subprocess
import sys

import numpy as np
import pytest

from brep_mae import schema
from brep_mae.datasets.shards import ShardError, digest, open_shards, write_shard
from brep_mae.schema import ARRAYS, validate
from tests.records import record

GRAPHS = [record(f"{i:016x}#0", faces=2 + i, arcs=2 * i, file=f"{i}.step", name=f"é {i}") for i in range(5)]


@pytest.fixture
def folder(tmp_path):
    write_shard(tmp_path / "00000.arrow", GRAPHS[:3])
    write_shard(tmp_path / "00001.arrow", GRAPHS[3:])
    return tmp_path


def same(a, b):
    plain = all(getattr(a, n) == getattr(b, n) for n in ("uid", "file", "solid", "name", "unit_mm", "face_name"))
    return plain and all(
        getattr(a, n).dtype == getattr(b, n).dtype and np.array_equal(getattr(a, n), getattr(b, n)) for n in ARRAYS
    )


def test_records_come_back_as_they_were_from_any_place(folder):
    shards = open_shards(folder)
    assert len(shards) == 5
    assert shards.uids == [g.uid for g in GRAPHS]
    for i in (4, 0, 3, 2, 1, -1):
        assert same(validate(shards[i]), GRAPHS[i])
    assert all(same(a, b) for a, b in zip(shards, GRAPHS, strict=True))
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
    write_shard(again / "00001.arrow", GRAPHS[3:])
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
    assert same(pickle.loads(pickle.dumps(open_shards(folder)))[4], GRAPHS[4])  # noqa: S301


def test_reading_needs_no_cad_kernel_and_no_torch():
    code = "import sys, brep_mae.datasets.shards; print({'OCP', 'torch'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"
