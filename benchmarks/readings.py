"""What a parse makes of STEP files, beside what the kernel's default reading holds: the same faces in the same order.

    python -m benchmarks.readings --files FOLDER --count 500

A parse leaves out repairs of the kernel where it can show that they are not needed; here this is put to the test.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from OCP.Interface import Interface_Static
from OCP.STEPControl import STEPControl_Reader

from benchmarks.compare import spread
from brep_mae.brep.graph.file_graphs import file_graphs
from brep_mae.brep.graph.graph import face_graph
from brep_mae.brep.read.solids import ReadSolid, solids_of
from brep_mae.brep.read.step import silence
from brep_mae.brep.reject import Reject
from brep_mae.brep.sampling import Sampling
from brep_mae.brep.solid.placing import MeasuredSolids
from brep_mae.schema import INSIDE, FaceGraph

SAMPLING = Sampling(10, 0, 0, False, False)
CLOSE = 1e-4
"""Share of the solid's size, and of the largest area, by which numbers may differ: curves and their tolerances may."""
BORDER = 0.02
"""Share of the samples of a solid that may lie inside for one and outside for the other, as those on borders may."""


def by_default(path: Path) -> Iterator[FaceGraph | Reject]:
    """Every solid of a file as whoever uses the kernel without options reads it."""
    silence()
    Interface_Static.SetCVal_s("xstep.cascade.unit", "MM")
    reader = STEPControl_Reader()
    reader.ReadFile(str(path))
    reader.TransferRoots()
    parts, index = MeasuredSolids(SAMPLING), 0
    for root in range(1, reader.NbShapes() + 1):
        for solid in solids_of(reader.Shape(root)):
            try:
                yield face_graph(ReadSolid(solid, index, "", 1.0), f"k#{index}", path.name, parts)
            except Reject as reject:
                yield reject
            index += 1


def difference(ours: FaceGraph | Reject, default: FaceGraph | Reject) -> str:
    """What differs first, "" where nothing does."""
    if isinstance(ours, Reject) or isinstance(default, Reject):
        both = isinstance(ours, Reject) and isinstance(default, Reject)
        return "" if both else f"refused here: {ours.reason}" if isinstance(ours, Reject) else "refused there"
    if ours.n_faces != default.n_faces:
        return "faces"
    size, area = float(ours.scale_mm), float(default.face_area_mm2.max())
    lengths = ("center_mm", "face_centroid_mm", "face_box_mm")
    for name, scale in (("face_area_mm2", area), *((name, size) for name in lengths)):
        if np.abs(getattr(ours, name) - getattr(default, name)).max() > CLOSE * scale:
            sums = (float(graph.face_area_mm2.sum()) for graph in (ours, default))
            return f"{name} or order" if np.isclose(*sums, rtol=CLOSE) and name == "face_area_mm2" else name
    inside = ours.face_grid[..., INSIDE] != default.face_grid[..., INSIDE]
    return "masks" if inside.mean() > BORDER else ""


def compare(path: Path) -> list[str]:
    """What differs, solid by solid."""
    ours = file_graphs(path, "k", path.name, SAMPLING)
    default = list(by_default(path))
    ours = ours[: len(default)]  # behind the solids stand Rejects of what is none
    if len(ours) < len(default):
        return ["solids"]
    return [difference(a, b) for a, b in zip(ours, default, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=Path, required=True, help="folder with STEP files, and its subfolders")
    parser.add_argument("--count", type=int, default=500, help="files of it, spread over all")
    parser.add_argument("--json", type=Path, help="file for the numbers")
    args = parser.parse_args()
    found = sorted(path for path in args.files.rglob("*") if path.suffix.lower() in (".step", ".stp"))
    if not found:
        parser.error(f"--files {args.files}: no .step or .stp file in it")
    counts: Counter[str] = Counter()
    for path in spread(found, args.count):
        try:
            told = compare(path)
        except Reject as reject:
            told = [f"file refused: {reject.reason}"]
        counts.update(what or "the same" for what in told)
        if any(told):
            print(f"{path.name}: {'; '.join(sorted(set(told) - {''}))}")
    print(json.dumps(counts, indent=1))
    if args.json:
        args.json.write_text(json.dumps(counts, indent=1) + "\n")


if __name__ == "__main__":
    main()
