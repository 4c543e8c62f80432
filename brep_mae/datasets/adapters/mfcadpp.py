"""MFCAD++: machined blocks whose faces are named after their class, one of 25 (Queen's University Belfast).

Colligan et al. 2022, "Hierarchical CADNet: Learning from B-Reps for machining feature recognition". The name of an
ADVANCED_FACE is the number of its class. `train.txt`, `val.txt` and `test.txt` list the files of each side; without
them the split is ours.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from brep_mae.datasets.archive import folder_of
from brep_mae.datasets.source import LabelError, Row, Source, cad_files
from brep_mae.schema import FaceGraph

FACE_CLASSES = (
    "chamfer",
    "through_hole",
    "triangular_passage",
    "rectangular_passage",
    "6sides_passage",
    "triangular_through_slot",
    "rectangular_through_slot",
    "circular_through_slot",
    "rectangular_through_step",
    "2sides_through_step",
    "slanted_through_step",
    "o_ring",
    "blind_hole",
    "triangular_pocket",
    "rectangular_pocket",
    "6sides_pocket",
    "circular_end_pocket",
    "rectangular_blind_slot",
    "vertical_circular_end_blind_slot",
    "horizontal_circular_end_blind_slot",
    "triangular_blind_step",
    "circular_blind_step",
    "rectangular_blind_step",
    "round",
    "stock",
)
"""In the published order, which the generator of MFInstSeg (whjdark/AAGNet) shares."""
SPLIT = {"train.txt": "train", "val.txt": "validation", "test.txt": "test"}


def open(path: str, limit: int, work: Path) -> Source:
    root = folder_of(path, work, "mfcadpp")
    found = cad_files(root, limit, SPLIT.__contains__)
    names = [file.relative_to(root).as_posix() for file in found.files]
    side = {
        Path(line.strip()).stem: SPLIT[file.name]
        for file in found.beside
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines()
        if line.strip()
    }

    def label(graph: FaceGraph) -> FaceGraph:
        return replace(graph, face_label=np.array([_class(graph.file, name) for name in graph.face_name], np.int16))

    return Source(
        name="mfcadpp",
        licence="CC-BY-4.0 (as a copy of it says; not seen on the publisher's page)",
        root=root,
        files=found.files,
        face_classes=FACE_CLASSES,
        part_classes=(),
        label=label,
        rows=[Row(name, None, name) for name in names],
        left_out=found.left_out,
        split={name: side[Path(name).stem] for name in names if Path(name).stem in side},
    )


def _class(file: str, name: str) -> int:
    if not (name.isascii() and name.isdigit() and int(name) < len(FACE_CLASSES)):
        raise LabelError(
            f"{file}: a face is named {name!r}, which is no class from 0 to {len(FACE_CLASSES) - 1}; "
            "get the file as published, for other programs drop the names of faces"
        )
    return int(name)
