"""Makes a labelled data set of parts of one kind: STEP files, a class for every face and for every part.

The folder it fills holds `step/000000.step` and so on, `labels.jsonl` (one line per file, in order), `classes.json`
(the names) and `generator.json` (what the parts were drawn with).
"""

import importlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from brep_mae import plugins
from brep_mae.generate.generated_part import GeneratedPart
from brep_mae.generate.step_writer import write_step
from brep_mae.output.files import write_whole
from brep_mae.processes import REASON, leave_a_copy, process_pool
from brep_mae.progress import progress

CHUNK = 8  # parts a worker takes at a time

Record = dict[str, Any]


@dataclass(frozen=True)
class GenerateReport:
    """What a call of `generate` did.

    Args:
        solids: parts in the folder.
        made: parts made by this call; the others were there before.
        attempts: draws behind all parts of the folder.
        rejected: draws thrown away, by reason; attempts = solids + their sum.
        seconds: wall time of the call.
    """

    solids: int
    made: int
    attempts: int
    rejected: Mapping[str, int]
    seconds: float


@dataclass(frozen=True)
class Generator:
    """One kind of part.

    Args:
        face_classes, part_classes: names of the labels.
        version: goes up when the same seed draws other parts, so that a folder never mixes the two.
        draw_part: (seed, index) -> the part, the same on every machine, in whatever order parts are made.
    """

    face_classes: tuple[str, ...]
    part_classes: tuple[str, ...]
    version: int
    draw_part: Callable[[int, int], GeneratedPart]


def generator(kind: str) -> Generator:
    """The generator in `generators/<kind>`; SettingsError names the known ones."""
    package = plugins.load(plugins.GENERATORS, kind, "generate.kind").__name__
    classes, draw = (importlib.import_module(f"{package}.{name}") for name in ("classes", "draw"))
    return Generator(classes.FACE_CLASSES, classes.PART_CLASSES, classes.VERSION, draw.draw_part)


def generate(out: Path, kind: str, solids: int, seed: int, workers: int = 1) -> GenerateReport:
    """Fills `out` with parts 0 to `solids` - 1 of a kind and seed; the bytes do not depend on workers or interruptions.

    Parts whose STEP file and labels are there already are kept as they are, so a stopped run goes on where it was,
    and a larger `solids` adds to a finished folder.

    Args:
        out: folder, made if missing.
        kind: name of a package in `generators`.
        solids: number of parts, >= 1.
        seed: >= 0; another seed draws other parts.
        workers: processes, >= 1; 1 works in the calling process.

    Raises:
        ValueError: an unknown kind, numbers out of range, or the folder holds parts of other settings or other files.
        RuntimeError: a worker process died.
    """
    if solids < 1 or seed < 0 or workers < 1:
        raise ValueError(f"solids={solids}, seed={seed}, workers={workers}: need at least 1, 0 and 1")
    leave_a_copy()
    start = time.monotonic()
    made = generator(kind)
    _claim(out, {"kind": kind, "seed": seed, "version": made.version})
    known = _finished(out)
    if known and max(known) >= solids:
        raise ValueError(f"{out}: holds part {max(known)}, beyond the {solids} asked for; use another folder")
    todo = [i for i in range(solids) if i not in known]
    with progress(solids, "generate") as advance:
        advance(len(known), "")
        for record in _make_all(out, kind, seed, todo, workers):
            known[_index(record)] = record
            advance(len(known), "")
    records = [known[i] for i in range(solids)]
    write_whole(out / "labels.jsonl", "".join(json.dumps(record) + "\n" for record in records))
    write_whole(
        out / "classes.json", json.dumps({"face": made.face_classes, "part": made.part_classes}, indent=1) + "\n"
    )
    for record in records:
        (out / "parts" / f"{_index(record):06d}.json").unlink(missing_ok=True)
    with suppress(OSError):  # what else is in it nobody here has written
        (out / "parts").rmdir()
    rejected: Counter[str] = Counter()
    for record in records:
        rejected.update(record["rejected"])
    attempts = sum(record["attempts"] for record in records)
    return GenerateReport(solids, len(todo), attempts, dict(rejected), time.monotonic() - start)


def _claim(out: Path, settings: Record) -> None:
    """Prepares the folder, and refuses one whose parts were drawn with other settings."""
    note = out / "generator.json"
    if note.exists() and (held := json.loads(note.read_text())) != settings:
        raise ValueError(f"{out}: holds parts drawn with {held}, asked for {settings}; use another folder")
    begun = f".{note.name}.part"  # what a start that was killed leaves
    others = sorted(path.name for path in out.iterdir() if path.name != begun) if out.is_dir() else []
    if others and not note.exists():
        raise ValueError(f"{out}: holds {', '.join(others[:3])}, and no parts of this program; use a new folder")
    out.mkdir(parents=True, exist_ok=True)
    write_whole(note, json.dumps(settings) + "\n")
    for folder in ("step", "parts"):
        (out / folder).mkdir(exist_ok=True)


def _index(record: Record) -> int:
    return int(Path(record["file"]).stem)


def _finished(out: Path) -> dict[int, Record]:
    """Records, by part index, of earlier runs: of finished ones in labels.jsonl, of stopped ones in parts/."""
    lines = [path.read_text() for path in (out / "parts").glob("*.json")]
    if (out / "labels.jsonl").exists():
        lines += (out / "labels.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    return {_index(record): record for record in records if (out / record["file"]).exists()}


def _make_all(out: Path, kind: str, seed: int, todo: list[int], workers: int) -> Iterable[Record]:
    make = partial(_make, out, kind, seed)
    if workers == 1:
        yield from map(make, todo)
        return
    try:
        with process_pool(workers) as pool:
            yield from pool.map(make, todo, chunksize=CHUNK)
    except BrokenProcessPool as error:
        raise RuntimeError(
            f"{out}: a worker died: there was too little memory (call again to go on), or {REASON}"
        ) from error


def _make(out: Path, kind: str, seed: int, index: int) -> Record:
    """Draws and writes one part; its record comes last, so that a record means a finished part."""
    part = generator(kind).draw_part(seed, index)
    record: Record = {
        "file": f"step/{index:06d}.step",
        "part": part.family,
        "faces": list(part.labels),
        "attempts": part.attempts,
        "rejected": dict(part.rejected),
    }
    write_step(part.solid, out / record["file"])
    write_whole(out / "parts" / f"{index:06d}.json", json.dumps(record))
    return record
