"""The segmentation data set of the Fusion 360 Gallery: the modelling operation that made each face.

Lambourne et al. 2021, "BRepNet: A topological message passing system for solid models". As published
(docs/segmentation.md of AutodeskAILab/Fusion360GalleryDataset), NAME.stp in `breps/step` goes with NAME.seg in
`breps/seg`: a class number per line, in the order in which the kernel meets the faces of the file (BRepNet#20), which
is that of our records. `segment_names.json` lists the names of the classes, `train_test.json` the files of the training
and of the test side; without the second the split is ours. A .seg that lies beside its STEP file is read as well.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from brep_mae.cad_files import search
from brep_mae.datasets.archive import folder_of
from brep_mae.datasets.source import LabelError, Row, Source, SourceError, cad_files
from brep_mae.schema import FaceGraph

SEG, NAMES, SPLIT = ".seg", "segment_names.json", "train_test.json"


def open(path: str, limit: int, work: Path) -> Source:
    root = folder_of(path, work, "fusion360")
    found = cad_files(root, limit, lambda name: name.endswith(SEG) or name in (NAMES, SPLIT))
    segs = {file.stem: file for file in found.beside if file.suffix == SEG and _of_solid(file)}
    about = {file.name: file for file in found.beside if file.suffix != SEG}
    if NAMES not in about:
        raise SourceError(f"{root}: holds no {NAMES}, which names the classes; put the published one into it")
    classes = tuple(map(str, _json(about[NAMES], list)))
    names = {file.stem: file.relative_to(root).as_posix() for file in found.files}
    every = {file.stem for file in search(root).files}

    def label(graph: FaceGraph) -> FaceGraph:
        stem = Path(graph.file).stem
        if stem not in segs:
            raise LabelError(f"{graph.file}: there is no {stem}{SEG}, which names the classes of its faces; get it")
        numbers = _numbers(segs[stem], len(classes))
        if len(numbers) != (faces := int(graph.face_parent.max()) + 1):
            raise LabelError(
                f"{graph.file}: solid {graph.solid} has {faces} faces, but {segs[stem].name} {len(numbers)} lines; "
                "the two are of different editions, or the file holds several solids: get both anew"
            )
        return replace(graph, face_label=np.array(numbers, np.int16)[graph.face_parent])

    rows = []
    for stem, seg in segs.items():
        if stem in names or stem not in every:  # not those that the limit leaves out
            problem = "" if stem in every else f"no CAD file is called {stem}"
            rows.append(Row(seg.relative_to(root).as_posix(), None, names.get(stem, ""), problem=problem))
    split = {} if SPLIT not in about else _json(about[SPLIT], dict)
    return Source(
        name="fusion360",
        licence="non-commercial research (Autodesk, Fusion 360 Gallery Dataset)",
        root=root,
        files=found.files,
        face_classes=classes,
        part_classes=(),
        label=label,
        rows=rows,
        label_files=tuple(found.beside),
        left_out=found.left_out,
        split={names[stem]: side for side in ("train", "test") for stem in split.get(side, ()) if stem in names},
    )


def _of_solid(seg: Path) -> bool:
    """False for the classes of triangles and points, which have the same ending in folders of their own."""
    return seg.parent.name not in ("meshes", "point_clouds")


def _json(file: Path, kind: type) -> Any:
    """Raises SourceError for anything else than JSON of that kind."""
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise SourceError(f"{file}: not JSON ({error}); get it anew") from None
    if not isinstance(found, kind):
        raise SourceError(f"{file}: a {type(found).__name__}, not a {kind.__name__}; get it anew")
    return found


def _numbers(seg: Path, classes: int) -> list[int]:
    """The class of every face. Raises LabelError for a line that is no class."""
    try:
        lines = seg.read_text(encoding="ascii").split()
    except (OSError, ValueError) as error:
        raise LabelError(f"{seg.name}: can't be read as text ({error}); get it anew") from None
    for number, line in enumerate(lines, 1):
        if not line.isdigit() or int(line) >= classes:
            raise LabelError(f"{seg.name}, line {number}: {line!r} is no class from 0 to {classes - 1}; mend it")
    return [int(line) for line in lines]
