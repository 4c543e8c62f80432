import io
import pickle
import tarfile
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from brep_mae.checks import SettingsError
from brep_mae.datasets.adapters.mfcad import FACE_CLASSES, read_face_truth
from brep_mae.datasets.source import LabelError, SourceError, open_source
from tests.records import record


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "mfcad"
    (root / "step").mkdir(parents=True)
    for name in "abc":
        (root / "step" / f"{name}.step").write_text(name)
        (root / "step" / f"{name}.face_truth").write_bytes(pickle.dumps([15, 0, 3], protocol=3))
    return root


def test_labels_are_joined_by_the_name_of_the_face(folder):
    source = open_source("mfcad", str(folder), 0, folder / ".work")
    graph = record(file="step/a.step", face_name=["2", "0", "1"])
    assert source.label(graph).face_label.tolist() == [3, 15, 0]
    assert source.face_classes[15] == "stock" and len(set(FACE_CLASSES)) == 16
    assert source.licence == "MIT" and source.part_classes == ()


def test_the_parts_of_a_split_face_share_its_label(folder):
    source = open_source("mfcad", str(folder), 0, folder / ".work")
    graph = record(file="step/a.step", faces=5, face_name=["2", "2", "0", "1", "1"])
    split = replace(graph, face_parent=np.array([0, 0, 1, 2, 2], np.int32))
    assert source.label(split).face_label.tolist() == [3, 3, 15, 0, 0]
    with pytest.raises(LabelError, match="5 faces but 3 labels"):
        source.label(graph)  # nothing was split: the file itself repeats names
    with pytest.raises(LabelError, match="each once"):
        source.label(replace(split, face_name=["2", "2", "0", "2", "2"]))


@pytest.mark.parametrize(
    "names, reason",
    [(["0", "1"], "2 faces but 3 labels"), (["0", "1", "1"], "each once"), (["0", "1", ""], "no number for a name")],
)
def test_labels_that_do_not_fit_are_refused_with_the_reason(folder, names, reason):
    source = open_source("mfcad", str(folder), 0, folder / ".work")
    with pytest.raises(LabelError, match=reason):
        source.label(record(file="step/a.step", faces=len(names), face_name=names))
    (folder / "step" / "a.face_truth").unlink()
    with pytest.raises(LabelError, match="missing"):
        source.label(record(file="step/a.step", face_name=["0", "1", "2"]))


class Attack:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return Path.touch, (self.target,)


def test_a_malicious_pickle_does_not_run(tmp_path):
    (tmp_path / "evil.face_truth").write_bytes(pickle.dumps([15, Attack(tmp_path / "ran")]))
    with pytest.raises(LabelError, match=r"evil\.face_truth"):
        read_face_truth(tmp_path / "evil.face_truth")
    assert not (tmp_path / "ran").exists()
    pickle.loads((tmp_path / "evil.face_truth").read_bytes())  # noqa: S301  (the attack is a real one)
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [{"a": 1}, [16], [-1], [1.0], [True], "text"])
def test_anything_but_a_list_of_classes_is_refused(tmp_path, content):
    (tmp_path / "x.face_truth").write_bytes(pickle.dumps(content))
    with pytest.raises(LabelError, match=r"x\.face_truth"):
        read_face_truth(tmp_path / "x.face_truth")


def test_an_archive_is_unpacked_once(folder, tmp_path):
    archive, work = tmp_path / "mfcad.tar.xz", tmp_path / "work"
    with tarfile.open(archive, "w:xz") as tar:
        tar.add(folder, "mfcad")
    source = open_source("mfcad", str(archive), 0, work)
    assert [p.name for p in source.files] == ["a.step", "b.step", "c.step"]
    assert source.label(record(file=source.files[0].relative_to(source.root).as_posix(), face_name=list("012")))
    source.files[0].write_text("kept")
    assert open_source("mfcad", str(archive), 0, work).files[0].read_text() == "kept"
    assert not list(work.glob("*.unpacking"))


@pytest.mark.parametrize("name", ["../../outside.step", "{}/outside.step"])
def test_an_archive_that_reaches_outside_is_refused(tmp_path, name):
    archive = tmp_path / "bad.tar"
    (tmp_path / "x.step").write_text("x")
    with tarfile.open(archive, "w") as tar:
        member = tar.gettarinfo(tmp_path / "x.step")
        member.name = name.format(tmp_path)
        with (tmp_path / "x.step").open("rb") as file:
            tar.addfile(member, file)
    with pytest.raises(SourceError, match="outside"):
        open_source("mfcad", str(archive), 0, tmp_path / "work")
    assert not (tmp_path / "outside.step").exists()


def test_links_of_an_archive_are_left_out(tmp_path):
    archive, secret = tmp_path / "links.tar", tmp_path / "secret"
    secret.write_text("secret")
    (tmp_path / "a.step").write_text("a")
    with tarfile.open(archive, "w") as tar:
        tar.add(tmp_path / "a.step", "mfcad/a.step")
        link = tarfile.TarInfo("mfcad/b.step")
        link.type, link.linkname = tarfile.SYMTYPE, str(secret)
        tar.addfile(link)
    assert [p.name for p in open_source("mfcad", str(archive), 0, tmp_path / "work").files] == ["a.step"]


def test_a_limit_is_a_sample_that_stays_the_same_and_grows(folder):
    few = open_source("mfcad", str(folder), 1, folder).files
    more = open_source("mfcad", str(folder), 2, folder).files
    assert len(few) == 1 and len(more) == 2 and set(few) < set(more)


def test_an_unknown_data_set_lists_the_known_ones(tmp_path):
    with pytest.raises(SettingsError, match=r"no data set mfcat; known are .*generated.*mfcad.*solids"):
        open_source("mfcat", "", 0, tmp_path)
    with pytest.raises(SettingsError, match="known are"):
        open_source("shards", "", 0, tmp_path)


@pytest.mark.parametrize("name", ["mfcad", "solids", "generated", "fusion360", "mfcadpp"])
def test_a_path_that_is_not_there_is_named(tmp_path, name):
    with pytest.raises(SourceError, match="absent"):
        open_source(name, str(tmp_path / "absent"), 0, tmp_path)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("length", [0, 1, 40, 2500])
def test_a_list_of_any_protocol_and_length_is_read(tmp_path, protocol, length):
    labels = [i % 16 for i in range(length)]
    (tmp_path / "x.face_truth").write_bytes(pickle.dumps(labels, protocol))
    assert read_face_truth(tmp_path / "x.face_truth") == labels


@pytest.mark.parametrize(
    "content",
    [
        b"]r\xff\xff\xff\x1f.",  # a name of so high a number that the table of names takes 4 GB
        b"]r\xff\xff\xff\x1f" + b"K\x0fa.",
        b"\x80\x04\x8e" + (2**40).to_bytes(8, "little") + b".",  # bytes that are not there
        b"]" * 1000 + b".",
        b"K\x01" * 600_000 + b".",  # larger than any list of labels
        b"",
        b"\x80",
    ],
)
def test_a_few_bytes_take_no_room_and_no_time(tmp_path, content):
    (tmp_path / "x.face_truth").write_bytes(content)
    tracemalloc.start()
    try:
        labels = read_face_truth(tmp_path / "x.face_truth")
    except LabelError as error:
        assert "x.face_truth: not a" in str(error)
    else:
        assert labels in ([], [15])
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


@pytest.mark.parametrize("damage", ["cut", "flipped", "text", "empty", "name"])
def test_a_damaged_archive_is_named_with_a_remedy_and_leaves_nothing(folder, tmp_path, damage):
    archive, work = tmp_path / "mfcad.tar.xz", tmp_path / "work"
    with tarfile.open(archive, "w:xz") as tar:
        tar.add(folder, "mfcad")
        if damage == "name":
            tar.addfile(tarfile.TarInfo("mfcad/step/a.step/below a file.step"), io.BytesIO())
    data = archive.read_bytes()
    if damage != "name":
        flipped = data[:100] + bytes([data[100] ^ 0xFF]) + data[101:]
        archive.write_bytes(
            {"cut": data[: len(data) // 2], "flipped": flipped, "text": b"no tar", "empty": b""}[damage]
        )
    with pytest.raises(SourceError, match=r"mfcad\.tar\.xz: no tar archive, or a damaged one .*; get the archive anew"):
        open_source("mfcad", str(archive), 0, work)
    assert not list(work.glob("*"))


def test_labels_without_a_solid_are_told(folder):
    (folder / "step" / "b.step").unlink()
    source = open_source("mfcad", str(folder), 0, folder / ".work")
    assert [(row.given_in, row.file, row.problem) for row in source.rows] == [
        ("step/a.face_truth", "step/a.step", ""),
        ("step/b.face_truth", "", "no CAD file lies beside b.face_truth"),
        ("step/c.face_truth", "step/c.step", ""),
    ]
    assert len(open_source("mfcad", str(folder), 1, folder / ".work").rows) == 2, "the solid, and what has none"
