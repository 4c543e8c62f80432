"""Stage render: parsed solids -> turntable frames, and a report of what could not be drawn."""

import hashlib
import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from brep_mae.brep.reject import Reject
from brep_mae.brep.render.pool import Rendered, RenderOptions, render_files
from brep_mae.closure import digest
from brep_mae.datasets.frames import FrameWriter, open_frames
from brep_mae.datasets.lazy.listed import REJECTS, write_list
from brep_mae.datasets.shards import Shards, open_shards
from brep_mae.output.folder import collect, output_folder
from brep_mae.processes import leave_a_copy
from brep_mae.progress import progress
from pipelines.shared.dataset import opened
from pipelines.shared.params import load
from pipelines.shared.places import FRAMES, PARSED
from pipelines.shared.stage import run_stage

LEFT_OUT = pa.schema({name: pa.string() for name in ("uid", "file", "reason", "detail")})


@dataclass(frozen=True)
class RenderReport:
    """What came of the parsed solids; `rejects`, one {uid, file, reason, detail} per solid without frames, have a list
    of their own beside report.json."""

    solids: int
    views: int
    size: int
    reasons: dict[str, int]
    rejects: list[dict[str, str]]


def render_dataset(
    root: Path, shards: Shards, out: Path, options: RenderOptions, workers: int, work: Path | None = None
) -> RenderReport:
    """Fills `out` with the frames of every solid in `shards`, in their order, report.json and rejects.parquet, in place
    of old ones.

    Args:
        root: the files that `shards` names are relative to it.
        workers: processes.
        work: finished frames wait here, so that a killed run goes on where it was. It serves this output alone; None =
            the folder beside it where all that is unfinished of it lies.
    """
    leave_a_copy()
    with output_folder(out) as claim:
        folder = (work or claim.work) / f"render-{_key(shards, options)}"
        rejects = _fill(root, shards, folder, options, workers)
        reasons = dict(sorted(Counter(reject["reason"] for reject in rejects).items()))
        if len(rejects) == len(shards):
            raise ValueError(f"{root}: none of {len(shards)} solids could be drawn: {reasons}; first {rejects[0]}")
        report = RenderReport(len(shards) - len(rejects), options.views, options.size, reasons, rejects)
        drawn = open_frames(folder)
        with claim.filled() as new:
            with FrameWriter(new, options.views, options.size) as writer:
                for uid in shards.uids:
                    if uid in drawn:
                        writer.copy(drawn, uid)
            counts = {name: value for name, value in vars(report).items() if name != "rejects"}
            (new / "report.json").write_text(json.dumps(counts, indent=1) + "\n")
            write_list(new / REJECTS, rejects, LEFT_OUT)
        collect(folder.parent, "render")
    return report


def _key(shards: Shards, options: RenderOptions) -> str:
    """All that the frames depend on: code, options, solids by content."""
    inputs = f"{digest('pipelines.render')} {options.views} {options.size} {' '.join(shards.uids)}"
    return hashlib.sha256(inputs.encode()).hexdigest()[:16]


def _fill(root: Path, shards: Shards, folder: Path, options: RenderOptions, workers: int) -> list[dict[str, str]]:
    """Draws the solids that `folder` lacks; returns those that cannot be drawn."""
    rejects: list[dict[str, str]] = []
    with FrameWriter(folder, options.views, options.size) as writer, progress(len(shards), "render") as advance:
        wanted: dict[str, dict[str, int]] = {}
        for graph in shards:
            if graph.uid not in writer.uids:
                wanted.setdefault(graph.file, {})[graph.uid] = graph.n_faces
        advance(len(writer.uids), "")
        results = render_files([root / file for file in wanted], options, workers)
        for (file, faces), (_, found) in zip(wanted.items(), results, strict=True):
            for uid, n_faces in faces.items():
                solid = _matching(found, file, uid, n_faces)
                if isinstance(solid, Rendered):
                    writer.add(uid, solid.image, solid.face)
                else:
                    rejects.append({"uid": uid, "file": file, "reason": solid.reason, "detail": solid.detail})
            advance(len(writer.uids) + len(rejects), f"{len(rejects)} left out" if rejects else "")
    return rejects


def _matching(found: dict[str, Rendered | Reject] | Reject, file: str, uid: str, n_faces: int) -> Rendered | Reject:
    """The frames of `uid`, if they are those of the parsed solid."""
    solid = found if isinstance(found, Reject) else found.get(uid)
    if solid is None:
        return Reject("missing", f"{file}: has changed since it was parsed; run the parse stage again")
    if isinstance(solid, Rendered) and solid.n_faces != n_faces:
        return Reject("internal", f"{file}: {solid.n_faces} faces drawn, {n_faces} parsed; run the parse stage again")
    return solid


def main() -> None:
    params = load()
    root = opened(params.dataset).root
    limits = params.parse.deadline_s, params.parse.memory_mb, params.parse.split_closed
    options = RenderOptions(params.render.views, params.render.size, *limits)
    shards, workers = open_shards(PARSED), os.cpu_count() or 1
    report = render_dataset(root, shards, FRAMES, options, workers)
    left_out = ", ".join(f"{count} {reason}" for reason, count in report.reasons.items()) or "none"
    print(f"{report.solids} solids, {report.views} views of {report.size} x {report.size} pixels; left out: {left_out}")


if __name__ == "__main__":
    run_stage(main)
