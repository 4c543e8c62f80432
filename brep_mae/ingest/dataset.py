"""Data set -> shards, split, labels and a report that accounts for every file left out."""

from dataclasses import replace
from pathlib import Path

from brep_mae import schema
from brep_mae.brep.workers.pool import ParseOptions
from brep_mae.datasets.labelling.join import join_labels
from brep_mae.datasets.labelling.labels import FOLDER
from brep_mae.datasets.lazy.index import SUFFIX, write_index
from brep_mae.datasets.shards import digest, open_shards
from brep_mae.datasets.source import Source
from brep_mae.datasets.splits import make_split, write_split
from brep_mae.ingest.chunks import Fill, chunks_of, fill
from brep_mae.ingest.join import join
from brep_mae.ingest.origin import origin_of
from brep_mae.ingest.report import ParseReport, read_report, write_json, write_report
from brep_mae.output.files import link_or_copy, written
from brep_mae.output.folder import collect, output_folder
from brep_mae.processes import leave_a_copy
from brep_mae.settings import ParseParams, SplitParams

KEY = "parsed.key"


def parse_dataset(
    source: Source,
    out: Path,
    parse: ParseParams,
    split: SplitParams,
    workers: int,
    work: Path | None = None,
    labelled: bool = False,
    fill: Fill = fill,
) -> ParseReport:
    """Fills `out` with shards, dataset.json, split.parquet, report.json and rejects.parquet, in place of those of an
    earlier run.

    Args:
        workers: processes.
        work: finished shards wait here, under a key of settings and files, so that a killed run goes on where it was.
            It serves this output alone; None = the folder beside it where all that is unfinished of it lies.
        labelled: True = the labels are joined at once and lie in the folder as well, and shards that it holds already,
            made from the same files by the same settings and code, are kept; else a stage of its own joins the labels.
        fill: makes the shards.

    Raises:
        OutputError: `out` cannot be written, is in use, or holds what this program did not write.
        ValueError: no file gave a solid.
    """
    leave_a_copy()
    with output_folder(out) as claim:
        key = origin_of(source, parse).key
        folder = (work or claim.work) / f"parse-{key}"
        kept = labelled and _made_by(claim.place) == key
        chunks = chunks_of(source.files, folder)
        rate = 0.0
        if not kept:
            with written(folder, folder):
                folder.mkdir(parents=True, exist_ok=True)
            rate = fill(chunks, ParseOptions(root=source.root, **parse.model_dump()), workers, source.store)
        with claim.filled() as new, written(out, folder):
            report = _keep(claim.place, new) if kept else join(source, chunks, new)
            report = publish(source, new, parse, split, report, key if labelled else "")
        collect(folder.parent, "parse")
    return replace(report, solids_per_s=rate)


def publish(
    source: Source, out: Path, parse: ParseParams, split: SplitParams, report: ParseReport, key: str
) -> ParseReport:
    """Adds to a folder of shards all that makes it a data set.

    Args:
        key: of the shards' origin; "" = a stage of its own joins the labels.
    """
    write_index(out)
    stored = open_shards(out)
    files = dict(zip(stored.uids, stored.files, strict=True))
    write_split(out / "split.parquet", make_split(files, split.validation, split.test, source.name, source.split))
    about = {
        "name": source.name,
        "licence": source.licence,
        "parse": {
            name: getattr(parse, name) for name in ("grid", "field_pool", "field_samples", "curvature", "split_closed")
        },
        "schema": schema.VERSION,
        "digest": digest(out),
    }
    write_json(out / "dataset.json", about)
    if key:
        report = replace(report, labels=join_labels(source, stored, report.rejects, out / FOLDER))
        (out / KEY).write_text(key)
    write_report(out, report)
    return report


def _made_by(out: Path) -> str:
    """The key of what a folder holds; "" where it has none."""
    try:
        return (out / KEY).read_text()
    except OSError:
        return ""


def _keep(place: Path, new: Path) -> ParseReport:
    """The shards of a finished folder, and its report without labels."""
    for shard in place.glob(f"*{SUFFIX}"):
        link_or_copy(shard, new / shard.name)
    return read_report(place)
