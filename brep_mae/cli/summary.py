"""Face graphs in a few numbers, for a person or a script that asks what is in a file."""

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from brep_mae.schema import CONVEXITY, CURVE_TYPES, SURFACE_TYPES, FaceGraph


def totals(graphs: Iterable[FaceGraph]) -> dict[str, Any]:
    """Counts and types over all solids."""
    sums = Counter({"solids": 0, "faces": 0, "arcs": 0, "seam_arcs": 0})
    kinds: dict[str, Counter[str]] = {"surfaces": Counter(), "curves": Counter(), "convexity": Counter()}
    for graph in graphs:
        sums.update(solids=1, faces=graph.n_faces, arcs=graph.arc_index.shape[1], seam_arcs=int(graph.arc_seam.sum()))
        for kind, counts in _kinds(graph).items():
            kinds[kind].update(counts)
    return {**sums, **{kind: dict(counts.most_common()) for kind, counts in kinds.items()}}


def one(graph: FaceGraph) -> dict[str, Any]:
    """One solid: names, sizes, counts, types and every face. `size_mm` is that of its faces' common bounding box."""
    low, high = graph.face_box_mm[:, :3].min(axis=0), graph.face_box_mm[:, 3:].max(axis=0)
    return {
        "solid": graph.solid,
        "name": graph.name,
        "product": graph.product,
        "assembly": graph.assembly,
        "unit_mm": graph.unit_mm,
        "size_mm": [float(f"{length:.6g}") for length in high - low],
        "faces": graph.n_faces,
        "edges": graph.edge_params_unit.shape[0],
        "arcs": graph.arc_index.shape[1],
        **{kind: dict(counts.most_common()) for kind, counts in _kinds(graph).items()},
        "each_face": [_face(graph, i) for i in range(graph.n_faces)],
    }


def _face(graph: FaceGraph, i: int) -> dict[str, Any]:
    """What tells one face from the others; `face` is the number that labels.csv names.

    `box_mm` is where the file has it, to a millionth of the solid's size.
    """
    decimals = 6 - math.ceil(math.log10(graph.scale_mm))
    return {
        "face": int(graph.face_parent[i]),
        "name": graph.face_name[i],
        "surface": SURFACE_TYPES[graph.face_type[i]],
        "area_mm2": float(f"{graph.face_area_mm2[i]:.6g}"),
        "box_mm": (np.tile(graph.center_mm, 2) + graph.face_box_mm[i]).round(decimals).tolist(),
    }


def line(solid: dict[str, Any]) -> str:
    """What `one` tells, on one line."""
    size = " x ".join(f"{length:.6g}" for length in solid["size_mm"])
    surfaces = ", ".join(f"{count} {kind}" for kind, count in solid["surfaces"].items())
    parts = [f"{solid['faces']} faces ({surfaces})", f"{solid['edges']} edges", f"{size} mm"]
    if solid["unit_mm"] != 1:
        parts.append(f"the file's unit is {solid['unit_mm']:g} mm")
    parts += [f"{key} {solid[key]!r}" for key in ("name", "product", "assembly") if solid[key]]
    named = sum(bool(face["name"]) for face in solid["each_face"])
    return ", ".join([*parts, f"{named} faces have names"] if named else parts)


def _kinds(graph: FaceGraph) -> dict[str, Counter[str]]:
    return {
        "surfaces": Counter(SURFACE_TYPES[i] for i in graph.face_type),
        "curves": Counter(CURVE_TYPES[i] for i in graph.arc_type),
        "convexity": Counter(CONVEXITY[i] for i in graph.arc_convexity),
    }
