"""Joins the labels of a data set to its stored solids, and accounts for every line and file of labels.

A label that fits no solid costs the solid nothing: it stays unlabelled, and the report says which line and why.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from brep_mae.datasets.labelling.labels import UNUSED, UNUSED_COLUMNS, LabelReport, SolidLabels, write_labels
from brep_mae.datasets.lazy.listed import write_list
from brep_mae.datasets.shards import Shards
from brep_mae.datasets.source import LabelError, Row, Source
from brep_mae.schema import UNLABELLED, FaceGraph


def join_labels(source: Source, shards: Shards, rejects: Iterable[Mapping[str, Any]], out: Path) -> LabelReport:
    """Fills the folder `out` with the labels that `source` has for the solids of `shards`, and with the list of
    those that label nothing; the report is that of `matched`."""
    found, report = matched(source, shards, rejects)
    write_labels(out, source.face_classes, source.part_classes, found, report.counts())
    write_list(out / UNUSED, report.unused, UNUSED_COLUMNS)
    return report


def matched(
    source: Source, graphs: Iterable[FaceGraph], rejects: Iterable[Mapping[str, Any]]
) -> tuple[dict[str, SolidLabels], LabelReport]:
    """The labels of each solid by its uid, and what became of every line.

    Args:
        rejects: {file, solid, reason, detail} of what was left out by the parser, to explain labels without a solid;
            read after the last graph.
    """
    found: dict[str, SolidLabels] = {}
    stored: dict[str, dict[int, str]] = defaultdict(dict)
    for graph in graphs:
        try:
            labelled = source.label(graph)
        except LabelError as error:
            stored[graph.file][graph.solid] = str(error)
            continue
        side = source.sides.get((graph.file, graph.solid)) or source.sides.get((graph.file, None), "")
        found[graph.uid] = SolidLabels(labelled.face_label, labelled.part_label, side)
        stored[graph.file][graph.solid] = ""
    unused = _unused(source.rows, stored, rejects)
    return found, LabelReport(
        rows=len(source.rows),
        used=len(source.rows) - len(unused),
        faces=sum(int((one.faces != UNLABELLED).sum()) for one in found.values()),
        solids=sum(one.any for one in found.values()),
        parts=sum(one.part != UNLABELLED for one in found.values()),
        unused=unused + _without(source.rows, stored),
    )


def _unused(
    rows: Sequence[Row], stored: Mapping[str, Mapping[int, str]], rejects: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The rows that label nothing, each with the reason.

    Args:
        stored: file -> number of each solid of it that is stored -> why its labels do not fit, "" where they do.
    """
    left_out: dict[str, dict[int | None, str]] = defaultdict(dict)
    for reject in rejects:
        left_out[reject["file"]][reject["solid"]] = f"{reject['reason']}: {reject['detail']}"

    def reason(row: Row) -> str:
        solids, refused = stored.get(row.file, {}), left_out.get(row.file, {})
        if row.problem:
            return row.problem
        if row.solid is None and solids:
            return "" if "" in solids.values() else next(iter(solids.values()))
        if row.solid is not None and row.solid in solids:
            return solids[row.solid]
        if detail := refused.get(row.solid) or refused.get(None):
            return f"{row.file}{_number(row.solid)} was left out, {detail}"
        if solids or refused:
            there = ", ".join(str(n) for n in sorted({*solids, *(n for n in refused if n is not None)}))
            return f"{row.file} has no solid {row.solid}, only {there}" if there else f"{row.file} gave no solid"
        return f"{row.file} is not among the files that were parsed"

    found = ((row, reason(row)) for row in rows)
    return [{"file": row.given_in, "line": row.line, "reason": why} for row, why in found if why]


def _number(solid: int | None) -> str:
    return "" if solid is None else f", solid {solid},"


def _without(rows: Sequence[Row], stored: Mapping[str, Mapping[int, str]]) -> list[dict[str, Any]]:
    """The solids that should have labels, by their data set, and have no row at all."""
    named = {row.file for row in rows}
    return [
        {"file": file, "line": None, "reason": why}
        for file, solids in stored.items()
        if file not in named
        for why in solids.values()
        if why
    ]
