"""Data set -> shards: parse in many processes, join the labels, store, and account for every file left out."""

import hashlib
import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from brep_mae import schema
from brep_mae.brep.pool import ParseOptions, Solids, parse_files
from brep_mae.brep.reject import Reject
from brep_mae.datasets.shards import SUFFIX, digest, open_shards, write_shard
from brep_mae.datasets.source import LabelError, Source
from brep_mae.datasets.splits import make_split, write_split
from brep_mae.progress import progress
from brep_mae.schema import FaceGraph
from brep_mae.settings import ParseParams, SplitParams

FILES_PER_SHARD = 256
"""What a kill -9 can cost: the files of the shard at hand."""


@dataclass(frozen=True)
class ParseReport:
    """What came of a data set. `rejects` holds one {file, reason, detail} per file left out; only `solids_per_s` is
    not the same on every run, so it is not written to report.json. It is 0 where every shard was already there.
    """

    files: int
    solids: int
    faces: int
    arcs: int
    unbounded_faces: int
    reasons: dict[str, int]
    rejects: list[dict[str, str]]
    solids_per_s: float


def parse_dataset(
    source: Source,
    out: Path,
    parse: ParseParams,
    split: SplitParams,
    workers: int,
    work: Path = Path(".work"),
) -> ParseReport:
    """Fills `out` with shards, dataset.json, split.json and report.json; whatever was in `out` goes.

    Args:
        workers: processes.
        work: finished shards wait here, under a key of settings and files, so that a killed run goes on where it was.
    """
    folder = work / f"parse-{_key(source, parse)}"
    folder.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    fresh = _fill(source, folder, parse, workers)
    seconds = time.monotonic() - begun
    parts = [json.loads(path.read_text()) for path in sorted(folder.glob("*.done"))]
    rejects = [reject for part in parts for reject in part["rejects"]]
    report = ParseReport(
        files=len(source.files),
        **{key: sum(part[key] for part in parts) for key in ("solids", "faces", "arcs", "unbounded_faces")},
        reasons=dict(sorted(Counter(reject["reason"] for reject in rejects).items())),
        rejects=rejects,
        solids_per_s=fresh / seconds if fresh else 0.0,
    )
    if not report.solids:
        raise ValueError(f"{source.root}: none of {report.files} files gave a solid: {report.reasons}; see {folder}")
    _publish(source, folder, out, parse, split, report)
    shutil.rmtree(folder)
    return report


def _key(source: Source, parse: ParseParams) -> str:
    """Settings and files that a shard depends on; a file counts by name, size and time of change."""
    total = hashlib.sha256(f"{schema.VERSION} {source.name} {FILES_PER_SHARD} {parse.model_dump_json()}".encode())
    for path in (*source.files, *source.label_files):
        stat = path.stat()
        total.update(f"{path.relative_to(source.root)} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return total.hexdigest()[:16]


def _fill(source: Source, folder: Path, parse: ParseParams, workers: int) -> int:
    """Parses the files of every shard that is not finished; returns how many solids that gave."""
    starts = range(0, len(source.files), FILES_PER_SHARD)
    finished = {i: folder / f"{i:05d}.done" for i in range(len(starts))}
    todo = [i for i, path in finished.items() if not path.is_file()]
    chunks = {i: source.files[starts[i] : starts[i] + FILES_PER_SHARD] for i in todo}
    options = ParseOptions(root=source.root, **parse.model_dump())
    results = parse_files([path for i in todo for path in chunks[i]], options, workers)
    seen: dict[str, str] = {}
    solids = files = 0
    with progress(sum(map(len, chunks.values())), "parse") as advance:
        for i, done in finished.items():
            if i not in chunks:
                seen |= json.loads(done.read_text())["keys"]
                continue
            graphs: list[FaceGraph] = []
            rejects: list[dict[str, str]] = []
            keys: dict[str, str] = {}
            for _ in chunks[i]:
                path, found = next(results)
                name = path.relative_to(source.root).as_posix()
                for solid in _labelled(source, found, seen | keys):
                    if isinstance(solid, Reject):
                        rejects.append({"file": name, "reason": solid.reason, "detail": solid.detail})
                    else:
                        graphs.append(solid)
                        keys[_file_key(solid)] = name
                files += 1
                advance(files, f"{len(rejects)} left out in this shard" if rejects else "")
            seen |= keys
            solids += len(graphs)
            _commit(done, graphs, rejects, keys)
    return solids


def _file_key(graph: FaceGraph) -> str:
    return graph.uid.split("#")[0]


def _labelled(source: Source, found: Solids | Reject, seen: Mapping[str, str]) -> Solids:
    """The solids of one file with their labels; the same bytes under a second name are left out."""
    labelled: Solids = []
    for solid in [found] if isinstance(found, Reject) else found:
        if isinstance(solid, Reject):
            labelled.append(solid)
        elif (twin := seen.get(_file_key(solid))) is not None:
            return [Reject("duplicate", f"same bytes as {twin}")]
        else:
            try:
                labelled.append(schema.validate(source.label(solid)))
            except LabelError as error:
                labelled.append(Reject("label_mismatch", str(error)))
    return labelled


def _commit(done: Path, graphs: list[FaceGraph], rejects: list[dict[str, str]], keys: dict[str, str]) -> None:
    """The shard first, then the note that it is finished."""
    if graphs:
        write_shard(done.with_suffix(SUFFIX), graphs)
    note = {
        "solids": len(graphs),
        "faces": sum(graph.n_faces for graph in graphs),
        "arcs": sum(graph.arc_index.shape[1] for graph in graphs),
        "unbounded_faces": sum(int((~graph.field_bounded).sum()) for graph in graphs),
        "rejects": rejects,
        "keys": keys,
    }
    temporary = done.with_suffix(".writing")
    temporary.write_text(json.dumps(note))
    os.replace(temporary, done)


def _publish(
    source: Source, folder: Path, out: Path, parse: ParseParams, split: SplitParams, report: ParseReport
) -> None:
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    for shard in sorted(folder.glob(f"*{SUFFIX}")):
        shutil.copyfile(shard, out / shard.name)
    shards = open_shards(out)
    files = dict(zip(shards.uids, shards.files, strict=True))
    write_split(out / "split.json", make_split(files, split.validation, split.test))
    about = {
        "name": source.name,
        "licence": source.licence,
        "face_classes": source.face_classes,
        "part_classes": source.part_classes,
        "parse": {key: getattr(parse, key) for key in ("grid", "field_pool", "field_samples")},
        "schema": schema.VERSION,
        "digest": digest(out),
    }
    _write_json(out / "dataset.json", about)
    _write_json(out / "report.json", {k: v for k, v in asdict(report).items() if k != "solids_per_s"})


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n")
