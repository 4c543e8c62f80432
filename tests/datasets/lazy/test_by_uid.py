"""Labels and frames are looked up by uid in mapped files, and none is read before it is asked for."""

import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from brep_mae.datasets import frames as frames_module
from brep_mae.datasets.frames import FrameWriter, open_frames
from brep_mae.datasets.labelling import labels as labels_module
from brep_mae.datasets.labelling.labels import ABOUT, TABLE, LabelsError, SolidLabels, open_labels, write_labels
from brep_mae.datasets.lazy.uids import BETWEEN, Joined, Uids, by_uid
from brep_mae.schema import UNLABELLED

MANY = 20_000


def uids(count: int) -> list[str]:
    """In no order, as those of files are."""
    return [f"{(i * 611_953) % 1_000_003:016x}#{i % 2}" for i in range(count)]


def solid(i: int) -> SolidLabels:
    faces = np.random.default_rng(i).integers(UNLABELLED, 5, i % 4).astype(np.int16)
    return SolidLabels(faces, i % 3, ("", "train", "test")[i % 3])


@pytest.fixture
def labelled(tmp_path):
    known = {uid: solid(i) for i, uid in enumerate(uids(40))}
    write_labels(tmp_path / "labels", ("a", "b", "c", "d", "e"), ("p", "q", "r"), known, {})
    return tmp_path / "labels", known


def test_labels_are_those_that_were_written_and_cannot_be_changed(labelled):
    folder, known = labelled
    found = open_labels(folder).solids
    assert list(found) == list(known) and len(found) == len(known)
    for uid, one in known.items():
        assert uid in found and found[uid].faces.dtype == np.int16
        assert (found[uid].faces.tolist(), found[uid].part, found[uid].side) == (one.faces.tolist(), one.part, one.side)
    with pytest.raises(ValueError, match="read-only"):
        found[uids(4)[3]].faces[0] = 1


@pytest.mark.parametrize("uid", ["", "no such", "f" * 16])
def test_a_solid_without_labels_has_none(labelled, uid):
    found = open_labels(labelled[0]).solids
    assert uid not in found and found.get(uid) is None
    with pytest.raises(KeyError):
        found[uid]


@pytest.mark.parametrize("count", [1, BETWEEN - 1, BETWEEN, BETWEEN + 1, 2 * BETWEEN + 1])
def test_each_uid_is_found_wherever_it_is_among_the_sorted_ones(count):
    names = uids(count)
    rows = by_uid(pa.array(names))
    assert [rows.row(uid) for uid in names] == list(range(count))
    assert not any(f"{uid}0" in rows or uid[:-1] in rows for uid in names)


def test_counts_over_all_labels_are_those_of_the_solids_one_by_one(labelled, monkeypatch):
    monkeypatch.setattr(labels_module, "TOGETHER", 7)
    folder, known = labelled
    found = open_labels(folder).solids
    shown = [[c in one.faces for c in range(5)] for one in known.values()]
    assert found.shown(5).tolist() == shown
    assert found.part.tolist() == [one.part for one in known.values()]
    assert found.on_side("test") == [uid for uid, one in known.items() if one.side == "test"]


def test_corrected_labels_are_read_where_the_old_ones_are_still_open(labelled):
    folder, known = labelled
    old, uid = open_labels(folder), uids(1)[0]
    write_labels(folder, ("a",), (), {uid: SolidLabels(np.array([0], np.int16))}, {})
    assert len(open_labels(folder).solids) == 1 and open_labels(folder).solids[uid].faces.tolist() == [0]
    assert len(old.solids) == len(known) and old.solids[uid].part == known[uid].part


def table(**columns: pa.Array) -> pa.RecordBatch:
    whole = {
        "uid": pa.array(["a#0", "b#0"]),
        "part": pa.array([0, 1], pa.int32()),
        "faces": pa.array([[0], [1]], pa.list_(pa.int16())),
        "side": pa.array(["", ""]),
    } | columns
    return pa.record_batch(list(whole.values()), list(whole))


def beyond() -> pa.Array:
    ends = pa.array([0, 9, 2], pa.int32()).buffers()[1]
    return pa.Array.from_buffers(pa.list_(pa.int16()), 2, [None, ends], children=[pa.array([0, 1], pa.int16())])


def no_text() -> pa.Array:
    return pa.StringArray.from_buffers(2, pa.array([0, 1, 2], pa.int32()).buffers()[1], pa.py_buffer(b"\xff\xfe"))


@pytest.mark.parametrize(
    "columns, reason",
    [
        ({"uid": no_text()}, "UTF8"),
        ({"uid": pa.array(["a#0", None])}, "column uid has 1 empty places"),
        ({"faces": beyond()}, "[Oo]ffset"),
        ({"faces": pa.array([[0], [None]], pa.list_(pa.int16()))}, "column faces has 1 empty places"),
        ({"part": pa.array([0, 1], pa.int64())}, r"its columns are .*part \(int64\)"),
    ],
)
def test_a_damaged_table_is_refused_with_its_name_the_reason_and_the_remedy(labelled, columns, reason):
    at = labelled[0] / TABLE
    with pa.OSFile(str(at), "wb") as sink, pa.ipc.new_file(sink, table(**columns).schema) as writer:
        writer.write_batch(table(**columns))
    with pytest.raises(LabelsError, match=rf"{TABLE}: holds no labels: not complete \(.*{reason}.*\); run the label"):
        open_labels(labelled[0])


@pytest.mark.parametrize("name", [TABLE, ABOUT])
@pytest.mark.parametrize("damage", [lambda b: b"", lambda b: b[:50], lambda b: b[:-40]])
def test_a_file_that_is_cut_off_is_named(labelled, name, damage):
    at = labelled[0] / name
    at.write_bytes(damage(at.read_bytes()))
    with pytest.raises(LabelsError, match=rf"{name}: holds no labels: not complete \(.*\); run the label stage"):
        open_labels(labelled[0])


def drawn(folder: Path, names: list[str], first: int = 0) -> None:
    with FrameWriter(folder, 1, 4) as writer:
        for i, uid in enumerate(names, first):
            writer.add(uid, np.full((1, 4, 4, 3), i % 251, np.uint8), np.full((1, 4, 4), i % 113, np.int16))


def test_frames_are_found_by_their_uid_in_whichever_part_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr(frames_module, "PART_SOLIDS", 7)
    names = uids(40)
    drawn(tmp_path, names[:17])
    drawn(tmp_path, names[17:], 17)
    store = open_frames(tmp_path)
    assert store.uids == names
    for i, uid in enumerate(names):
        image, face = store[uid]
        assert (image == i).all() and (face == i).all()
    for uid in ("", "no such", "f" * 16):
        assert uid not in store
        with pytest.raises(KeyError):
            store[uid]
    assert store.lookup.known(store.uids[3:5]) == names[3:5]


def test_frames_that_are_added_are_found_where_the_old_ones_are_still_open(tmp_path):
    names = uids(6)
    drawn(tmp_path, names[:4])
    assert len(open_frames(tmp_path)) == 4
    drawn(tmp_path, names[4:])
    assert open_frames(tmp_path).uids == names and names[5] in open_frames(tmp_path)


def test_what_is_open_takes_no_object_for_each_solid(tmp_path):
    """A label of each took 700 bytes, and frames 200."""
    names = uids(MANY)
    write_labels(tmp_path / "labels", ("a",), (), dict.fromkeys(names, SolidLabels(np.zeros(3, np.int16))), {})
    drawn(tmp_path / "frames", names)
    for opened in (lambda: open_labels(tmp_path / "labels").solids, lambda: open_frames(tmp_path / "frames")):
        tracemalloc.start()
        found = opened()
        assert all(uid in found for uid in names[:: MANY // 10])
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most < 15 * MANY, f"{most / MANY:.0f} bytes a solid"


class Counted(Uids):
    """Counts the texts that are made."""

    made = 0

    def __getitem__(self, i):
        Counted.made += 1
        return super().__getitem__(i)


def test_joined_uids_are_made_when_one_is_asked_for():
    first, second = (Counted(pa.array(texts), range(3)) for texts in (["a", "b", "c"], ["b", "d/e", "f#0"]))
    joined = Joined([first, Uids(pa.array(["z"]), range(0)), second])
    assert len(joined) == 6 and Counted.made == 0
    assert joined[4] == "2/d/e" and Counted.made == 1
    assert joined[-1] == "2/f#0" and joined[1:4] == ["0/b", "0/c", "2/b"]
    assert joined == ("0/a", "0/b", "0/c", "2/b", "2/d/e", "2/f#0") and joined != ("0/a",)
    with pytest.raises(IndexError):
        joined[6]


def test_joined_uids_are_taken_apart_again():
    assert Joined.parted("2/d/e") == (2, "d/e")
    for name in ("a", "x/a", "1/", "-1/a"):
        with pytest.raises(KeyError, match=name):
            Joined.parted(name)
