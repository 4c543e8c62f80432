"""Few labelled solids: how many faces, or families, does an encoder get right?

Every encoder meets the same labelled solids: those of a seed are the first of one random order, so that fewer shots
are always a subset of more. All labelled solids train, for a fixed number of steps, and nothing is selected on labels,
unless `holdout` sets some of them aside for it, as published protocols do; the test split is read by the final score
alone.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import tee
from pathlib import Path

import numpy as np
import torch

from brep_mae import plugins
from brep_mae.checkpoints.backbones import load_backbone, new_backbone
from brep_mae.datasets.loader import Samples
from brep_mae.evaluation.metrics import scores
from brep_mae.evaluation.problem import FewshotTask, Head, Problem, Rows, every_row, features_of, in_batches
from brep_mae.models.embed import readable
from brep_mae.models.extractor import FeatureExtractor
from brep_mae.models.extractors.hops import Hops
from brep_mae.settings import FewshotParams

Row = dict[str, str | int | float]


@dataclass(frozen=True)
class EncoderSource:
    """An encoder of the comparison.

    Args:
        kind: names the network, the same for all encoders that have one from-scratch baseline in common.
        make: loads it, or makes it with fresh weights.
    """

    name: str
    kind: str
    make: Callable[[], FeatureExtractor]

    @classmethod
    def stored(cls, name: str, kind: str, folder: Path, pretrained: bool) -> "EncoderSource":
        """The checkpoint's weights, or its network with fresh ones."""
        return cls(name, kind, partial(load_backbone if pretrained else new_backbone, folder))

    def backbone(self, seed: int) -> FeatureExtractor:
        torch.manual_seed(seed)
        return self.make()


MAJORITY = EncoderSource("majority", "none", Hops), ("majority",)
"""The trivial baseline, and its mode."""


def head(mode: str) -> Head:
    """The head in `heads/<mode>.py`. Raises SettingsError with the names that there are."""
    fit: Head = plugins.load(plugins.HEADS, mode).fit
    return fit


def compare(
    source: EncoderSource,
    modes: Sequence[str],
    seed: int,
    todo: list[FewshotTask],
    data: Samples,
    order: list[str],
    test: Sequence[str],
    params: FewshotParams,
    generated: Sequence[str] = (),
) -> Iterator[Row]:
    """All rows of one encoder and one seed: tasks x shots x modes.

    Args:
        modes: modules of `heads`.
        data: reads what the encoder needs, of all solids named here.
        order: solids in the order in which they are labelled. Those after the most shots are there to be learned from
            without their labels, `params.unlabelled` of them.
        test: solids that are scored.
        generated: solids with labels that a generator wrote, beside those of `order`.
    """
    backbone = source.backbone(seed)
    most = max(params.shots)
    test_batches, train_batches = in_batches(data, test), [data.batch([uid]) for uid in order[:most]]
    frozen_train = list(features_of(backbone, train_batches))
    generated_batches = in_batches(data, generated)
    others = order[most : most + params.unlabelled]
    for task, frozen_test in zip(todo, tee(features_of(backbone, test_batches), len(todo)), strict=True):
        table = Rows(task, test_batches, frozen_test)
        unlabelled = cache(partial(every_row, task, backbone, in_batches(data, others)))
        beside = Rows(task, generated_batches, features_of(backbone, generated_batches)) if generated else None
        for shots in params.shots:
            if shots > len(train_batches):
                continue
            kept = shots - math.ceil(params.holdout * shots)
            labelled = Rows(task, train_batches[:kept], frozen_train[:kept]) if kept else None
            if labelled is None or not len(labelled.y):
                continue
            aside = Rows(task, train_batches[kept:shots], frozen_train[kept:shots]) if kept < shots else None
            problem = Problem(task, backbone, data, unlabelled, params, aside, beside)
            classes = labelled.y if beside is None else np.concatenate([labelled.y, beside.y])
            for mode in modes:
                began = time.perf_counter()
                predicted = head(mode)(problem, labelled, seed)(table)
                yield {
                    "task": task.name,
                    "encoder": source.name,
                    "kind": source.kind,
                    "mode": mode,
                    "shots": shots,
                    "seed": seed,
                    **scores(table.y, predicted, table.part, classes, task.n_classes),
                    "seconds": time.perf_counter() - began,
                }


def reads(source: EncoderSource) -> frozenset[str]:
    """Content that `source` needs of each batch."""
    return readable(source.make())
