"""A byte that was changed on the disk after a folder was filled is found, whatever kind of file it is in."""

import pytest
from click.testing import CliRunner

from brep_mae.cli import main
from brep_mae.datasets.shards import write_shard
from brep_mae.output.folder import output_folder
from tests.records import record


@pytest.fixture
def folder(tmp_path):
    out = tmp_path / "shards"
    with output_folder(out) as claim, claim.filled() as new:
        write_shard(new / "00000.arrow", [record("0000000000000000#0")])
        (new / "dataset.json").write_text("{}")
    return out


def verified(*folders):
    return CliRunner().invoke(main, ["verify", *map(str, folders)])


def test_a_folder_as_it_was_written_is_right(folder):
    done = verified(folder)
    assert done.exit_code == 0 and f"{folder}: 2 files read" in done.output


def test_one_flipped_bit_anywhere_and_a_lost_file_are_named(folder):
    shard = folder / "00000.arrow"
    whole = shard.read_bytes()
    for place in range(0, len(whole), len(whole) // 20):
        shard.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        done = verified(folder)
        assert done.exit_code == 1 and f"{shard}: was changed since it was written" in done.output
    shard.unlink()
    assert f"{shard}: is missing\nrestore these files from a copy, or make the folder again" in verified(folder).output


def test_a_folder_of_others_and_a_missing_one_are_told(tmp_path):
    assert "holds no note of this program" in verified(tmp_path).output
    assert "no such file or folder" in verified(tmp_path / "nowhere").output
