"""Solids -> the rows that a classifier learns from: faces, solids or whole files, with their classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from torch import Tensor

from brep_mae.answers import Unit
from brep_mae.datasets.batch import Batch, Faces
from brep_mae.datasets.loader import Samples
from brep_mae.evaluation.problem import features_of, in_batches
from brep_mae.models.extractor import FeatureExtractor, Features
from brep_mae.schema import UNLABELLED


@dataclass(frozen=True)
class Rows:
    """Rows with a class.

    Shapes: x (R, D); y (R,) classes, or (R, C) True = shows the class, where a row may show several; sample (R,) whose
        each is, a number in the samples that were asked for
    """

    x: np.ndarray
    y: np.ndarray
    sample: np.ndarray


def labelled_rows(unit: Unit, several: int, reader: FeatureExtractor, data: Samples, uids: Sequence[str]) -> Rows:
    """The rows of the samples that have a class.

    Args:
        several: 0 = a row has one class; else the number of face classes, any of which a solid or file may show: those
            of its faces. One without any labelled face has no row.
    """
    x, y, sample, before = list[Tensor](), list[Tensor](), list[Tensor](), 0
    for batch in in_batches(data, uids):
        (features,) = features_of(reader, [batch])
        faces = batch.faces
        assert faces is not None
        whose = faces.solid if unit == "face" else torch.arange(len(batch.uid))
        label = faces.label if unit == "face" else faces.part
        known = label != UNLABELLED
        if several:
            label, known = _shown(batch, faces, several)
        x.append(_of(unit, features)[known])
        y.append(label[known])
        sample.append(whose[known] + before)
        before += len(batch.uid)
    return Rows(*(torch.cat(part).numpy() for part in (x, y, sample)))


def every_row(unit: Unit, reader: FeatureExtractor, data: Samples, uids: Sequence[str]) -> np.ndarray:
    """Features of all rows, labelled or not. (R, D)"""
    found = chain([reader.of_nothing()], features_of(reader, in_batches(data, uids)))
    return torch.cat([_of(unit, features) for features in found]).numpy()


def _of(unit: Unit, features: Features) -> Tensor:
    return features.face if unit == "face" else features.solid


def _shown(batch: Batch, faces: Faces, classes: int) -> tuple[Tensor, Tensor]:
    """(B, C) True = some face of it has the class; (B,) True = some face of it has one at all."""
    known = faces.label != UNLABELLED
    shown = torch.zeros(len(batch.uid), classes, dtype=torch.bool)
    shown[faces.solid[known], faces.label[known]] = True
    return shown, shown.any(1)
