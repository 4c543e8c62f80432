"""The package from Python: read CAD files, load an encoder or a fitted model, fit one.

>>> import brep_mae
>>> part = brep_mae.read("part.step")
>>> vectors = brep_mae.load("label_free").embed(part)
>>> brep_mae.fit(["parts/"], labels="labels.csv", out="model")
>>> answers = brep_mae.load("model").predict(part)

Files are read in a process of their own, which runs the calling script again on some systems: put what a script does
under `if __name__ == "__main__":`, else it is refused with that reason.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from brep_mae.answers import SolidAnswers, Unit
from brep_mae.brep.reject import Reject
from brep_mae.brep.workers import pool
from brep_mae.cad_files import printable
from brep_mae.checkpoints.backbones import load_backbone
from brep_mae.checkpoints.listed import FITTED
from brep_mae.datasets.batch import Batch
from brep_mae.datasets.from_graph import from_graph
from brep_mae.evaluation.problem import features_of
from brep_mae.fitted.from_files import FitOptions, fit_files
from brep_mae.fitted.model import FittedModel, load_model
from brep_mae.models.embed import readable
from brep_mae.models.extractor import FeatureExtractor
from brep_mae.schema import FaceGraph
from brep_mae.settings import ParseParams
from brep_mae.tracking.registry import model_folder
from brep_mae.viewer.fragment import file_fragment

DEFAULT = ParseParams()


class ReadError(ValueError):
    """A file gives no solid; the message names it and the reason."""


@dataclass(frozen=True)
class CadFile:
    """The solids of one file, and what of it was left out with the reason."""

    path: Path
    solids: tuple[FaceGraph, ...]
    left_out: tuple[Reject, ...]

    def _repr_html_(self) -> str:
        """The part in 3-D, in a notebook."""
        return file_fragment(self.path, printable(self.path.name), (), ())

    def __repr__(self) -> str:
        faces = ", ".join(f"{solid.n_faces} faces" for solid in self.solids)
        return f"CadFile({self.path.name!r}: {faces}; {len(self.left_out)} left out)"


def read(
    path: str | Path,
    grid: int = DEFAULT.grid,
    deadline_s: float = DEFAULT.deadline_s,
    memory_mb: int = DEFAULT.memory_mb,
) -> CadFile:
    """All solids of a CAD file, in a process of its own that may fail without harm.

    Args:
        grid: samples per side of a UV-grid, as the encoder reads them that is to be asked.
        deadline_s: wall time. memory_mb: address space on top of the loaded libraries.

    Raises:
        ReadError: the file gives no solid.
    """
    file = Path(path).absolute()
    options = pool.ParseOptions(grid, 0, 0, False, False, file.parent, deadline_s, memory_mb)
    _, found = next(pool.parse_files([file], options, workers=1))
    each = [found] if isinstance(found, Reject) else found
    solids = tuple(one for one in each if not isinstance(one, Reject))
    left_out = tuple(one for one in each if isinstance(one, Reject))
    if not solids:
        raise ReadError("; ".join(f"{reject.reason}: {reject.detail}" for reject in left_out))
    return CadFile(file, solids, left_out)


@dataclass(frozen=True)
class Encoder:
    """A pretrained encoder, frozen."""

    name: str
    extractor: FeatureExtractor

    def embed(self, part: CadFile) -> np.ndarray:
        """A vector for each solid: (S, E) float32."""
        return np.concatenate([solid for _, solid in self._features(part)])

    def embed_faces(self, part: CadFile) -> list[np.ndarray]:
        """For each solid a vector for each of its faces, in the order of their numbers: (F, D) float32 each."""
        return [face for face, _ in self._features(part)]

    def _features(self, part: CadFile) -> list[tuple[np.ndarray, np.ndarray]]:
        reads = readable(self.extractor)
        batches = [Batch((graph.uid,), from_graph(graph, reads)) for graph in part.solids]
        return [(each.face.numpy(), each.solid.numpy()) for each in features_of(self.extractor, batches)]


class Prediction(list[SolidAnswers]):
    """What is said of each solid of a file, in a list; in a notebook, the part with its faces coloured by class."""

    def __init__(self, said: Iterable[SolidAnswers], part: CadFile, classes: tuple[str, ...]) -> None:
        super().__init__(said)
        self.part, self.classes = part, classes

    def _repr_html_(self) -> str:
        return file_fragment(self.part.path, printable(self.part.path.name), self.classes, self)


@dataclass(frozen=True)
class Model:
    """A fitted model: `unit` says what has a class, `classes` which there are, `report` what was seen in fitting."""

    fitted: FittedModel

    @property
    def unit(self) -> Unit:
        return self.fitted.unit

    @property
    def classes(self) -> tuple[str, ...]:
        return self.fitted.classes

    @property
    def report(self) -> dict[str, object]:
        return self.fitted.report

    def predict(self, part: CadFile | str | Path) -> Prediction:
        """What is said of each solid of a file. Raises ReadError."""
        part = part if isinstance(part, CadFile) else read(part, self.fitted.grid)
        said = self.fitted.answer(part.path, printable(part.path.name), part.solids)
        return Prediction(said, part, self.classes)


def load(name: str | Path) -> Encoder | Model:
    """An encoder or a fitted model.

    Args:
        name: one that `brep-mae models` lists: of an encoder that comes with the package, or in MLflow's registry
            (`models:/NAME@ALIAS`, `models:/NAME/VERSION`); or the folder of either.

    Raises:
        CheckpointError: there is none, it is damaged, or was made for another schema of records.
    """
    folder = model_folder(str(name))
    if (folder / FITTED).is_file():
        return Model(load_model(folder))
    return Encoder(folder.name, load_backbone(folder))


def fit(
    parts: str | Path | Sequence[str | Path],
    out: str | Path,
    labels: str | Path | None = None,
    unit: Unit | None = None,
    encoder: str | Path | None = "label_free",
    unlabelled: int = 100,
    seed: int = 0,
    fine_tune: bool = False,
) -> Model:
    """Learns from a few labelled CAD files, and keeps the model in the folder `out`.

    Args:
        parts: files and folders of them.
        labels: table of labels; None = every labels.csv in the folders.
        unit: what has a class; None = as the labels have it.
        encoder: as of `load`, or a fitted model to start from; None = plain features alone.
        unlabelled: most files without a label that are learned from as well.
        fine_tune: True = a network is compared as well, the encoder trained on the labelled parts, which takes minutes.

    Raises:
        ValueError, OutputError: with file, reason and remedy.
    """
    given = [Path(parts)] if isinstance(parts, str | Path) else [Path(part) for part in parts]
    folder = None if encoder is None else model_folder(str(encoder))
    options = FitOptions(unit, folder, unlabelled, fine_tune, seed)
    return Model(fit_files(given, Path(labels) if labels else None, Path(out), options))
