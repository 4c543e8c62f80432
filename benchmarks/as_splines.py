"""Solids converted to B-splines, written, read and predicted: what it costs a forest that knows them as they are.

    python -m benchmarks.as_splines --mfcad ../shared/data/mfcad.tar.xz --real ../shared/data/real_parts

The forest learns on plain features of solids as they are and predicts others three times: as they are; converted, with
types as the file has them (B-splines all); converted, with what parsing recognises.
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from OCP.BRepBuilderAPI import BRepBuilderAPI_NurbsConvert
from OCP.TopAbs import TopAbs_SOLID
from OCP.TopoDS import TopoDS

from benchmarks.compare import spread
from brep_mae.brep.graph.file_graphs import file_graphs
from brep_mae.brep.read.solids import subshapes
from brep_mae.brep.read.step import read_solids
from brep_mae.brep.reject import Reject
from brep_mae.brep.sampling import Sampling
from brep_mae.datasets.batch import Batch, collate
from brep_mae.datasets.from_graph import from_graph
from brep_mae.datasets.source import Source, open_source
from brep_mae.fewshot.heads.forest import grow
from brep_mae.generate.generate import generate
from brep_mae.generate.step_writer import write_step
from brep_mae.models.extractors.hops import Hops
from brep_mae.schema import CURVE_TYPES, SURFACE_TYPES, UNLABELLED, FaceGraph

SAMPLING = Sampling(10, 0, 0, False, False)
BSPLINE_SURFACE, BSPLINE_CURVE = SURFACE_TYPES.index("bspline"), CURVE_TYPES.index("bspline")
SAME_AREA = 1e-3
"""Share by which areas may differ: conversion can move the edges of small fillets by more."""
SEEDS = 3
WAYS = ("as they are", "converted, not recognised", "converted")


class Pair(NamedTuple):
    """A labelled solid as it is, and what is read of it once it was converted."""

    original: FaceGraph
    converted: FaceGraph


def labelled(source: Source, file: Path) -> FaceGraph | None:
    """The first solid of a file, None where it cannot be used."""
    (graph, *_) = file_graphs(file, "k", file.relative_to(source.root).as_posix(), SAMPLING)
    return None if isinstance(graph, Reject) else source.label(graph)


def pairs(source: Source, files: list[Path], folder: Path) -> Iterator[Pair | None]:
    """The first solid of each file, None where a conversion is not read as the same faces in the same order."""
    for file in files:
        original = labelled(source, file)
        if original is None:
            continue
        (solid, *_) = read_solids(file)
        made = BRepBuilderAPI_NurbsConvert(solid.shape, True).Shape()
        path = folder / "converted.step"
        write_step(TopoDS.Solid_s(next(subshapes(made, TopAbs_SOLID))), path)
        (converted, *_) = file_graphs(path, "k", path.name, SAMPLING)
        if isinstance(converted, Reject) or not same_faces(original, converted):
            yield None
            continue
        yield Pair(original, replace(converted, face_label=original.face_label))


def same_faces(one: FaceGraph, other: FaceGraph) -> bool:
    """True where face for face the areas agree, and so nothing was split, lost or put in another order."""
    return one.n_faces == other.n_faces and np.allclose(one.face_area_mm2, other.face_area_mm2, rtol=SAME_AREA)


def plain(name: str) -> str:
    """CutSide and cut_side are one class."""
    return name.replace("_", "").lower()


def renamed(graph: FaceGraph, names: list[int]) -> FaceGraph:
    """With other numbers for the classes."""
    return replace(graph, face_label=np.append(names, UNLABELLED)[graph.face_label].astype(np.int16))


def unrecognised(graph: FaceGraph) -> FaceGraph:
    """With the types that the file has."""
    return replace(
        graph,
        face_type=np.where(graph.face_recognised, BSPLINE_SURFACE, graph.face_type).astype(np.int8),
        arc_type=np.where(graph.edge_recognised[graph.arc_edge], BSPLINE_CURVE, graph.arc_type).astype(np.int8),
    )


def features(graphs: list[FaceGraph]) -> np.ndarray:
    """Plain features of all faces, one solid after the other."""
    hops = Hops()
    faces = collate([from_graph(graph, hops.reads) for graph in graphs])
    return np.asarray(hops(Batch(tuple(graph.uid for graph in graphs), faces)).face)


def report(name: str, learned: list[FaceGraph], tested: list[Pair], lost: int) -> None:
    """Prints what share of all labelled faces is named right, mean and sd over seeds of the forest."""
    x, y = features(learned), np.concatenate([graph.face_label for graph in learned])
    truth = np.concatenate([pair.original.face_label for pair in tested])
    ways = [
        features([pair.original for pair in tested]),
        features([unrecognised(pair.converted) for pair in tested]),
        features([pair.converted for pair in tested]),
    ]
    forests = [grow(x[y >= 0], y[y >= 0], seed) for seed in range(SEEDS)]
    right = [[100 * (f.predict(rows) == truth)[truth >= 0].mean() for f in forests] for rows in ways]
    print(f"{name}: learned from {len(learned)} solids, {len(tested)} with {len(truth)} faces tested, {lost} left out")
    for way, values in zip(WAYS, right, strict=True):
        print(
            f"  {way:26} {np.mean(values):5.1f} ± {np.std(values):.1f}, fall {np.mean(right[0]) - np.mean(values):.1f}"
        )
    for what, types in (("faces", "face_type"), ("arcs", "arc_type")):
        counts = [
            sum(np.bincount(getattr(g, types), minlength=16) for g in graphs) for graphs in zip(*tested, strict=True)
        ]
        print(f"  {np.minimum(*counts).sum() / counts[0].sum():.2%} of {what} keep their type")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mfcad", required=True, help="the archive of MFCAD or the unpacked folder")
    parser.add_argument("--real", required=True, help="folder of real parts with labels.csv")
    parser.add_argument("--count", type=int, default=100, help="solids to learn from, and as many to test")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        generate(folder / "modelled", "modelled", 2 * args.count, seed=0)
        mfcad = open_source("mfcad", args.mfcad, 0, folder / "mfcad")
        modelled = open_source("generated", str(folder / "modelled"), 0, folder)
        real = open_source("solids", args.real, 0, folder)
        learned: list[FaceGraph] = []
        for source in (mfcad, modelled):
            files = spread(source.files, 2 * args.count)
            learned = [graph for file in files[::2] if (graph := labelled(source, file))]
            tested = list(pairs(source, files[1::2], folder))
            report(source.name, learned, [pair for pair in tested if pair], tested.count(None))
        known = [plain(name) for name in modelled.face_classes]
        label, names = real.label, [known.index(plain(name)) for name in real.face_classes]
        real = replace(real, label=lambda graph: renamed(label(graph), names))
        tested = list(pairs(real, real.files, folder))
        report(
            "real parts, learned from generated ones", learned, [pair for pair in tested if pair], tested.count(None)
        )


if __name__ == "__main__":
    main()
