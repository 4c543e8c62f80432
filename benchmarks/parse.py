"""Speed and memory of parsing STEP files, beside OCCT's own reading of the same files in the same run.

    python -m benchmarks.parse --files FOLDER                    all four sections
    python -m benchmarks.parse throughput --files FOLDER --count 1000 --json parse.json

`throughput` solids per second of one process against bare STEP reading (default settings, read and transfer only), by
             face count, and peak memory of either; also on made free-form parts, a plate of many holes and
             the assemblies of --samples
`field`      the time of the field samples against a point-by-point version (see `field_baseline`)
`scaling`    the pool with one and two workers
`memory`     resident memory of one process over many solids
"""

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from OCP.Interface import Interface_Static
from OCP.STEPControl import STEPControl_Controller, STEPControl_Reader

from benchmarks.compare import interleaved, ratio, repeats_for, spread, table, total
from benchmarks.field_baseline import solid_field
from benchmarks.plates import write_plate
from benchmarks.resident import in_fresh_process, peak_mb, resident_mb
from benchmarks.spline_parts import write_parts
from brep_mae.brep.graph.file_graphs import file_graphs
from brep_mae.brep.graph.graph import face_graph
from brep_mae.brep.read.step import REGULARITY, ReadSolid, read_solids, silence
from brep_mae.brep.reject import Reject
from brep_mae.brep.solid.placing import MeasuredSolids
from brep_mae.brep.workers.pool import ParseOptions, parse_files
from brep_mae.schema import FaceGraph

SECTIONS = ("throughput", "field", "scaling", "memory")
BUCKETS = (0, 10, 20, 40, 80, 160, 10**9)
POOL, KEEP = 5000, 500
"""Field samples drawn and kept per face."""
SAMPLES = Path(__file__).parents[2] / "shared" / "data" / "step_samples"
ASSEMBLIES = ("as1-oc-214.stp", "linkrods.step")

Rows = list[dict[str, Any]]


def graphs_of(solids: list[ReadSolid], file: str, options: ParseOptions) -> list[FaceGraph]:
    parts = MeasuredSolids(options)
    return [face_graph(solid, f"{file}#{solid.index}", file, parts) for solid in solids]


def read(path: Path) -> list[ReadSolid]:
    return [entry for entry in read_solids(path) if not isinstance(entry, Reject)]


def bare_read(path: Path) -> int:
    """What every reader on OCCT pays: default settings, file to shape. Returns the number of roots."""
    reader = STEPControl_Reader()
    Interface_Static.SetRVal_s(REGULARITY, 0.01)  # the default, which read_solids changes
    reader.ReadFile(str(path))
    roots = reader.TransferRoots()
    reader.OneShape()
    return roots


def parse(path: Path, options: ParseOptions) -> list[int]:
    """Faces of each solid, everything but field samples computed unless the options ask for them."""
    graphs = file_graphs(path, path.name, path.name, options)
    return [graph.n_faces for graph in graphs if not isinstance(graph, Reject)]


def usable(files: Sequence[Path], options: ParseOptions) -> tuple[list[Path], list[list[int]], int]:
    """Files that parse, the faces of their solids, and how many files do not."""
    good, faces = [], []
    for path in files:
        try:
            faces.append(parse(path, options))
            good.append(path)
        except Reject as reject:
            print(f"left out: {reject.reason}: {reject.detail}")
    return good, faces, len(files) - len(good)


def throughput(sets: dict[str, list[Path]], options: ParseOptions, repeats: int) -> dict[str, Rows]:
    whole, by_faces, memory = [], [], []
    measured = []
    for name, files in sets.items():
        good, faces, left_out = usable(files, options)
        count = repeats_for(good, repeats)
        seconds = interleaved(good, {"bare": bare_read, "parse": partial(parse, options=options)}, count)
        whole.append({"set": name, "left out": left_out, **_rates(good, faces, seconds, np.arange(len(good)), count)})
        measured.append((good, faces, {way: taken[:, :repeats] for way, taken in seconds.items()}))
        mean_faces = np.array([np.mean(f) for f in faces])
        for low, high in pairwise(BUCKETS):
            chosen = np.flatnonzero((mean_faces > low) & (mean_faces <= high))
            if len(chosen):
                label = f"{low + 1}-{high}" if high < 10**9 else f"over {low}"
                by_faces.append({"set": name, "faces a solid": label, **_rates(good, faces, seconds, chosen, count)})
        for way, task in (("bare", bare_read), ("parse", partial(parse, options=options))):
            before, peak = in_fresh_process(peak_mb, task, good)
            memory.append({"set": name, "way": way, "files": len(good), "loaded MB": before, "peak MB": peak})
    if len(measured) > 2:
        files, faces, taken = zip(*measured[1:], strict=True)
        good, together = list(chain(*files)), {way: np.concatenate([t[way] for t in taken]) for way in taken[0]}
        rates = _rates(good, list(chain(*faces)), together, np.arange(len(good)), repeats)
        whole.append({"set": "all but the first", "left out": sum(row["left out"] for row in whole[1:]), **rates})
    table(f"throughput, one process, medians of the repeats, ratio [95 % interval], grid {options.grid}", whole)
    table("throughput by faces a solid", by_faces)
    table("peak resident memory, each in a process of its own", memory)
    return {"throughput": whole, "throughput_by_faces": by_faces, "peak_memory": memory}


def _rates(
    files: list[Path], faces: list[list[int]], seconds: dict[str, np.ndarray], chosen: np.ndarray, repeats: int
) -> dict[str, Any]:
    solids = sum(len(faces[i]) for i in chosen)
    bare, ours = seconds["bare"][chosen], seconds["parse"][chosen]
    return {
        "files": len(chosen),
        "solids": solids,
        "faces": sum(sum(faces[i]) for i in chosen),
        "mean kB": float(np.mean([files[i].stat().st_size for i in chosen])) / 1e3,
        "repeats": repeats,
        "bare read solids/s": solids / total(bare),
        "parse solids/s": solids / total(ours),
        "parse / bare read": ratio(bare, ours),
    }


def field(sets: dict[str, list[Path]], without: ParseOptions, repeats: int) -> dict[str, Rows]:
    """The field's own time is that of graphs with samples less that of graphs without."""
    with_field = replace(without, field_pool=POOL, field_samples=KEEP)
    rows: Rows = []
    for name, files in sets.items():
        good, faces, left_out = usable(files, without)
        solids = {path: read(path) for path in good}
        ways: dict[str, Callable[[Path], object]] = {
            "read": read,
            "plain": lambda path, s=solids: graphs_of(s[path], path.name, without),
            "ours": lambda path, s=solids: graphs_of(s[path], path.name, with_field),
            "baseline": lambda path, s=solids: [solid_field(solid.shape, POOL, KEEP) for solid in s[path]],
        }
        seconds = interleaved(good, ways, repeats)
        n_solids, n_faces = sum(map(len, faces)), sum(map(sum, faces))
        all_ours = seconds["read"] + seconds["ours"]
        all_baseline = seconds["read"] + seconds["plain"] + seconds["baseline"]
        rows.append(
            {
                "set": name,
                "left out": left_out,
                "solids": n_solids,
                "faces": n_faces,
                "repeats": repeats,
                "ours ms/face": 1e3 * (total(seconds["ours"]) - total(seconds["plain"])) / n_faces,
                "baseline ms/face": 1e3 * total(seconds["baseline"]) / n_faces,
                "field: baseline / ours": ratio(seconds["baseline"], seconds["ours"], seconds["plain"]),
                "whole parse solids/s": n_solids / total(all_ours),
                "with baseline": n_solids / total(all_baseline),
                "whole: baseline / ours": ratio(all_baseline, all_ours),
            }
        )
    table(f"field samples, {KEEP} kept of {POOL} a face, medians of the repeats, ratio [95 % interval]", rows)
    return {"field": rows}


def scaling(files: Sequence[Path], options: ParseOptions, repeats: int) -> dict[str, Rows]:
    """Whole wall time holds the start of the workers; the rate is taken from the first result on."""
    rows: Rows = []
    for repeat in range(repeats):
        for workers in (1, 2) if repeat % 2 == 0 else (2, 1):
            start = time.perf_counter()
            first, solids, counted = 0.0, 0, 0
            for number, (_, found) in enumerate(parse_files(files, options, workers)):
                got = 0 if isinstance(found, Reject) else len(found)
                solids += got
                if number == 0:
                    first = time.perf_counter()
                else:
                    counted += got
            end = time.perf_counter()
            rows.append(
                {
                    "repeat": repeat,
                    "workers": workers,
                    "files": len(files),
                    "solids": solids,
                    "whole s": end - start,
                    "solids/s": counted / (end - first),
                }
            )
    table(f"pool, grid {options.grid}, {os.cpu_count()} cores in the machine", rows)
    pairs = np.array([[_rate(rows, repeat, workers) for workers in (1, 2)] for repeat in range(repeats)])
    gains = pairs[:, 1] / pairs[:, 0]
    summary = [
        {
            "one worker": float(np.median(pairs[:, 0])),
            "two workers": float(np.median(pairs[:, 1])),
            "two / one, median [least, most]": (float(np.median(gains)), float(gains.min()), float(gains.max())),
        }
    ]
    table("pool, solids/s, medians of the repeats", summary)
    return {"scaling": rows, "scaling_summary": summary}


def _rate(rows: Rows, repeat: int, workers: int) -> float:
    return next(r["solids/s"] for r in rows if r["repeat"] == repeat and r["workers"] == workers)


def memory(files: Sequence[Path], options: ParseOptions, solids: int, step: int) -> dict[str, Rows]:
    series = in_fresh_process(resident_mb, list(files), options, solids, step)
    settled = series[min(1, len(series) - 1)][1]
    rows = [
        {"solids": count, "resident MB": mb, "growth MB": mb - series[0][1], "since the first step MB": mb - settled}
        for count, mb in series
    ]
    table(f"resident memory of one process that is never renewed, {len(files)} files in turn", rows)
    return {"memory": rows}


def complex_sets(folder: Path, count: int, seed: int, samples: Path) -> dict[str, list[Path]]:
    """Made free-form parts, and each of the sample assemblies that is there."""
    sets = {"free-form": write_parts(folder, count, seed)} if count else {}
    for name in ASSEMBLIES:
        if (samples / name).exists():
            sets[Path(name).stem] = [samples / name]
        else:
            print(f"left out: {name} is not in {samples}")
    return sets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("section", nargs="?", choices=SECTIONS, help="default: all four")
    parser.add_argument(
        "--files", type=Path, required=True, help="folder with STEP files, searched with its subfolders"
    )
    parser.add_argument("--count", type=int, default=1000, help="files of it, spread over all")
    parser.add_argument("--field-count", type=int, default=100, help="files of it for `field`")
    parser.add_argument("--complex", type=int, default=40, help="free-form parts to make, 0 for none")
    parser.add_argument("--parts", type=Path, help="folder that keeps the made parts for the next run")
    parser.add_argument("--seed", type=int, default=0, help="of the made parts")
    parser.add_argument("--samples", type=Path, default=SAMPLES, help="folder with " + " and ".join(ASSEMBLIES))
    parser.add_argument("--grid", type=int, default=10, help="samples per side of a grid")
    parser.add_argument("--curvature", action="store_true", help="with principal curvatures on the grids")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--solids", type=int, default=10_000, help="for `memory`")
    parser.add_argument("--step", type=int, default=1000, help="for `memory`")
    parser.add_argument("--json", type=Path, help="file for the numbers")
    args = parser.parse_args()
    found = sorted(path for path in args.files.rglob("*") if path.suffix.lower() in (".step", ".stp"))
    if not found:
        parser.error(f"--files {args.files}: no .step or .stp file in it")
    files = spread(found, args.count)
    options = ParseOptions(
        root=args.files,
        grid=args.grid,
        field_pool=0,
        field_samples=0,
        curvature=args.curvature,
        split_closed=False,
        deadline_s=600.0,
        memory_mb=8192,
    )
    silence()
    STEPControl_Controller.Init_s()
    Interface_Static.SetCVal_s("xstep.cascade.unit", "MM")  # as read_solids does, so that both ways convert alike
    results: dict[str, Any] = {
        "machine": {"processor": platform.processor(), "cores": os.cpu_count(), "python": platform.python_version()},
        "arguments": {name: str(value) for name, value in vars(args).items()},
    }
    sections = (args.section,) if args.section else SECTIONS
    with tempfile.TemporaryDirectory() as scratch:
        hard = {}
        if {"throughput", "field"} & set(sections):
            hard = complex_sets(args.parts or Path(scratch), args.complex, args.seed, args.samples)
        if "throughput" in sections:
            holes = {"576 holes": [write_plate(args.parts or Path(scratch))]}
            results |= throughput({args.files.name: files, **hard, **holes}, options, args.repeats)
        if "field" in sections:
            some = {name: spread(paths, args.field_count) for name, paths in hard.items()}
            results |= field({args.files.name: spread(found, args.field_count), **some}, options, args.repeats)
        if "scaling" in sections:
            results |= scaling(files, options, args.repeats)
        if "memory" in sections:
            results |= memory(files, options, args.solids, args.step)
    if args.json:
        args.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
