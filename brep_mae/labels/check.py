"""Whether a table of labels fits the parts, told before anything is learned from it, and without storing a part."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from brep_mae.datasets.derived.files import file_of
from brep_mae.datasets.labelling.join import matched
from brep_mae.datasets.labelling.labels import LabelReport
from brep_mae.datasets.source import Source
from brep_mae.fitted.candidates import FEW
from brep_mae.reading import Rejects
from brep_mae.schema import UNLABELLED, FaceGraph


@dataclass(frozen=True)
class ClassCount:
    """Of one class of faces, or of solids: how many files show it, and how many faces or solids have it."""

    name: str
    of: str
    files: int
    rows: int

    @property
    def too_few(self) -> bool:
        """True = it can't be held out from all labelled files and still be learned."""
        return self.files < FEW


def check(source: Source, graphs: Iterable[FaceGraph], rejects: Rejects) -> tuple[LabelReport, list[ClassCount]]:
    """What becomes of every line, and the classes of faces, then those of solids.

    Args:
        rejects: what was left out; read after the last graph.
    """
    labels, report = matched(source, _once(graphs, rejects), rejects)
    rows: dict[tuple[str, str], int] = defaultdict(int)
    files: dict[tuple[str, str], set[str]] = defaultdict(set)
    for uid, one in labels.items():
        faces, counts = np.unique(one.faces[one.faces != UNLABELLED], return_counts=True)
        found = {("face", source.face_classes[k]): int(n) for k, n in zip(faces.tolist(), counts, strict=True)}
        if one.part != UNLABELLED:
            found["solid", source.part_classes[one.part]] = 1
        for which, count in found.items():
            rows[which] += count
            files[which].add(file_of(uid))
    return report, [ClassCount(name, of, len(files[of, name]), rows[of, name]) for of, name in sorted(rows)]


def _once(graphs: Iterable[FaceGraph], rejects: Rejects) -> Iterator[FaceGraph]:
    """Without the same bytes under a second name, which a data set leaves out as well."""
    first: dict[str, str] = {}
    told: set[str] = set()
    for graph in graphs:
        twin = first.setdefault(file_of(graph.uid), graph.file)
        if twin == graph.file:
            yield graph
        elif graph.file not in told:
            told.add(graph.file)
            detail = f"same bytes as {twin}"
            rejects.append({"file": graph.file, "solid": None, "reason": "duplicate", "detail": detail})
