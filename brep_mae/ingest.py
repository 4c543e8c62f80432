"""Data set -> shards: parse in many processes, store, and account for every file left out."""

import hashlib
import importlib.metadata
import json
import os
import time
from collections import ChainMap, Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from brep_mae import closure, schema
from brep_mae.brep.reject import Reject
from brep_mae.brep.workers.pool import ParseOptions, Solids, parse_files
from brep_mae.cad_files import printable
from brep_mae.datasets.labelling.join import join_labels
from brep_mae.datasets.labelling.labels import FOLDER, LabelReport
from brep_mae.datasets.shards import SUFFIX, digest, open_shards, write_shard
from brep_mae.datasets.source import Source
from brep_mae.datasets.splits import make_split, write_split
from brep_mae.main_guard import leave_a_copy
from brep_mae.output.files import link_or_copy, written
from brep_mae.output.folder import collect, output_folder
from brep_mae.progress import progress
from brep_mae.schema import FaceGraph
from brep_mae.settings import ParseParams, SplitParams

FILES_PER_SHARD = 256
"""What a kill -9 can cost: the files of the shard at hand."""
REPORT, KEY = "report.json", "parsed.key"
MADE_BY = ("brep_mae.brep.workers.pool", "brep_mae.datasets.shards")
"""Modules that read a file and write a shard; with all that they import, the code that a shard depends on."""
LIBRARIES = ("cadquery-ocp", "cadquery-ocp-novtk", "numpy")
"""What the numbers in a shard depend on besides this program; one of the first two is there."""


@dataclass(frozen=True)
class ParseReport:
    """What came of a data set. Only `solids_per_s` is not the same on every run, so it is not in report.json.

    Args:
        files_without_solid: of `files`; every other one gave at least one solid.
        reasons: rejects by reason.
        rejects: one {file, solid, reason, detail} for each; `solid` is its number in the file, None = the whole file.
        solids_per_s: 0 where every shard was already there.
        labels: what became of the labels, where they were joined at once.
    """

    files: int
    files_without_solid: int
    solids: int
    faces: int
    arcs: int
    unbounded_faces: int
    reasons: dict[str, int]
    rejects: list[dict[str, Any]]
    solids_per_s: float
    labels: LabelReport | None = None


def parse_dataset(
    source: Source,
    out: Path,
    parse: ParseParams,
    split: SplitParams,
    workers: int,
    work: Path | None = None,
    labelled: bool = False,
) -> ParseReport:
    """Fills `out` with shards, dataset.json, split.json and report.json, in place of those of an earlier run.

    Args:
        workers: processes.
        work: finished shards wait here, under a key of settings and files, so that a killed run goes on where it was.
            It serves this output alone; None = the folder beside it where all that is unfinished of it lies.
        labelled: True = the labels are joined at once and lie in the folder as well, and shards that it holds already,
            made from the same files by the same settings and code, are kept; else a stage of its own joins the labels.

    Raises:
        OutputError: `out` cannot be written, is in use, or holds what this program did not write.
    """
    leave_a_copy()
    with output_folder(out) as claim:
        key = _key(source, parse)
        folder = (work or claim.work) / f"parse-{key}"
        kept = labelled and _made_by(claim.place) == key
        if kept:
            report = _reported(claim.place)
        else:
            with written(folder, folder):
                folder.mkdir(parents=True, exist_ok=True)
            report = _parse(source, folder, parse, workers)
        with claim.filled() as new, written(out, folder):
            _publish(source, claim.place if kept else folder, new, parse, split, report)
            if labelled:
                labels = join_labels(source, open_shards(new), report.rejects, new / FOLDER)
                report = replace(report, labels=labels)
                (new / KEY).write_text(key)
            _write_json(
                new / REPORT, {k: v for k, v in asdict(report).items() if k != "solids_per_s" and v is not None}
            )
        collect(folder.parent, "parse")
    return report


def _made_by(out: Path) -> str:
    """The key of what a folder holds; "" where it has none."""
    try:
        return (out / KEY).read_text()
    except OSError:
        return ""


def _reported(out: Path) -> ParseReport:
    values = json.loads((out / REPORT).read_text())
    return ParseReport(**{**values, "solids_per_s": 0.0, "labels": None})


def _parse(source: Source, folder: Path, parse: ParseParams, workers: int) -> ParseReport:
    """Fills `folder` with shards. Raises ValueError where no file gave a solid."""
    begun = time.monotonic()
    fresh = _fill(source, folder, parse, workers)
    seconds = time.monotonic() - begun
    parts = [json.loads(path.read_text()) for path in sorted(folder.glob("*.done"))]
    rejects = [
        {"file": printable(path.relative_to(source.root).as_posix()), "solid": None, "reason": reason, "detail": detail}
        for path, reason, detail in source.left_out
    ] + [reject for part in parts for reject in part["rejects"]]
    counted = ("files_without_solid", "solids", "faces", "arcs", "unbounded_faces")
    report = ParseReport(
        files=len(source.files),
        **{key: sum(part[key] for part in parts) for key in counted},
        reasons=dict(sorted(Counter(reject["reason"] for reject in rejects).items())),
        rejects=rejects,
        solids_per_s=fresh / seconds if fresh else 0.0,
    )
    if not report.solids:
        first = "; ".join(f"{reject['reason']}: {reject['detail']}" for reject in rejects[:3])
        raise ValueError(
            f"{source.root}: none of {report.files} files gave a solid ({report.reasons}); {first}; "
            "remedy: name files that hold solids"
        )
    return report


def _key(source: Source, parse: ParseParams) -> str:
    """All that a shard depends on: settings, code, and files by name, size and time of change."""
    total = hashlib.sha256(f"{source.name} {FILES_PER_SHARD} {parse.model_dump_json()} {_code()}".encode())
    for path in source.files:
        stat = path.stat() if path.exists() else path.lstat()  # of a broken link
        total.update(os.fsencode(path.relative_to(source.root)) + f" {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return total.hexdigest()[:16]


def _code() -> str:
    """Hash of the code that makes a shard: a resumed run must not put the work of two parsers into one data set."""
    total = hashlib.sha256("".join(closure.digest(module) for module in MADE_BY).encode())
    for name in LIBRARIES:
        with suppress(importlib.metadata.PackageNotFoundError):
            total.update(f"{name} {importlib.metadata.version(name)}".encode())
    return total.hexdigest()


def _fill(source: Source, folder: Path, parse: ParseParams, workers: int) -> int:
    """Parses the files of every shard that is not finished; returns how many solids that gave."""
    starts = range(0, len(source.files), FILES_PER_SHARD)
    chunks = {folder / f"{i:05d}.done": source.files[at : at + FILES_PER_SHARD] for i, at in enumerate(starts)}
    todo = [path for done, chunk in chunks.items() if not done.is_file() for path in chunk]
    results = parse_files(todo, ParseOptions(root=source.root, **parse.model_dump()), workers)
    seen: dict[str, str] = {}
    fresh, rejected, files = 0, 0, len(source.files) - len(todo)
    with progress(len(source.files), "parse") as advance:
        advance(files, "")
        for done, chunk in chunks.items():
            if done.is_file():
                note = json.loads(done.read_text())
                seen |= note["keys"]
                rejected += len(note["rejects"])
                continue
            part = _Part([], [], {}, 0)
            for path, found in (next(results) for _ in chunk):
                part.add(
                    printable(path.relative_to(source.root).as_posix()), _numbered(found, ChainMap(part.keys, seen))
                )
                files += 1
                advance(files, f"{rejected + len(part.rejects)} left out")
            seen |= part.keys
            fresh += len(part.graphs)
            rejected += len(part.rejects)
            with written(done, folder):
                part.commit(done)
    return fresh


@dataclass
class _Part:
    """What one shard will hold, and what is noted beside it. `keys` maps the keys of its files to their names."""

    graphs: list[FaceGraph]
    rejects: list[dict[str, Any]]
    keys: dict[str, str]
    files_without_solid: int

    def add(self, name: str, solids: list[tuple[int | None, FaceGraph | Reject]]) -> None:
        for number, solid in solids:
            if isinstance(solid, Reject):
                reject = {"file": name, "solid": number, "reason": solid.reason, "detail": solid.detail}
                self.rejects.append(reject)
            else:
                self.graphs.append(solid)
                self.keys[_file_key(solid)] = name
        self.files_without_solid += all(isinstance(solid, Reject) for _, solid in solids)

    def commit(self, done: Path) -> None:
        """The shard first, then the note that it is finished."""
        note = {
            "files_without_solid": self.files_without_solid,
            "solids": len(self.graphs),
            "faces": sum(graph.n_faces for graph in self.graphs),
            "arcs": sum(graph.arc_index.shape[1] for graph in self.graphs),
            "unbounded_faces": sum(int((~graph.field_bounded).sum()) for graph in self.graphs),
            "rejects": self.rejects,
            "keys": self.keys,
        }
        temporary = done.with_suffix(".writing")
        try:
            if self.graphs:
                write_shard(done.with_suffix(SUFFIX), self.graphs)
            temporary.write_text(json.dumps(note))
            os.replace(temporary, done)
        except OSError:
            temporary.unlink(missing_ok=True)  # on a full disk even half a shard is in the way
            raise


def _file_key(graph: FaceGraph) -> str:
    return graph.uid.split("#")[0]


def _numbered(found: Solids | Reject, seen: Mapping[str, str]) -> list[tuple[int | None, FaceGraph | Reject]]:
    """The solids of one file with their numbers; the same bytes under a second name are left out."""
    if isinstance(found, Reject):
        return [(None, found)]
    for solid in found:
        if isinstance(solid, FaceGraph) and (twin := seen.get(_file_key(solid))) is not None:
            return [(None, Reject("duplicate", f"same bytes as {twin}"))]
    return [(i, solid if isinstance(solid, Reject) else schema.validate(solid)) for i, solid in enumerate(found)]


def _publish(
    source: Source,
    shards: Path,
    out: Path,
    parse: ParseParams,
    split: SplitParams,
    report: ParseReport,
) -> None:
    """Fills the empty folder `out`. The shards take no more room where it is on the same disk."""
    for shard in sorted(shards.glob(f"*{SUFFIX}")):
        link_or_copy(shard, out / shard.name)
    stored = open_shards(out)
    files = dict(zip(stored.uids, stored.files, strict=True))
    write_split(out / "split.json", make_split(files, split.validation, split.test, source.name, source.split))
    about = {
        "name": source.name,
        "licence": source.licence,
        "parse": {
            key: getattr(parse, key) for key in ("grid", "field_pool", "field_samples", "curvature", "split_closed")
        },
        "schema": schema.VERSION,
        "digest": digest(out),
    }
    _write_json(out / "dataset.json", about)


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n")
