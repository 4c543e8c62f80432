"""Which solids train, which validate, which test. The side follows from the file's name alone, so it never moves, or
from a split that the data set's publisher made."""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from brep_mae.datasets.lazy.index import Index
from brep_mae.datasets.lazy.uids import Uids
from brep_mae.output.files import whole_file

SIDES = ("train", "validation", "test")
LEAST = 3
"""Files: a score on fewer says nothing, so they train instead."""


def make_split(
    graph_files: Mapping[str, str],
    validation: float,
    test: float,
    dataset: str = "",
    published: Mapping[str, str] | None = None,
) -> dict[str, list[str]]:
    """Splits by a hash of the file's name: all solids of a file stay together, and new files move no old one.

    Args:
        graph_files: uid -> name of its file.
        validation: share of the files; what is on no other side trains.
        test: share of the files; from 1 on their number. That is for a data set that will not grow: those files
            whose content hashes lowest, so that it does not matter what an edition of the data set calls them.
        dataset: its name, part of that hash.
        published: file -> its side in a published split, which goes before all of this: what it does not name trains,
            and where it names no file for validation, a share of what trains is set aside.

    The shares hold on average. Of three files or more no side stays empty: the file whose hash is nearest moves over,
    the one exception to "never moves", met only by tiny sets.
    """
    place = {file: _place(file) for file in set(graph_files.values())}
    if published:
        chosen = {file: published.get(file, "train") for file in place}
        if "validation" not in chosen.values():
            chosen |= {file: "validation" for file, at in place.items() if chosen[file] == "train" and at < validation}
        return _by_side(graph_files, chosen)
    fixed = _lowest(graph_files, int(test), dataset) if test >= 1 else set[str]()
    share = 0.0 if test >= 1 else test
    if validation + share >= 1 or len(fixed) >= len(place):
        raise ValueError(f"split.validation {validation} and split.test {test} leave nothing to train on")
    side = {
        file: "test" if file in fixed or at < share else "validation" if at < share + validation else "train"
        for file, at in place.items()
    }
    order = sorted(place, key=lambda file: (place[file], file))
    if len(order) >= len(SIDES):
        for name, fallback in (("test", order[0]), ("validation", order[1]), ("train", order[-1])):
            if name not in side.values():
                side[fallback] = name
    return _by_side(graph_files, side)


def _by_side(graph_files: Mapping[str, str], side: Mapping[str, str]) -> dict[str, list[str]]:
    return {name: sorted(uid for uid, file in graph_files.items() if side[file] == name) for name in SIDES}


def labelled_split(
    split: Mapping[str, Sequence[str]], graph_files: Mapping[str, str], shown: Mapping[str, Collection[int]]
) -> dict[str, list[str]]:
    """The labelled solids alone on three sides, in the shares of the split of all solids, and as far as these allow
    on the sides that they have there.

    No class loses its last file to validation or test, and a side of fewer than LEAST files stays empty: with few
    labels all train.

    Args:
        split: of all solids.
        graph_files: uid -> name of its file; solids of a file stay together.
        shown: labelled uid -> classes that it shows.
    """
    total = sum(len(uids) for uids in split.values())
    side_of = {uid: side for side, uids in split.items() for uid in uids if uid in shown}
    uids_of: dict[str, list[str]] = {}
    for uid in shown:
        uids_of.setdefault(graph_files[uid], []).append(uid)
    classes = {file: {c for uid in uids for c in shown[uid]} for file, uids in uids_of.items()}

    def order(file: str) -> tuple[int, float, str]:
        return -SIDES.index(side_of[uids_of[file][0]]), _place(file), file

    rest, cut = sorted(uids_of, key=order), dict[str, list[str]]()
    for side in ("test", "validation"):
        taken = _spared(rest, classes, round(len(uids_of) * len(split[side]) / total))
        rest = [file for file in rest if file not in taken]
        cut[side] = sorted(uid for file in taken for uid in uids_of[file])
    return {"train": sorted(uid for file in rest for uid in uids_of[file])} | cut


def _spared(files: Sequence[str], classes: Mapping[str, Collection[int]], count: int) -> set[str]:
    """The first `count` files that show no class which the others don't; none where these are fewer than LEAST."""
    left = Counter(c for file in files for c in classes[file])
    taken: set[str] = set()
    for file in files:
        if len(taken) < count and all(left[c] > 1 for c in classes[file]):
            taken.add(file)
            left.subtract(classes[file])
    return taken if len(taken) >= LEAST else set()


def _place(name: str) -> float:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64


def _lowest(graph_files: Mapping[str, str], count: int, dataset: str) -> set[str]:
    """The `count` files whose first uid, which is made of their bytes, has the lowest hash."""
    uid_of: dict[str, str] = {}
    for uid, file in graph_files.items():
        uid_of[file] = min(uid, uid_of.get(file, uid))
    return set(sorted(uid_of, key=lambda file: _place(f"{dataset} test {uid_of[file]}"))[:count])


def write_split(path: Path, split: Mapping[str, Sequence[str]]) -> None:
    """Writes the side of every solid, sorted by uid. Same split, same bytes."""
    rows = sorted((uid, side) for side in SIDES for uid in split[side])
    uids, sides = (
        pa.array([uid for uid, _ in rows], pa.large_string()),
        pa.array([side for _, side in rows], pa.string()),
    )
    with whole_file(path) as file:
        pq.write_table(pa.table({"uid": uids, "side": sides}), file)


def read_split(path: Path) -> dict[str, Uids]:
    """The uids of each side, sorted. Raises ValueError where there is no file, or no split in it."""
    try:
        table = pq.read_table(path, columns=["uid", "side"]).combine_chunks()
        uids, sides = table.column("uid").cast(pa.large_string()), table.column("side").cast(pa.string())
    except FileNotFoundError:
        raise ValueError(f"{path}: not found, as in folders that an earlier version made; parse again") from None
    except (pa.ArrowException, KeyError) as error:
        raise ValueError(f"{path}: holds no split ({' '.join(str(error).split())}); parse again") from None
    if unknown := sorted(set(pc.unique(sides).to_pylist()) - {*SIDES}):
        raise ValueError(f"{path}: has the side {unknown[0]}, expected {', '.join(SIDES)}; parse again")
    column = pa.concat_arrays([*uids.chunks, pa.array([], uids.type)])
    found = {side: Uids(column, np.flatnonzero(pc.equal(sides, side).to_numpy()).astype(np.int32)) for side in SIDES}
    del table, sides
    pa.default_memory_pool().release_unused()  # of what Parquet is decoded into it would keep 70 MB of a million
    return found


def own_split(path: Path, index: Index) -> dict[str, Uids]:
    """The uids of each side as rows of an index, by which no text of the split stays in memory: 4 bytes a solid. Raises
    as `read_split` and `Index.own` do."""
    sides = index.own(read_split(path))
    pa.default_memory_pool().release_unused()  # of the texts it would keep 26 MB of a million
    return sides
