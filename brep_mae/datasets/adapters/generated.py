"""The parts this project makes itself (`generate/generate.py`): STEP files, `labels.jsonl` and `classes.json`.

A line of labels.jsonl is {"file": "step/000000.step", "part": "plate", "faces": ["stock", ...]}; the n-th class is
that of the face whose name in the STEP file is n.
"""

import json
from pathlib import Path

from brep_mae.datasets.source import LabelError, Row, Source, SourceError, cad_files, with_labels
from brep_mae.schema import FaceGraph

LABELS = "labels.jsonl"


def open(path: str, limit: int, work: Path) -> Source:
    root = Path(path)
    try:
        classes = json.loads((root / "classes.json").read_text())
        lines = [json.loads(line) for line in (root / LABELS).read_text().splitlines() if line]
    except FileNotFoundError as error:
        raise SourceError(f"{error.filename}: no such file; run the generate stage first") from None
    face_classes, part_classes = tuple(classes["face"]), tuple(classes["part"])
    labels = {line["file"]: line for line in lines}
    rows = [Row(LABELS, number, line["file"]) for number, line in enumerate(lines, 1)]

    def label(graph: FaceGraph) -> FaceGraph:
        if graph.file not in labels:
            raise LabelError(f"{graph.file}: has no line in {LABELS}")
        line = labels[graph.file]
        try:
            faces = {number: face_classes.index(name) for number, name in enumerate(line["faces"])}
            part = part_classes.index(line["part"])
        except ValueError as error:
            raise LabelError(f"{graph.file}: a class that classes.json does not list: {error}") from None
        return with_labels(graph, faces, part)

    found = cad_files(root, limit)
    return Source(
        name="generated",
        licence="Apache-2.0",
        root=root,
        files=found.files,
        face_classes=face_classes,
        part_classes=part_classes,
        label=label,
        rows=rows,
        label_files=(root / LABELS, root / "classes.json"),
        left_out=found.left_out,
    )
