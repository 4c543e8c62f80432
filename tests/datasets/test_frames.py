"""Stored frames come back as they were, whole or not at all, and never silently as another format."""

import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from brep_mae.datasets import frames
from brep_mae.datasets.frames import FrameWriter, open_frames

VIEWS, SIZE = 3, 8


def solid(seed: int, views: int = VIEWS, size: int = SIZE) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (views, size, size, 3), np.uint8)
    return image, rng.integers(-1, 400, (views, size, size), np.int16)


def write(folder: Path, seeds: range, views: int = VIEWS, size: int = SIZE) -> None:
    with FrameWriter(folder, views, size) as writer:
        for seed in seeds:
            writer.add(f"solid#{seed}", *solid(seed, views, size))


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(frames, "PART_SOLIDS", 4)


def test_frames_come_back_bit_for_bit_in_stored_order(tmp_path, small_parts):
    write(tmp_path, range(10))
    store = open_frames(tmp_path)
    assert len(list(tmp_path.iterdir())) == 3
    assert (len(store), store.views, store.size) == (10, VIEWS, SIZE)
    assert store.uids == list(store) == [f"solid#{seed}" for seed in range(10)]
    assert "solid#3" in store and "solid#10" not in store
    for seed in (7, 0, 9, 4):
        for found, stored in zip(store[f"solid#{seed}"], solid(seed), strict=True):
            assert found.dtype == stored.dtype and (found == stored).all()


def test_what_is_handed_out_may_be_changed(tmp_path):
    write(tmp_path, range(1))
    store = open_frames(tmp_path)
    store["solid#0"][0][:] = 0
    assert (store["solid#0"][0] == solid(0)[0]).all()


def test_a_store_goes_to_another_process_by_its_folder(tmp_path):
    write(tmp_path, range(200), size=16)
    sent = pickle.dumps(open_frames(tmp_path))
    assert len(sent) < 1000
    assert (pickle.loads(sent)["solid#150"][1] == solid(150, size=16)[1]).all()  # noqa: S301


def test_equal_frames_give_equal_bytes(tmp_path, small_parts):
    for name in "ab":
        write(tmp_path / name, range(6))
    for a, b in zip(sorted((tmp_path / "a").iterdir()), sorted((tmp_path / "b").iterdir()), strict=True):
        assert a.name == b.name and a.read_bytes() == b.read_bytes()


def test_an_interrupted_run_goes_on_and_copies_into_the_bytes_of_an_uninterrupted_one(tmp_path, small_parts):
    with pytest.raises(KeyboardInterrupt), FrameWriter(tmp_path / "work", VIEWS, SIZE) as writer:
        for seed in (5, 3):
            writer.add(f"solid#{seed}", *solid(seed))
        raise KeyboardInterrupt
    with FrameWriter(tmp_path / "work", VIEWS, SIZE) as writer:
        assert writer.uids == {"solid#5", "solid#3"}
        for seed in (0, 1, 2, 4):
            writer.add(f"solid#{seed}", *solid(seed))
    work = open_frames(tmp_path / "work")
    with FrameWriter(tmp_path / "out", VIEWS, SIZE) as writer:
        for uid in sorted(work.uids):
            writer.copy(work, uid)
    write(tmp_path / "whole", range(6))
    for path in (tmp_path / "whole").iterdir():
        assert path.read_bytes() == (tmp_path / "out" / path.name).read_bytes()


def test_a_part_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    write(tmp_path, range(2))

    def full_disk(*_):
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"), FrameWriter(tmp_path, VIEWS, SIZE) as writer:
        writer.add("late", *solid(9))
        monkeypatch.setattr(frames.os, "replace", full_disk)
    assert open_frames(tmp_path).uids == ["solid#0", "solid#1"]


def test_a_solid_is_stored_once(tmp_path):
    write(tmp_path, range(2))
    with pytest.raises(ValueError, match="solid#1: already in"):
        write(tmp_path, range(1, 3))


@pytest.mark.parametrize(
    "image, face", [((2, 8, 8, 3), (3, 8, 8)), ((3, 8, 8, 3), (3, 8, 9)), ((3, 3, 8, 8), (3, 8, 8))]
)
def test_frames_of_another_shape_are_refused(tmp_path, image, face):
    with (
        FrameWriter(tmp_path, VIEWS, SIZE) as writer,
        pytest.raises(ValueError, match=r"odd#0: frames are .* expected"),
    ):
        writer.add("odd#0", np.zeros(image, np.uint8), np.zeros(face, np.int16))


def test_another_version_says_which_and_what_to_do(tmp_path, monkeypatch):
    write(tmp_path, range(1))
    monkeypatch.setattr(frames, "VERSION", 2)
    with pytest.raises(ValueError, match=r"part-00000.arrow: frames of version 1, expected 2; render"):
        open_frames(tmp_path)


def test_another_size_is_not_mixed_in(tmp_path):
    write(tmp_path, range(1))
    with pytest.raises(ValueError, match="holds 3 views of 8 pixels, not 3 of 16"):
        FrameWriter(tmp_path, VIEWS, 16)
    write(tmp_path / "other", range(1), size=16)
    (tmp_path / "other" / "part-00000.arrow").rename(tmp_path / "part-00001.arrow")
    with pytest.raises(ValueError, match=r"part-00001.arrow: 3 views of 16 pixels, but part-00000.arrow has 3 of 8"):
        open_frames(tmp_path)


def test_missing_foreign_and_cut_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no frames"):
        open_frames(tmp_path)
    path = tmp_path / "part-00000.arrow"
    table = pa.table({"uid": ["a"]})
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(ValueError, match=r"part-00000.arrow: frames of version none"):
        open_frames(tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"part-00000.arrow: not an Arrow file"):
        open_frames(tmp_path)
