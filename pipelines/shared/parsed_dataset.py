"""What a stage after `parse` needs to know of the solids that are stored."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from brep_mae.composition.pretext import DataSpec
from brep_mae.datasets.derived.files import Files, file_of
from brep_mae.datasets.frames import open_frames
from brep_mae.datasets.labelling.labels import labels_of
from brep_mae.datasets.lazy.index import open_index
from brep_mae.datasets.loader import Solids
from brep_mae.datasets.splits import own_split
from pipelines.shared.places import FRAMES, PARSED

Unit = Literal["solid", "file"]
"""What is one sample: a solid, or all solids of a file together."""


@dataclass(frozen=True)
class ParsedDataset:
    """Split and spec of a parsed data set; `digest` names its content, `labels_digest` that of its labels. Where the
    `unit` is a file, the split names files.

    The split holds the solids that have frames as well, so that every encoder meets the same ones; what `render`
    could not draw is in its report.
    """

    parsed: Path
    frames: Path | None
    labels: Path | None
    split: Mapping[str, Sequence[str]]
    face_classes: list[str]
    part_classes: list[str]
    digest: str
    labels_digest: str
    spec: DataSpec
    unit: Unit = "solid"

    def solids(self, reads: frozenset[str], *sides: str) -> Solids:
        """The solids, or files, of some sides of the split ("train", "validation", "test"), with the content asked
        for."""
        uids = self.split[sides[0]] if len(sides) == 1 else [uid for side in sides for uid in self.split[side]]
        if self.unit == "file":
            return Files(self.parsed, uids, reads, self.labels)
        return Solids(self.parsed, self.frames, uids, reads, self.labels)


def parsed_dataset(
    parsed: Path = PARSED, frames: Path | None = FRAMES, labels: Path | None = None, unit: Unit = "solid"
) -> ParsedDataset:
    """Reads what `parse`, `render` and `label` left. FileNotFoundError names what is missing.

    Args:
        frames: None = no frames.
        labels: None = those in the folder `parsed` itself, where there are any; what `label` made of the default graph
            is for the stages that name it.
    """
    dataset = json.loads((parsed / "dataset.json").read_text())
    sides = own_split(parsed / "split.parquet", open_index(parsed))
    size = 0
    if frames is not None:
        drawn = open_frames(frames)
        size = drawn.size
        sides = {side: drawn.lookup.known(uids) for side, uids in sides.items()}
    split: dict[str, Sequence[str]] = {**sides}
    if unit == "file":
        split = {side: sorted({file_of(uid) for uid in uids}) for side, uids in split.items()}
    known = labels_of(parsed, labels)
    return ParsedDataset(
        parsed=parsed,
        frames=frames,
        labels=labels,
        split=split,
        face_classes=list(known.face_classes),
        part_classes=list(known.part_classes),
        digest=dataset["digest"],
        labels_digest=known.digest,
        spec=DataSpec(dataset["parse"]["grid"], size, len(known.face_classes), len(known.part_classes)),
        unit=unit,
    )
