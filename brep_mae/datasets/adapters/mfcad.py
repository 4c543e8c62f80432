"""MFCAD: milled blocks with one of 16 machining-feature classes per face (github.com/hducg/MFCAD, MIT).

Cao et al. 2020, "Graph representation of 3D CAD models for machining feature recognition with deep learning".
Beside NAME.step lies NAME.face_truth, a pickled list of classes; a face's name in the STEP file is its place in that
list. The kernel's own face order is another one.
"""

import pickletools
from pathlib import Path
from typing import cast

from brep_mae.cad_files import SUFFIXES
from brep_mae.datasets.archive import folder_of
from brep_mae.datasets.source import LabelError, Row, Source, cad_files, with_labels
from brep_mae.schema import FaceGraph

FACE_CLASSES = (
    "chamfer",
    "triangular_passage",
    "rectangular_passage",
    "6sides_passage",
    "triangular_through_slot",
    "rectangular_through_slot",
    "rectangular_through_step",
    "2sides_through_step",
    "slanted_through_step",
    "triangular_pocket",
    "rectangular_pocket",
    "6sides_pocket",
    "rectangular_blind_slot",
    "triangular_blind_step",
    "rectangular_blind_step",
    "stock",
)
"""Order as proposed in MFCAD#2, where the order of the data set's own viewer is reported to be wrong.

The publisher has not answered, but the geometry agrees: among 600 files the connected faces of one class number 3 for
triangular_passage, 4 for rectangular_passage, 6 for 6sides_passage, 7 for 6sides_pocket, and so on for all 16.
"""

TRUTH = ".face_truth"
TRUTH_BYTES = 1_000_000
"""A list of the labels of ten thousand faces takes a twentieth of it."""
NUMBERS = ("BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1")
WRAPPING = ("PROTO", "FRAME", "MARK", "EMPTY_LIST", "LIST", "APPEND", "APPENDS", "STOP")
NAMING = ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE")
"""What a pickled list of numbers consists of. The last name what was read so that it can be told again, which a list of
numbers does not need; a reader that obeyed them would make room for as many names as the file asks for."""


def open(path: str, limit: int, work: Path) -> Source:
    """`path` is the unpacked folder or the .tar.xz, which is unpacked once into `work`."""
    root = folder_of(path, work, "mfcad")

    def label(graph: FaceGraph) -> FaceGraph:
        truth = (root / graph.file).with_suffix(TRUTH)
        if not truth.is_file():
            raise LabelError(f"{graph.file}: {truth.name} is missing beside it")
        return with_labels(graph, dict(enumerate(read_face_truth(truth))))

    found = cad_files(root, limit, lambda name: name.endswith(TRUTH))
    names = {file.with_suffix(TRUTH): file.relative_to(root).as_posix() for file in found.files}
    truths = [path for path in found.beside if path in names or _alone(path)]  # not those that the limit leaves out
    rows = [Row(path.relative_to(root).as_posix(), None, names.get(path, ""), problem=_alone(path)) for path in truths]
    return Source(
        name="mfcad",
        licence="MIT",
        root=root,
        files=found.files,
        face_classes=FACE_CLASSES,
        part_classes=(),
        label=label,
        rows=rows,
        label_files=tuple(truths),
        left_out=found.left_out,
    )


def _alone(truth: Path) -> str:
    """What is wrong with labels that have no solid; "" where they have one."""
    beside = any(truth.with_suffix(suffix).exists() for suffix in SUFFIXES)
    return "" if beside else f"no CAD file lies beside {truth.name}"


def read_face_truth(path: Path) -> list[int]:
    """Class numbers by face name. The file is a pickle, of which nothing is run: it is walked through operation by
    operation, and those of a plain list of numbers alone are known.

    Raises LabelError for anything but a plain list of known classes.
    """
    values: list[object] = []
    lists = 0
    try:
        if path.stat().st_size > TRUTH_BYTES:
            raise ValueError(f"larger than {TRUTH_BYTES} bytes")
        for operation, argument, _ in pickletools.genops(path.read_bytes()):
            if operation.name in NUMBERS:
                values.append(argument)
            elif operation.name not in (*WRAPPING, *NAMING):
                raise ValueError(f"it asks for {operation.name}")
            lists += operation.name in ("EMPTY_LIST", "LIST")
    except (OSError, ValueError) as error:
        raise LabelError(f"{path.name}: not a plain list of classes: {error}") from None
    if lists != 1 or not all(type(v) is int and 0 <= v < len(FACE_CLASSES) for v in values):
        raise LabelError(f"{path.name}: not a list of classes 0..{len(FACE_CLASSES) - 1}")
    return cast(list[int], values)
