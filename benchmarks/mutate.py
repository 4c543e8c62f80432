"""Thousands of broken STEP files among good ones, through the pool: what became of each, and what it cost.

Must hold: every file has an outcome, in the order given; no worker lives past a deadline by more than GRACE_S; every
good file gives the same records as where no broken file is near. Exit code 1 where one of them does not.

    python -m benchmarks.mutate --files 5000 --seed 0 --workers 2 FOLDER...
"""

import argparse
import hashlib
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from benchmarks.mutations import MUTATORS
from brep_mae.brep.reject import Reject
from brep_mae.brep.workers.pool import ParseOptions, Solids, parse_files
from brep_mae.brep.workers.worker import Tally
from brep_mae.progress import progress
from brep_mae.schema import ARRAYS, FaceGraph

GRACE_S = 2.0
"""What it may take to kill a process and see it gone."""
GOOD = "good"


@dataclass(frozen=True)
class Campaign:
    """What became of the files.

    Args:
        outcomes: kind of mutation -> outcome -> files; the outcomes are `parsed`, `partly` (some solids) and reasons.
        without_outcome: files that the pool never gave back, or not in their turn.
        good_lost, good_changed: good files rejected, or with other records than alone.
        replaced: workers by the reason for which they were replaced.
        late_s: the longest that a worker lived past its deadline.
        examples: "kind reason" -> detail of one reject.
    """

    files: int
    outcomes: dict[str, dict[str, int]]
    without_outcome: int
    good: int
    good_lost: list[str]
    good_changed: list[str]
    replaced: dict[str, int]
    late_s: float
    seconds: float
    examples: dict[str, str]

    @property
    def holds(self) -> bool:
        """True where the pool did all that it promises."""
        return not (self.without_outcome or self.good_lost or self.good_changed) and self.late_s <= GRACE_S


def campaign(sources: Sequence[Path], files: int, seed: int, deadline_s: float, workers: int, work: Path) -> Campaign:
    """Mixes `files` mutants of good STEP files with the good ones and parses all.

    Args:
        sources: good files; the records that they give alone are what they must give among the mutants.
        work: empty folder for the mutants.
    """
    options = ParseOptions(4, 16, 4, False, False, root=work, deadline_s=deadline_s, memory_mb=2000)
    rng = random.Random(seed)
    good = [work / f"{GOOD}-{i:05d}.step" for i in range(len(sources))]
    for path, source in zip(good, sources, strict=True):
        path.write_bytes(source.read_bytes())
    alone = {path: _records(found) for path, found in parse_files(good, options, workers)}
    if bad := [path for path, records in alone.items() if records is None]:
        raise SystemExit(f"{sources[good.index(bad[0])]}: not a good file to begin with")

    kinds = list(MUTATORS)
    mixed = list(good)
    for i in range(files):
        kind = kinds[i % len(kinds)]
        own = random.Random(f"{seed} {i}")
        path = work / f"{kind}-{i:05d}.step"
        path.write_bytes(MUTATORS[kind](own.choice(sources).read_bytes(), own))
        mixed.append(path)
    rng.shuffle(mixed)

    tally, begun = Tally(), time.monotonic()
    outcomes: dict[str, Counter[str]] = {kind: Counter() for kind in (GOOD, *kinds)}
    lost: list[str] = []
    changed: list[str] = []
    examples: dict[str, str] = {}
    given = 0
    with progress(len(mixed), "mutants") as advance:
        for expected, (path, found) in zip(mixed, parse_files(mixed, options, workers, tally), strict=False):
            kind, outcome = path.stem.rsplit("-", 1)[0], _outcome(found)
            outcomes[kind][outcome] += 1
            given += path == expected
            if isinstance(found, Reject):
                examples.setdefault(f"{kind} {outcome}", found.detail)
            if path in alone and _records(found) != alone[path]:
                (lost if isinstance(found, Reject) else changed).append(f"{path.name}: {outcome}")
            advance(given, ", ".join(f"{count} {reason}" for reason, count in tally.replaced.items()))
    return Campaign(
        files=len(mixed),
        outcomes={kind: dict(counts.most_common()) for kind, counts in outcomes.items()},
        without_outcome=len(mixed) - given,
        good=len(good),
        good_lost=lost,
        good_changed=changed,
        replaced=dict(tally.replaced),
        late_s=round(tally.late_s, 3),
        seconds=round(time.monotonic() - begun, 1),
        examples=examples,
    )


def _outcome(found: Solids | Reject) -> str:
    if isinstance(found, Reject):
        return found.reason
    rejects = [solid.reason for solid in found if isinstance(solid, Reject)]
    if len(rejects) == len(found):
        return rejects[0]
    return "partly" if rejects else "parsed"


def _records(found: Solids | Reject) -> str | None:
    """Hash of every value of every record; None where there is none."""
    if isinstance(found, Reject) or all(isinstance(solid, Reject) for solid in found):
        return None
    total = hashlib.sha256()
    for solid in found:
        if isinstance(solid, FaceGraph):
            for name in (field.name for field in fields(solid)):
                value = getattr(solid, name)
                total.update(value.tobytes() if name in ARRAYS else repr(value).encode())
        else:
            total.update(solid.reason.encode())
    return total.hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, help="with good STEP files")
    parser.add_argument("--files", type=int, default=5000, help="mutants")
    parser.add_argument("--good", type=int, default=200, help="good files, the same number of each folder")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--deadline", type=float, default=10.0, help="seconds for a file")
    parser.add_argument("--out", type=Path, help="file for the result as JSON")
    given = parser.parse_args()
    rng = random.Random(given.seed)
    sources: list[Path] = []
    for folder in given.folders:
        found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".step", ".stp"))
        sources += rng.sample(found, min(len(found), given.good // len(given.folders)))
    with tempfile.TemporaryDirectory() as work:
        result = campaign(sources, given.files, given.seed, given.deadline, given.workers, Path(work))
    text = json.dumps({"holds": result.holds, **asdict(result)}, indent=1)
    if given.out:
        given.out.write_text(text + "\n")
    print(text)
    sys.exit(not result.holds)


if __name__ == "__main__":
    main()
