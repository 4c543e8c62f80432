"""Links, and files that cannot be opened, in a data set that is parsed."""

import os
import shutil

import pytest

from brep_mae.datasets.lazy.listed import LEFT_OUT, REJECTS, read_list
from brep_mae.datasets.shards import open_shards
from brep_mae.datasets.source import open_source
from brep_mae.ingest import dataset
from tests.brep.solids import box, write_step
from tests.ingest.test_dataset import PARSE, SPLIT


def test_links_keep_their_own_names_and_go_by_their_own_suffix(tmp_path):
    """The store is one as DVC's, whose files are named after their content alone."""
    store, root = tmp_path / "cache" / "ab", tmp_path / "parts"
    store.mkdir(parents=True)
    (root / "deep").mkdir(parents=True)
    for name, size, link in (("cdef", 2, root / "part.step"), ("0123.igs", 3, root / "deep" / "other.STP")):
        write_step(tmp_path / "made.step", box(1, 1, size))
        (tmp_path / "made.step").rename(store / name)
        link.symlink_to(store / name)
    (tmp_path / "linked").mkdir()
    write_step(tmp_path / "linked" / "c.step", box(1, 1, 4))
    (root / "folder").symlink_to(tmp_path / "linked")
    (root / "again").symlink_to(tmp_path / "linked")
    (root / "deep" / "up").symlink_to(root)
    (root / "labels.csv").write_text("file,solid,face,class\npart.step,,0,x\ndeep/other.STP,,0,x\nfolder/c.step,,0,x\n")
    source = open_source("solids", str(root), 0, tmp_path)
    report = dataset.parse_dataset(source, tmp_path / "out", PARSE, SPLIT, 1, labelled=True)
    assert open_shards(tmp_path / "out").files == ["again/c.step", "deep/other.STP", "part.step"]
    told = {reject["file"]: (reject["reason"], reject["detail"]) for reject in report.rejects}
    assert told == {
        "deep/up": ("duplicate", "up: the same folder as ."),
        "folder": ("duplicate", "folder: the same folder as again"),
    }
    assert str(report.labels) == "2 of 3 rows, 2 faces, 2 solids labelled"
    assert report.labels.unused[0]["line"] == 4


def test_what_cannot_be_opened_is_a_reject_of_its_own_and_stops_nothing(tmp_path):
    root = tmp_path / "parts"
    root.mkdir()
    write_step(root / "good.step", box(1, 2, 3))
    (root / "gone.step").symlink_to(tmp_path / "nowhere.step")
    (root / "round.step").symlink_to("round.step")
    os.mkfifo(root / "pipe.step")
    try:
        (root / os.fsdecode(b"b\xffd.step")).write_bytes((root / "good.step").read_bytes() + b"\n")
        (root / os.fsdecode(b"f\xff")).mkdir()
        shutil.copyfile(root / "good.step", root / os.fsdecode(b"f\xff") / "in.step")
    except OSError:
        pytest.skip("the disk takes no names that are not UTF-8")
    source = open_source("solids", str(root), 0, tmp_path)
    report = dataset.parse_dataset(source, tmp_path / "out", PARSE, SPLIT, 2)
    assert (report.files, report.solids, report.files_without_solid) == (6, 1, 5)
    told = {reject["file"]: (reject["reason"], reject["detail"]) for reject in report.rejects}
    assert told == {
        "b\\xffd.step": ("bad_name", "b\\xffd.step: the name is not UTF-8; rename the file"),
        "f\\xff/in.step": ("bad_name", "f\\xff/in.step: the name of its folder is not UTF-8; rename it"),
        "gone.step": ("broken_link", f"gone.step: a link to {tmp_path}/nowhere.step, which can't be reached"),
        "pipe.step": ("unreadable", "pipe.step: not a regular file"),
        "round.step": ("broken_link", "round.step: a link to round.step, which can't be reached"),
    }
    assert read_list(tmp_path / "out" / REJECTS, LEFT_OUT, "") == report.rejects
    few = open_source("solids", str(root), 3, tmp_path)
    assert len(few.files) == 3
