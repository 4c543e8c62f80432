"""What has an entry for each file lies in a list of its own, whatever the names in it."""

import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from brep_mae.datasets.lazy.listed import LEFT_OUT, read_list, write_list

REJECTS = [
    {"file": "a.step", "solid": None, "reason": "unreadable", "detail": "a.step: no STEP"},
    {"file": 'b, "c"\n.step', "solid": 3, "reason": "open_shell", "detail": ""},
]


def test_a_list_is_what_was_written_in_the_same_bytes_every_time(tmp_path):
    for name in ("one", "two"):
        write_list(tmp_path / name, REJECTS, LEFT_OUT)
    assert read_list(tmp_path / "one", LEFT_OUT, "") == REJECTS
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    write_list(tmp_path / "none", [], LEFT_OUT)
    assert read_list(tmp_path / "none", LEFT_OUT, "") == []


def test_a_name_that_is_no_utf_8_costs_the_list_nothing(tmp_path):
    write_list(tmp_path / "list", [REJECTS[0] | {"file": os.fsdecode(b"b\xff.step")}, REJECTS[1]], LEFT_OUT)
    assert [one["file"] for one in read_list(tmp_path / "list", LEFT_OUT, "")] == ["b\\udcff.step", REJECTS[1]["file"]]


def test_what_is_no_such_list_is_named_with_reason_and_remedy(tmp_path):
    at = tmp_path / "rejects.parquet"
    with pytest.raises(ValueError, match=r"rejects.parquet: not found, .* earlier version made; parse again"):
        read_list(at, LEFT_OUT, "parse again")
    write_list(at, REJECTS, LEFT_OUT)
    at.write_bytes(at.read_bytes()[:-40])
    with pytest.raises(ValueError, match=r"rejects.parquet: no such list \(.*\); parse again"):
        read_list(at, LEFT_OUT, "parse again")
    pq.write_table(pa.table({"file": ["a"], "solid": [0]}), at)
    with pytest.raises(ValueError, match=r"rejects.parquet: its columns are file \(string\), solid \(int64\)"):
        read_list(at, LEFT_OUT, "parse again")
