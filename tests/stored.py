"""A small parsed data set on disk, made of synthetic graphs, for tests of everything after `parse`."""

from collections.abc import Sequence
from pathlib import Path

from brep_mae.datasets.frames import FrameWriter
from brep_mae.datasets.labelling.labels import SolidLabels, write_labels
from brep_mae.datasets.loader import Solids
from brep_mae.datasets.shards import write_shard
from brep_mae.schema import FaceGraph
from tests.synthetic import make_frames, make_graph

N_FACES = [6, 9, 4, 12, 7, 5, 8, 10]


FACE_CLASSES, PART_CLASSES = ("a", "b", "c"), ("p", "q")


def label(
    folder: Path,
    graphs: Sequence[FaceGraph],
    face_classes: Sequence[str] = FACE_CLASSES,
    part_classes: Sequence[str] = PART_CLASSES,
) -> None:
    """Writes the labels that the graphs hold."""
    solids = {graph.uid: SolidLabels(graph.face_label, graph.part_label) for graph in graphs}
    write_labels(folder, tuple(face_classes), tuple(part_classes), solids, {})


def store(folder: Path, solids: int = 16) -> list[str]:
    """Writes `solids` graphs to folder/parsed, their labels and frames beside it; returns the uids."""
    graphs = [make_graph(N_FACES[i % len(N_FACES)], seed=i) for i in range(solids)]
    (folder / "parsed").mkdir(parents=True)
    write_shard(folder / "parsed" / "00000.arrow", graphs)
    label(folder / "labels", graphs)
    with FrameWriter(folder / "frames", views=2, size=16) as frames:
        for i, graph in enumerate(graphs):
            drawn = make_frames([graph.n_faces], seed=i)
            image = (drawn.image[0].permute(0, 2, 3, 1) * 255).byte().numpy()
            frames.add(graph.uid, image, drawn.face[0].numpy().astype("int16"))
    return [graph.uid for graph in graphs]


def solids(folder: Path, uids: list[str], *reads: str) -> Solids:
    return Solids(folder / "parsed", folder / "frames", uids, frozenset(reads), folder / "labels")
