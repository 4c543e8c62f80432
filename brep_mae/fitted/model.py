"""A model that was fitted, and its folder: JSON and safetensors, nothing that can run code.

model.json says what the classes are and what was seen while it was fitted; classifier.safetensors holds the
classifier; encoder/, encoder-2/ and so on hold the encoders whose codes the classifier reads, if it reads any.
"""

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import torch

from brep_mae import schema
from brep_mae.answers import UNITS, Answer, SolidAnswers, Unit
from brep_mae.checkpoints.backbones import CONFIG, WEIGHTS, load_face_backbone
from brep_mae.checkpoints.listed import CLASSIFIER, ENCODER, FITTED
from brep_mae.checkpoints.weights import CheckpointError, read_tensors, write_weights
from brep_mae.datasets.batch import Batch
from brep_mae.datasets.derived.files import merged
from brep_mae.datasets.from_graph import from_graph
from brep_mae.evaluation.problem import features_of
from brep_mae.fitted.classifier import Classifier, ClassifierError, stored
from brep_mae.models.embed import readable
from brep_mae.models.extractor import FeatureExtractor
from brep_mae.models.extractors.hops import Hops
from brep_mae.models.extractors.joined import Joined
from brep_mae.output.files import write_whole
from brep_mae.schema import SURFACE_TYPES, FaceGraph


@dataclass(frozen=True)
class FittedModel:
    """What answers for CAD files.

    Args:
        unit: what has a class.
        several: True = a solid or file may show several, those of its faces.
        classes: their names, by number.
        extractor: makes the features that the classifier reads.
        grid: samples per side of the UV-grids that it reads.
        report: what was seen while it was fitted, as JSON has it.
        learned_from: files whose labels it has learned from, or was scored on, as uids name them; () = generated ones.
    """

    unit: Unit
    several: bool
    classes: tuple[str, ...]
    extractor: FeatureExtractor
    classifier: Classifier
    grid: int
    report: dict[str, Any]
    learned_from: tuple[str, ...] = ()

    def answer(self, path: Path, file: str, graphs: Sequence[FaceGraph]) -> list[SolidAnswers]:
        """What is said of the solids of one file.

        Args:
            file: the file's name as people are shown it.
            graphs: all of its solids that could be read; where files have a class, all of them are looked at together.
        """
        samples = [merged(graphs)] if self.unit == "file" else graphs
        shares = [self._shares(graph) for graph in samples]
        if self.unit == "file":
            shares = shares * len(graphs)
        return [self._solid(path, file, graph, share) for graph, share in zip(graphs, shares, strict=True)]

    def _shares(self, graph: FaceGraph) -> np.ndarray:
        batch = Batch((graph.uid,), from_graph(graph, readable(self.extractor)))
        (features,) = features_of(self.extractor, [batch])
        rows = features.face if self.unit == "face" else features.solid
        return self.classifier.shares(rows.numpy()[:, : self.classifier.n_features])

    def _solid(self, path: Path, file: str, graph: FaceGraph, shares: np.ndarray) -> SolidAnswers:
        said = tuple(self._shown(row) if self.several else self._likeliest(row) for row in shares)
        surfaces = tuple(SURFACE_TYPES[i] for i in graph.face_type)
        by_face = self.unit == "face"
        names = tuple(graph.face_name)
        return SolidAnswers(
            path, file, graph.solid, surfaces, said if by_face else (), None if by_face else said[0], names
        )

    def _likeliest(self, shares: np.ndarray) -> Answer:
        return Answer((self.classes[shares.argmax()],), float(shares.max()))

    def _shown(self, shares: np.ndarray) -> Answer:
        """All classes that are likelier than not; as sure as the least sure of all classes, shown or not."""
        shown = np.flatnonzero(shares > 0.5)
        names = tuple(self.classes[i] for i in shown)
        return Answer(names, float(np.maximum(shares, 1 - shares).min()), tuple(float(shares[i]) for i in shown))


def extractor(*encoders: Path) -> FeatureExtractor:
    """Plain features, and after them the codes of pretrained encoders. Raises CheckpointError."""
    plain: FeatureExtractor = Hops()
    return reduce(Joined, map(load_face_backbone, encoders), plain).eval()


def encoders_in(folder: Path) -> list[Path]:
    """The encoders of a fitted model, in the order in which its classifier reads their codes."""
    return sorted(folder.glob(f"{ENCODER}*"), key=lambda found: (len(found.name), found.name))


def _networks(extractor: FeatureExtractor) -> list[FeatureExtractor]:
    """Those that `extractor` put after plain features, in that order."""
    if not isinstance(extractor, Joined):
        return []
    before, last = extractor.both
    return [*_networks(before), last]


def save_model(model: FittedModel, folder: Path, *encoders: Path) -> None:
    """Fills an empty folder.

    Args:
        encoders: checkpoints of the networks whose codes the classifier reads, with the weights that they came with or
            others that they have learned since; none where it reads plain features alone.
    """
    arrays = model.classifier.arrays()
    write_weights(folder / CLASSIFIER, {name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in arrays.items()})
    for i, (encoder, network) in enumerate(zip(encoders, _networks(model.extractor), strict=True)):
        own = folder / (f"{ENCODER}-{i + 1}" if i else ENCODER)
        own.mkdir()
        shutil.copyfile(encoder / CONFIG, own / CONFIG)
        write_weights(own / WEIGHTS, network.state_dict())
    about = {
        "schema": schema.VERSION,
        "unit": model.unit,
        "several": model.several,
        "classes": list(model.classes),
        "grid": model.grid,
        "report": model.report,
        "learned_from": list(model.learned_from),
    }
    write_whole(folder / FITTED, json.dumps(about | {"sha256": _digest(about)}, indent=1) + "\n")


def _digest(about: dict[str, Any]) -> str:
    text = json.dumps({key: value for key, value in about.items() if key != "sha256"}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def load_model(folder: Path) -> FittedModel:
    """The model of a folder that `save_model` filled. Raises CheckpointError, which names the reason and remedy."""
    remedy = "fit it again, or restore it from a copy"
    try:
        about = json.loads((folder / FITTED).read_text())
        made_for, classes = about["schema"], tuple(str(name) for name in about["classes"])
        unit, grid, report = about["unit"], int(about["grid"]), dict(about["report"])
        several, learned_from = bool(about["several"]), tuple(about.get("learned_from", ()))
    except FileNotFoundError:
        raise CheckpointError(
            f"{folder}: no {FITTED} in it, so no fitted model; name one that `fit` made, or `operations`"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder / FITTED}: not a model's description ({error}); {remedy}") from None
    if made_for != schema.VERSION:
        raise CheckpointError(f"{folder}: fitted with data schema {made_for}, this is {schema.VERSION}; fit it again")
    if unit not in UNITS or about.get("sha256") != _digest(about):
        raise CheckpointError(f"{folder / FITTED}: its checksum does not match what it says; {remedy}")
    features = extractor(*encoders_in(folder))
    path = folder / CLASSIFIER
    try:
        classifier = stored({name: tensor.numpy() for name, tensor in read_tensors(path).items()})
    except ClassifierError as error:
        raise CheckpointError(f"{path}: {error}; {remedy}") from None
    if classifier.n_classes != len(classes):
        raise CheckpointError(f"{path}: {classifier.n_classes} classes, {FITTED} names {len(classes)}; {remedy}")
    if classifier.n_features > (features.dim if unit == "face" else features.solid_dim):
        raise CheckpointError(f"{folder}: an encoder that its classifier reads is missing; {remedy}")
    return FittedModel(unit, several, classes, features, classifier, grid, report, learned_from)
