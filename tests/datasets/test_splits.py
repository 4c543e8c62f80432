from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from brep_mae.datasets.source import cad_files
from brep_mae.datasets.splits import LEAST, SIDES, labelled_split, make_split, read_split, write_split


def files(count: int, solids: int = 1) -> dict[str, str]:
    return {f"{i:04d}#{k}": f"step/{i:04d}.step" for i in range(count) for k in range(solids)}


def test_shares_hold_and_every_solid_is_on_one_side():
    split = make_split(files(4000), validation=0.1, test=0.2)
    assert sorted(uid for uids in split.values() for uid in uids) == sorted(files(4000))
    assert len(split["validation"]) == pytest.approx(400, abs=80)
    assert len(split["test"]) == pytest.approx(800, abs=100)


def test_solids_of_one_file_stay_together():
    split = make_split(files(50, solids=4), validation=0.2, test=0.2)
    for uids in split.values():
        assert set(Counter(uid.split("#")[0] for uid in uids).values()) <= {4}


def test_new_files_move_no_old_one():
    old, new = make_split(files(100), 0.2, 0.2), make_split(files(300), 0.2, 0.2)
    assert all(set(old[side]) <= set(new[side]) for side in old)


@pytest.mark.parametrize("count", [3, 4, 7])
def test_small_sets_leave_no_side_empty(count):
    split = make_split(files(count), validation=0.1, test=0.1)
    assert all(split.values()) and sum(map(len, split.values())) == count


def test_a_split_reads_as_written(tmp_path):
    split = make_split(files(30), 0.2, 0.2)
    write_split(tmp_path / "split.parquet", split)
    assert read_split(tmp_path / "split.parquet") == split
    before = (tmp_path / "split.parquet").read_bytes()
    write_split(tmp_path / "split.parquet", {side: list(reversed(uids)) for side, uids in split.items()})
    assert (tmp_path / "split.parquet").read_bytes() == before
    write_split(tmp_path / "empty.parquet", {"train": ["a"], "validation": [], "test": ["a"]})
    assert read_split(tmp_path / "empty.parquet") == {"train": ["a"], "validation": [], "test": ["a"]}


def test_what_is_no_split_is_refused_with_its_name_and_the_remedy(tmp_path):
    (tmp_path / "bad.parquet").write_text('{"train": []}')
    with pytest.raises(ValueError, match=r"gone\.parquet: not found, .*; parse again"):
        read_split(tmp_path / "gone.parquet")
    with pytest.raises(ValueError, match=r"bad\.parquet: holds no split .*; parse again"):
        read_split(tmp_path / "bad.parquet")
    pq.write_table(pa.table({"uid": ["a", "b"], "side": ["train", "elsewhere"]}), tmp_path / "other.parquet")
    with pytest.raises(ValueError, match=r"other\.parquet: has the side elsewhere, expected train, .*; parse again"):
        read_split(tmp_path / "other.parquet")


def test_shares_that_leave_nothing_to_train_on_are_refused():
    with pytest.raises(ValueError, match="nothing to train on"):
        make_split(files(3), 0.5, 0.5)


def labelled(count: int, seed: int) -> tuple[dict[str, list[str]], dict[str, set[int]]]:
    """A split cut from so many labelled ones of 2,000 files, and their classes: three of 16, rare ones among them."""
    stored, rng = make_split(files(2000), 0.1, 0.1), np.random.default_rng(seed)
    drawn = rng.choice(list(files(2000)), count, replace=False)
    shown = {str(uid): {int(c) for c in rng.choice(16, 3, p=np.arange(1, 17) / 136)} for uid in drawn}
    return labelled_split(stored, files(2000), shown), shown


@pytest.mark.parametrize("count", [1, 2, 5, 10, 20, 40, 200])
def test_labelled_solids_are_cut_among_themselves_and_training_shows_every_class(count):
    for seed in range(50):
        split, shown = labelled(count, seed)
        assert sorted(uid for uids in split.values() for uid in uids) == sorted(shown)
        assert {c for uid in split["train"] for c in shown[uid]} == set().union(*shown.values())
        for side in ("validation", "test"):
            assert len(split[side]) in ([0] if count < 25 else range(LEAST, round(0.15 * count)))


def test_where_every_solid_is_labelled_the_split_stays_as_it_is():
    stored = make_split(files(400, solids=2), 0.1, 0.2)
    assert labelled_split(stored, files(400, solids=2), {uid: {0} for uid in files(400, solids=2)}) == stored


def test_labelled_solids_of_one_file_stay_together_and_prefer_the_side_they_have():
    stored = make_split(files(300, solids=2), 0.2, 0.2)
    shown = {uid: {0} for uid in list(files(300, solids=2))[:100]}
    split = labelled_split(stored, files(300, solids=2), shown)
    side_of = {uid: side for side in SIDES for uid in split[side]}
    assert all(side_of[f"{uid[:4]}#0"] == side_of[f"{uid[:4]}#1"] for uid in shown)
    now, before = set(split["test"]), set(stored["test"]) & set(shown)
    assert now and (now <= before or before <= now)


def test_a_class_of_one_file_trains_and_of_two_files_one():
    stored = make_split(files(100), 0.1, 0.1)
    alone, twin, other = stored["test"][:3]
    shown = {uid: {0} for uid in files(100)} | {alone: {1}, twin: {2}, other: {0, 2}}
    split = labelled_split(stored, files(100), shown)
    assert alone in split["train"] and len({twin, other} & set(split["train"])) == 1
    assert len(split["test"]) == len(stored["test"]) and set(stored["test"]) - {alone, twin, other} <= set(
        split["test"]
    )


def test_a_limited_sample_lies_on_all_sides_of_the_split(tmp_path):
    """The sample and the split both hash file names; they must not agree."""
    for i in range(300):
        (tmp_path / f"{i}.step").touch()
    names = [path.name for path in cad_files(tmp_path, limit=60).files]
    sides = make_split({name: name for name in names}, validation=0.1, test=0.25)
    assert {side: len(found) for side, found in sides.items()}["train"] > 25
    assert 1 <= len(sides["validation"]) < 20 and 5 <= len(sides["test"]) < 30


def test_a_number_of_test_files_is_met_exactly_whatever_the_files_are_called():
    named = {f"{i:04x}#{k}": f"{i}.step" for i in range(200) for k in range(2)}
    renamed = {uid: f"other/{hash(file)}.stp" for uid, file in named.items()}
    split, other = make_split(named, 0.1, 40, "mfcad"), make_split(renamed, 0.1, 40, "mfcad")
    assert len(split["test"]) == 80 and split["test"] == other["test"]
    assert make_split(named, 0.1, 40, "another")["test"] != split["test"]
    with pytest.raises(ValueError, match="nothing to train on"):
        make_split(named, 0.1, 200)
