"""Parsed folders as what is trained on and what is held out."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from brep_mae import schema
from brep_mae.composition.pretext import DataSpec
from brep_mae.datasets.combined import ConcatDataset
from brep_mae.datasets.labelling.labels import Labels, labels_of
from brep_mae.datasets.loader import Samples, Solids
from brep_mae.datasets.shards import open_shards
from brep_mae.datasets.splits import read_split
from brep_mae.progress import progress
from brep_mae.retrieval.same import groups, measured

LEAST = 2
"""Solids to train on: fewer are no batch."""


class ShardsError(ValueError):
    """Nothing can be trained on a folder; the message names it, the reason and the remedy."""


@dataclass(frozen=True)
class ParsedFolder:
    """A folder that `brep-mae parse` filled: samples of a side of a UV-grid, digest of the solids, and labels."""

    path: Path
    grid: int
    digest: str
    labels: Labels

    @property
    def classes(self) -> tuple[int, int]:
        """Number of face classes, and of part classes."""
        return len(self.labels.face_classes), len(self.labels.part_classes)


@dataclass(frozen=True)
class Sides:
    """What is trained on and what is held out.

    Args:
        known: training solids that are left out, because one that is held out is the same.
        digest: of all of it, the division included.
    """

    train: Samples
    heldout: Samples
    known: int
    digest: str


def parsed_folders(paths: Sequence[Path]) -> list[ParsedFolder]:
    """The folders, all of one grid. Raises ShardsError."""
    folders = [_parsed(path) for path in paths]
    for one in folders:
        if one.grid != folders[0].grid:
            raise ShardsError(
                f"{one.path}: grids of {one.grid} samples a side, {folders[0].path} has {folders[0].grid}: parse both "
                "with the same --grid"
            )
    return folders


def _parsed(path: Path) -> ParsedFolder:
    try:
        about = json.loads((path / "dataset.json").read_text())
        version, grid, digest = about["schema"], about["parse"]["grid"], about["digest"]
    except (OSError, ValueError, KeyError, TypeError):
        raise ShardsError(
            f"{path}: no folder of parsed solids; make one with: brep-mae parse FILES --out {path}"
        ) from None
    if version != schema.VERSION:
        raise ShardsError(f"{path}: parsed with data schema {version}, this is {schema.VERSION}; parse the files again")
    return ParsedFolder(path, grid, digest, labels_of(path))


def spec_of(folders: Sequence[ParsedFolder], labelled: bool) -> DataSpec:
    """What a network must know of the folders; classes of one come after those of the folder before."""
    faces, parts = (sum(counts) for counts in zip(*(folder.classes for folder in folders), strict=True))
    return DataSpec(folders[0].grid, 0, faces, parts) if labelled else DataSpec(folders[0].grid, 0)


def divided(folders: Sequence[ParsedFolder], reads: frozenset[str], labelled: bool) -> Sides:
    """Trains on the training sides, and holds out the validation sides. What is held out is new to the training: of
    solids that are the same but for place, direction, size and handedness none is on both sides, and the test sides
    are on neither.

    Args:
        labelled: True = the labels are a part of what is trained on.

    Raises ShardsError where too few solids are left.
    """
    train, heldout = _uids(folders, "train"), _uids(folders, "validation")
    doubled = _same_as_heldout(folders, train, heldout)
    train = [[uid for uid in uids if uid not in doubled] for uids in train]
    found, held = (sum(map(len, side)) for side in (train, heldout))
    if found < LEAST or not held:
        raise ShardsError(
            f"{', '.join(str(folder.path) for folder in folders)}: {found} solids to train on and {held} to hold out "
            "are too few; parse more files, hundreds if you have them"
        )
    total = hashlib.sha256(json.dumps([train, heldout]).encode())
    for folder in folders:
        total.update((folder.digest + (folder.labels.digest if labelled else "")).encode())
    return Sides(_samples(folders, train, reads), _samples(folders, heldout, reads), len(doubled), total.hexdigest())


def _uids(folders: Sequence[ParsedFolder], side: str) -> list[list[str]]:
    """By folder; a solid that an earlier folder has on any side is not taken again."""
    seen: set[str] = set()
    found = []
    for folder in folders:
        split = read_split(folder.path / "split.parquet")
        found.append([uid for uid in split[side] if uid not in seen])
        seen |= {uid for uids in split.values() for uid in uids}
    return found


def _same_as_heldout(
    folders: Sequence[ParsedFolder], train: Sequence[Sequence[str]], heldout: Sequence[Sequence[str]]
) -> set[str]:
    """Of the solids to train on those that are the same as one that is held out."""
    held = {uid for uids in heldout for uid in uids}
    wanted = held | {uid for uids in train for uid in uids}
    solids = []
    with progress(len(wanted), "compare solids") as advance:
        for folder in folders:
            stored = open_shards(folder.path)
            for i, uid in enumerate(stored.uids):
                if uid in wanted:
                    wanted.remove(uid)
                    solids.append(measured(stored[i]))
                    advance(len(solids), "")
    alike = [{solid.uid for solid in group} for group in groups(solids)]
    return {uid for group in alike if group & held for uid in group - held}


def _samples(folders: Sequence[ParsedFolder], uids: Sequence[Sequence[str]], reads: frozenset[str]) -> Samples:
    parts = [
        (Solids(folder.path, None, own, reads), *folder.classes) for folder, own in zip(folders, uids, strict=True)
    ]
    return parts[0][0] if len(parts) == 1 else ConcatDataset(parts)
