"""A folder of shards is opened by its index alone."""

import pickle
import shutil

import numpy as np
import pytest

from brep_mae.datasets import shards as module
from brep_mae.datasets.lazy import index as index_module
from brep_mae.datasets.lazy.index import INDEX, open_index, write_index
from brep_mae.datasets.lazy.uids import Uids
from brep_mae.datasets.loader import Solids
from brep_mae.datasets.shards import ShardError, open_shards, write_shard
from brep_mae.datasets.splits import own_split, read_split, write_split
from brep_mae.schema import validate
from tests.records import record

SHARDS, EACH = 6, 3


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Uids are in no order, as those of files are."""
    folder = tmp_path_factory.mktemp("written")
    names = [f"{(i * 7919) % 10007:016x}#{i % 2}" for i in range(SHARDS * EACH)]
    graphs = [record(uid, faces=2 + i % 4, file=f"é/{i}.step") for i, uid in enumerate(names)]
    for i in range(SHARDS):
        write_shard(folder / f"{i:05d}.arrow", graphs[i * EACH : (i + 1) * EACH])
    write_index(folder)
    return folder, graphs


@pytest.fixture
def folder(written, tmp_path):
    shutil.copytree(written[0], tmp_path / "parsed")
    return tmp_path / "parsed"


@pytest.fixture
def opened(monkeypatch):
    """Names of the shards that are mapped, in order."""
    names, real = [], module.Shard
    monkeypatch.setattr(module, "Shard", lambda path: names.append(path.name) or real(path))
    return names


def test_opening_reads_no_shard_and_a_solid_its_own_once(written, opened, monkeypatch):
    folder, graphs = written
    monkeypatch.setattr(index_module, "open_batch", lambda path: pytest.fail(f"{path} was read"))
    shards = open_shards(folder)
    solids = Solids(folder, None, shards.uids[:7], frozenset({"faces"}))
    assert len(shards) == len(graphs) and shards.uids == [g.uid for g in graphs] and len(solids) == 7
    assert opened == []
    for _ in range(2):
        assert shards[4].file == graphs[4].file and shards.with_uid(graphs[5].uid).uid == graphs[5].uid
    assert opened == ["00001.arrow"]


def test_few_shards_stay_open(written, opened, monkeypatch):
    monkeypatch.setattr(module, "OPEN", 2)
    shards = open_shards(written[0])
    kept = shards[0]
    for i in (0, 3, 0, 6, 0, 3):
        shards[i]
    assert opened == ["00000.arrow", "00001.arrow", "00002.arrow", "00001.arrow"]
    assert np.array_equal(kept.face_grid, written[1][0].face_grid), "a record outlives the shard that it came from"


def test_an_array_is_looked_up_when_it_is_asked_for(written, monkeypatch):
    asked, real = [], module.Shard.array
    monkeypatch.setattr(module.Shard, "array", lambda self, name, row: asked.append(name) or real(self, name, row))
    graph = open_shards(written[0])[2]
    assert asked == []
    assert graph.face_type is graph.face_type and graph.n_faces == 4 and asked == ["face_type"]
    whole = pickle.loads(pickle.dumps(graph))  # noqa: S301
    assert type(whole).__name__ == "FaceGraph" and np.array_equal(validate(whole).arc_grid, graph.arc_grid)
    with pytest.raises(AttributeError, match="faces"):
        graph.faces  # noqa: B018


def test_a_folder_without_an_index_is_read_as_one_with_it(written, folder):
    (folder / INDEX).unlink()
    found, expected = open_index(folder), open_index(written[0])
    assert found.uids == expected.uids and found.files == expected.files and found.shards == expected.shards
    assert not (folder / INDEX).exists()


def test_solids_are_found_by_their_uid(written):
    folder, graphs = written
    index = open_index(folder)
    assert [index.row(graph.uid) for graph in graphs] == list(range(len(graphs)))
    assert index.rows([graphs[3].uid, "no such", graphs[0].uid]).tolist() == [3, -1, 0]
    assert index.sorted == sorted(graph.uid for graph in graphs)
    for uid in ("", "no such", "f" * 16):
        with pytest.raises(KeyError):
            index.row(uid)
    with pytest.raises(KeyError, match="1 solids of the split are not stored, first no such; parse again"):
        Solids(folder, None, [graphs[0].uid, "no such"], frozenset({"faces"}))


def test_uids_are_a_sequence_of_texts(written):
    uids, plain = open_index(written[0]).uids, [graph.uid for graph in written[1]]
    assert isinstance(uids[1:4], Uids) and uids[1:4] == plain[1:4] and uids[-1] == plain[-1] and list(uids) == plain
    assert plain[3] in uids and "no such" not in uids and [*uids[:2], "x"] == [*plain[:2], "x"]
    assert uids != plain[1:] and uids[:2] != plain[2:4]
    with pytest.raises(IndexError):
        uids[len(plain)]


def test_the_index_of_the_same_shards_is_the_same_bytes(folder):
    before = (folder / INDEX).read_bytes()
    write_index(folder)
    assert (folder / INDEX).read_bytes() == before


def test_shards_that_the_index_does_not_speak_of_are_refused(folder, written):
    graphs = written[1]
    (folder / "00003.arrow").rename(folder / "00009.arrow")
    with pytest.raises(ShardError, match=rf"0000[39].arrow: is not the shard that {INDEX} speaks of; run the parse"):
        open_shards(folder)
    (folder / "00009.arrow").rename(folder / "00003.arrow")
    path = folder / "00002.arrow"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ShardError, match=r"00002\.arrow: is not the shard"):
        open_shards(folder)
    write_shard(path, [*graphs[6:9], graphs[0]])
    with pytest.raises(ShardError, match=r"00002\.arrow: is not the shard"):
        open_shards(folder)


@pytest.mark.parametrize("damage", [lambda b: b[:100], lambda b: b"", lambda b: b[:-300]])
def test_a_damaged_index_is_refused_with_its_name_and_the_remedy(folder, damage):
    path = folder / INDEX
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(
        ShardError, match=rf"{INDEX}: no index of shards \(.*\); delete it, or run the parse stage again"
    ):
        open_shards(folder)


def test_a_side_is_kept_as_rows_and_a_large_one_in_stored_order(written, tmp_path, monkeypatch):
    folder, graphs = written
    names = [graph.uid for graph in graphs]
    write_split(tmp_path / "split.parquet", {"train": names[4:], "validation": names[:4], "test": []})
    index, split = open_index(folder), read_split(tmp_path / "split.parquet")
    sides = index.own(split)
    assert sides == {"train": sorted(names[4:]), "validation": sorted(names[:4]), "test": []} == split
    assert all(uids.column is index.uids.column for uids in sides.values())
    monkeypatch.setattr(index_module, "WHOLE", 5)
    assert index.own(split) == {"train": names[4:], "validation": sorted(names[:4]), "test": []}
    write_split(tmp_path / "some.parquet", {"train": names[5:8], "validation": names[7:9], "test": []})
    assert own_split(tmp_path / "some.parquet", index)["validation"] == sorted(names[7:9])
    write_split(tmp_path / "other.parquet", {"train": ["no such", *names[:2]], "validation": [], "test": []})
    with pytest.raises(KeyError, match="1 solids of the split are not stored, first no such"):
        own_split(tmp_path / "other.parquet", index)
    copied = pickle.loads(pickle.dumps(index.uids[2:4]))  # noqa: S301
    assert copied == tuple(names[2:4])
