"""Finished shards -> one data set's: of files with the same bytes the first alone keeps its solids."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from brep_mae.cad_files import printable
from brep_mae.datasets.lazy.index import SUFFIX
from brep_mae.datasets.shards import read_shard, write_shard
from brep_mae.datasets.source import Source
from brep_mae.ingest.chunks import Note, counts, read_note
from brep_mae.ingest.report import ParseReport
from brep_mae.output.files import link_or_copy


def join(source: Source, finished: Iterable[Path], out: Path) -> ParseReport:
    """Puts shards into the folder `out`; they take no more room where it is on the same disk.

    Args:
        finished: notes of all shards of the data set, in order.

    Raises ValueError where no file gave a solid.
    """
    place = {printable(path.relative_to(source.root).as_posix()): i for i, path in enumerate(source.files)}
    first: dict[str, str] = {}
    notes = []
    for done in finished:
        note, shard = read_note(done), done.with_suffix(SUFFIX)
        twins = {name: twin for name, key in note["keys"].items() if (twin := first.setdefault(key, name)) != name}
        if twins:
            note = _without(twins, note, shard, out)
            note["rejects"].sort(key=lambda reject: place[reject["file"]])
        elif note["solids"]:
            link_or_copy(shard, out / shard.name)
        notes.append(note)
    rejects = [
        {"file": printable(path.relative_to(source.root).as_posix()), "solid": None, "reason": reason, "detail": detail}
        for path, reason, detail in source.left_out
    ]
    report = summed(len(source.files), notes, rejects)
    if not report.solids:
        some = "; ".join(f"{reject['reason']}: {reject['detail']}" for reject in report.rejects[:3])
        raise ValueError(
            f"{source.root}: none of {report.files} files gave a solid ({report.reasons}); {some}; "
            "remedy: name files that hold solids"
        )
    return report


def summed(files: int, notes: list[Note], rejects: list[dict[str, Any]]) -> ParseReport:
    """The report of shards.

    Args:
        rejects: those that belong to no shard.
    """
    rejects = rejects + [reject for note in notes for reject in note["rejects"]]
    counted = ("files_without_solid", "solids", "faces", "arcs", "unbounded_faces")
    return ParseReport(
        files=files,
        **{name: sum(note[name] for note in notes) for name in counted},
        reasons=dict(sorted(Counter(reject["reason"] for reject in rejects).items())),
        rejects=rejects,
    )


def _without(twins: dict[str, str], note: Note, shard: Path, out: Path) -> Note:
    """Writes the shard without the solids of some files, and returns its note with a reject for each of those.

    Args:
        twins: file -> an earlier one with the same bytes.
    """
    graphs = [graph for graph in read_shard(shard) if graph.file not in twins]
    if graphs:
        write_shard(out / shard.name, graphs)
    duplicates = [
        {"file": name, "solid": None, "reason": "duplicate", "detail": f"same bytes as {twin}"}
        for name, twin in twins.items()
    ]
    return {
        "files_without_solid": note["files_without_solid"] + len(twins),
        **counts(graphs),
        "rejects": [reject for reject in note["rejects"] if reject["file"] not in twins] + duplicates,
    }
