"""What a forest and the encoder say together, after the encoder has been trained on the labelled parts as well."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from brep_mae.answers import Unit
from brep_mae.datasets.loader import Samples
from brep_mae.evaluation.problem import Problem, Rows, features_of, tasks
from brep_mae.fewshot.heads import forest_and_network
from brep_mae.fitted.classifier import Classifier, Forest, Linear, Together
from brep_mae.fitted.rows import labelled_rows
from brep_mae.models.extractor import FeatureExtractor
from brep_mae.models.extractors.joined import Joined
from brep_mae.settings import FewshotParams

RECIPE = FewshotParams(
    shots=[1], seeds=1, steps=200, epochs=26, batch=16, lr=0.003, head_lr=0.003, noise=0.1, unlabelled=0, workers=0
)
"""That of the transfer study, and no fewer than 26 passes over the parts."""


@dataclass(frozen=True)
class Network:
    """What is needed to train the encoder on the samples (solids or files) whose rows a table holds.

    Args:
        reader: plain features, and the encoder beside them.
        data: reads the samples.
        uids: which samples there are.

    Shapes: sample (R,) whose each row is, a number in uids
    """

    unit: Unit
    n_classes: int
    reader: Joined
    data: Samples
    uids: Sequence[str]
    sample: np.ndarray

    def only(self, rows: np.ndarray) -> "Network":
        """What is trained on some of the rows, all that a sample has."""
        return replace(self, sample=self.sample[rows])

    def learn(self, seed: int) -> tuple[Classifier, FeatureExtractor]:
        """A classifier, and the trained encoder beside plain features, which it reads. The encoder that was given stays
        as it is."""
        (task,) = tasks(self.n_classes, 0) if self.unit == "face" else tasks(0, self.n_classes)
        batches = [self.data.batch([self.uids[i]]) for i in np.unique(self.sample)]
        problem = Problem(task, self.reader, self.data, lambda: np.empty((0, self.reader.dim)), RECIPE)
        labelled = Rows(task, batches, features_of(self.reader, batches))
        grown, encoder, layer = forest_and_network.learn(problem, labelled, seed)
        plain, _ = self.reader.both
        network = Linear.of(layer, plain.dim if self.unit == "face" else plain.solid_dim)
        classifier = Together(Forest.of(grown, self.n_classes), network, forest_and_network.NETWORK)
        return classifier, Joined(plain, encoder.cpu()).eval()

    def features(self, reader: FeatureExtractor) -> np.ndarray:
        """(R, D) of the rows of all samples that there are, by another reader."""
        return labelled_rows(self.unit, 0, reader, self.data, self.uids).x
