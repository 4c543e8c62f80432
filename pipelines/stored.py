"""Where the stages put things, and what a stage after `parse` needs to know of them."""

import json
from dataclasses import dataclass
from pathlib import Path

from brep_mae.datasets.frames import open_frames
from brep_mae.datasets.loader import Solids
from brep_mae.datasets.splits import read_split
from brep_mae.pretext.pretext import Facts

SOURCE, PARSED, FRAMES = Path("data/source"), Path("data/parsed"), Path("data/frames")
MODELS, RESULTS = Path("models"), Path("results")


@dataclass(frozen=True)
class Stored:
    """Split and facts of a parsed data set; `digest` names its content.

    The split holds the solids that have frames as well, so that every encoder meets the same ones; what `render`
    could not draw is in its report.
    """

    parsed: Path
    frames: Path | None
    split: dict[str, list[str]]
    face_classes: list[str]
    part_classes: list[str]
    digest: str
    facts: Facts

    def solids(self, reads: frozenset[str], *sides: str) -> Solids:
        """The solids of some sides of the split ("train", "validation", "test"), with the content asked for."""
        return Solids(self.parsed, self.frames, [uid for side in sides for uid in self.split[side]], reads)


def stored(parsed: Path = PARSED, frames: Path | None = FRAMES) -> Stored:
    """Reads what `parse` and `render` left; `frames` None = no frames. FileNotFoundError names what is missing."""
    dataset = json.loads((parsed / "dataset.json").read_text())
    split = read_split(parsed / "split.json")
    size = 0
    if frames is not None:
        drawn = open_frames(frames)
        there, size = set(drawn.uids), drawn.size
        split = {side: [uid for uid in uids if uid in there] for side, uids in split.items()}
    return Stored(
        parsed=parsed,
        frames=frames,
        split=split,
        face_classes=dataset["face_classes"],
        part_classes=dataset["part_classes"],
        digest=dataset["digest"],
        facts=Facts(grid=dataset["parse"]["grid"], frame=size),
    )
