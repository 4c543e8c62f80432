"""MFCAD: milled blocks with one of 16 machining-feature classes per face (github.com/hducg/MFCAD, MIT).

Cao et al. 2020, "Graph representation of 3D CAD models for machining feature recognition with deep learning".
Beside NAME.step lies NAME.face_truth, a pickled list of classes; a face's name in the STEP file is its place in that
list. The kernel's own face order is another one.
"""

import io
import os
import pickle
import shutil
import tarfile
from pathlib import Path
from typing import Any

from brep_mae.datasets.source import LabelError, Row, Source, SourceError, cad_files, with_labels
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


def open(path: str, limit: int, work: Path) -> Source:
    """`path` is the unpacked folder or the .tar.xz, which is unpacked once into `work`."""
    given = Path(path)
    if given.is_dir():
        root = given
    elif given.is_file() and tarfile.is_tarfile(given):
        root = _unpacked(given, work)
    else:
        raise SourceError(f"{path}: neither a folder nor a tar archive; point dataset.path at MFCAD")

    def label(graph: FaceGraph) -> FaceGraph:
        truth = (root / graph.file).with_suffix(TRUTH)
        if not truth.is_file():
            raise LabelError(f"{graph.file}: {truth.name} is missing beside it")
        return with_labels(graph, dict(enumerate(read_face_truth(truth))))

    files = cad_files(root, limit)
    truths = {file: truth for file in files if (truth := file.with_suffix(TRUTH)).is_file()}
    rows = [
        Row(truth.relative_to(root).as_posix(), None, file.relative_to(root).as_posix())
        for file, truth in truths.items()
    ]
    return Source("mfcad", "MIT", root, files, FACE_CLASSES, (), label, rows, tuple(truths.values()))


def _unpacked(archive: Path, work: Path) -> Path:
    """The folder appears under its final name only when complete; an interrupted one is begun again."""
    stat = archive.stat()
    folder = work / f"mfcad-{stat.st_size}-{int(stat.st_mtime)}"
    if not folder.is_dir():
        partial = folder.with_suffix(".unpacking")
        shutil.rmtree(partial, ignore_errors=True)
        with tarfile.open(archive) as tar:
            for member in tar:
                _unpack(tar, member, partial, archive)
        os.replace(partial, folder)
    return folder


def _unpack(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, archive: Path) -> None:
    """Writes a plain file below `folder`; nothing else that an archive may hold, links and devices among it, is needed.

    By hand, since the filters of `tarfile` came with Python 3.11.4. Raises SourceError for a file outside the folder.
    """
    target = (folder / member.name).resolve()
    if not target.is_relative_to(folder.resolve()):
        raise SourceError(f"{archive}: its member {member.name} lies outside the folder; get the archive anew")
    content = tar.extractfile(member) if member.isfile() else None
    if content is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
        with content, target.open("wb") as file:
            shutil.copyfileobj(content, file)


class _NothingButData(pickle.Unpickler):
    """A pickle may name any function to call; this one knows none."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


def read_face_truth(path: Path) -> list[int]:
    """Class numbers by face name. Raises LabelError for anything but a plain list of known classes."""
    try:
        values = _NothingButData(io.BytesIO(path.read_bytes())).load()
    except Exception as error:
        raise LabelError(f"{path.name}: not a plain list of classes: {error}") from None
    if not isinstance(values, list) or not all(type(v) is int and 0 <= v < len(FACE_CLASSES) for v in values):
        raise LabelError(f"{path.name}: not a list of classes 0..{len(FACE_CLASSES) - 1}")
    return values
