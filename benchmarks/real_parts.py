"""Parts that people designed, each scored with no real label at all, with the nine others labelled, and with generated
parts beside these: accuracy by class of forests, networks from scratch and pretrained ones.

    python -m benchmarks.real_parts studies/transfer

Needs the sets `modelled` and `real_parts` and the sources `all` and `modelled_labels` of the transfer study
(`dvc repro studies/transfer/dvc.yaml:source@all` and so on).
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks.compare import table
from brep_mae.evaluation.metrics import confusion
from brep_mae.evaluation.problem import (
    FewshotTask,
    Problem,
    Rows,
    every_row,
    features_of,
    in_batches,
    labelled_order,
)
from brep_mae.fewshot.heads import self_trained
from brep_mae.fewshot.heads.finetuned import fine_tune
from brep_mae.fewshot.heads.forest import TREES_OF_MANY, grow
from brep_mae.fewshot.heads.forest_and_network import shares as shares_of
from brep_mae.fewshot.heads.frozen import probe
from brep_mae.fewshot.heads.joint import mixed
from brep_mae.models.extractor import FeatureExtractor
from brep_mae.report.tables import percent
from pipelines.studies.transfer.fewshot import Material, material, side_by_side, task_of, tuned
from pipelines.studies.transfer.plan import ArmParams, Study

TARGET = "real_parts_zero"
"""Target of the study that has all that is read here: real parts to score and modelled ones to label."""
PLAIN = "plain features"
ENCODERS = {
    PLAIN: ["hops"],
    f"{PLAIN} + label-free codes": ["hops", "all"],
    f"{PLAIN} + codes of generated labels": ["hops", "modelled_labels"],
}
NETWORKS = {"from scratch": "scratch_all", "label-free": "all", "generated labels": "modelled_labels"}
AND_FOREST = "and the plain forest"
"""Row of a network whose shares of the classes and those of the forest on plain features are added."""
SMOOTHING, ROUNDS = 1e-3, 200
"""What is added to every share before priors are corrected, so that no class is ruled out; rounds of it."""
SHARE = 0.3
"""Of the real labels in the weight of all, where both are learned from: of faces for a forest, of solids, each of them
given many times, for a network."""


@dataclass(frozen=True)
class Given:
    """What every row is learned from: solids with generated labels, and real ones."""

    study: Study
    material: Material
    task: FewshotTask
    generated: list[str]
    real: list[str]

    def encoder(self, names: list[str], seed: int) -> FeatureExtractor:
        """The encoders side by side; fresh weights follow from the seed."""
        torch.manual_seed(seed)
        return side_by_side(self.study, names, seed)

    def rows(self, backbone: FeatureExtractor, uids: list[str]) -> Rows:
        batches = in_batches(self.material.data, uids)
        return Rows(self.task, batches, features_of(backbone, batches))

    def problem(self, backbone: FeatureExtractor, encoders: list[str], mode: str, **tune: float) -> Problem:
        """With the real parts unlabelled, for heads that learn from such."""
        todo = self.study.plan()
        params = tuned(todo, todo.targets[TARGET], ArmParams(encoders=encoders, mode=mode, tune=tune))
        batches = in_batches(self.material.data, self.real)
        return Problem(self.task, backbone, self.material.data, lambda: every_row(self.task, backbone, batches), params)

    def learned(self, encoder: str, labelled: list[str], seed: int, **tune: float) -> "Learned":
        """The network fine-tuned on solids."""
        backbone = self.encoder([encoder], seed)
        rows, problem = self.rows(backbone, labelled), self.problem(backbone, [encoder], "finetuned", **tune)
        torch.manual_seed(seed)
        return Learned(*fine_tune(problem, probe(self.task.n_classes, rows.x, rows.y), rows, seed))


@dataclass(frozen=True)
class Learned:
    """A network trained on labels."""

    backbone: FeatureExtractor
    head: nn.Linear

    def shares(self, given: Given, uids: list[str]) -> tuple[np.ndarray, Rows]:
        """Shares (R, C) of the classes, and the rows of the solids that it was asked for."""
        found = given.rows(self.backbone, uids)
        with torch.no_grad():
            return self.head.cpu()(torch.from_numpy(found.x)).softmax(1).numpy(), found


def prior_corrected(share: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Shares of the classes where these are as frequent as the shares themselves say (Saerens, Latinne and Decaestecker
    2002, "Adjusting the outputs of a classifier to new a priori probabilities").

    Shapes: share (R, C), rows sum to 1; prior (C,) of the rows that were learned from -> (R, C)
    """
    share, found = share + SMOOTHING, prior
    for _ in range(ROUNDS):
        weighted = share * (found / prior)
        weighted /= weighted.sum(1, keepdims=True)
        found = weighted.mean(0)
    return weighted


Answers = tuple[str, str, np.ndarray, np.ndarray, np.ndarray]
"""Labels that were read, row, truth (R,), answer (R,), solid (R,)."""


def no_real_label(given: Given, seed: int) -> Iterator[Answers]:
    """Learned from generated labels alone, every real part scored."""
    order, forests = labelled_order(given.generated, seed), dict[str, np.ndarray]()
    for name, encoders in ENCODERS.items():
        backbone = given.encoder(encoders, seed)
        labelled, asked = given.rows(backbone, order), given.rows(backbone, given.real)
        forest = grow(labelled.x, labelled.y, seed)
        share, prior = forest.predict_proba(asked.x), np.bincount(labelled.y)[forest.classes_] / len(labelled.y)
        for kind, found in (("forest", share), ("forest, prior corrected", prior_corrected(share, prior))):
            yield "generated", f"{name}, {kind}", asked.y, forest.classes_[found.argmax(1)], asked.part
        forests[name] = shares_of(forest, asked.x, given.task.n_classes)
        learned = self_trained.fit(given.problem(backbone, encoders, "self_trained"), labelled, seed)
        yield "generated", f"{name}, forest, self-trained", asked.y, learned(asked), asked.part
    for name, encoder in NETWORKS.items():
        share, asked = given.learned(encoder, order, seed, steps=600).shares(given, given.real)
        yield "generated", f"network, {name}", asked.y, share.argmax(1), asked.part
        yield "generated", f"network, {name}, {AND_FOREST}", asked.y, (share + forests[PLAIN]).argmax(1), asked.part


def all_but_one(given: Given, scored: int) -> Iterator[Answers]:
    """Learned from all real parts but one, which is scored; without and with generated labels beside."""
    asked_uids, others = given.real[scored : scored + 1], given.real[:scored] + given.real[scored + 1 :]
    part, forests = np.array([scored]), dict[tuple[str, str], np.ndarray]()
    for name, encoders in ENCODERS.items():
        backbone = given.encoder(encoders, scored)
        labelled, asked = given.rows(backbone, others), given.rows(backbone, asked_uids)
        generated = given.rows(backbone, given.generated)
        alone = grow(labelled.x, labelled.y, scored)
        beside = mixed(generated, labelled, SHARE, scored, TREES_OF_MANY)
        for labels, forest in (("real", alone), ("generated and real", beside)):
            yield labels, f"{name}, forest", asked.y, forest.predict(asked.x), part.repeat(len(asked.y))
            forests[name, labels] = shares_of(forest, asked.x, given.task.n_classes)
    copies = round(SHARE / (1 - SHARE) * len(given.generated) / len(others))
    for name, encoder in NETWORKS.items():
        for labels, uids, tune in (
            ("real", others, {"batch": 4}),
            ("generated and real", given.generated + copies * others, {"steps": 600}),
        ):
            share, asked = given.learned(encoder, uids, scored, **tune).shares(given, asked_uids)
            each = part.repeat(len(asked.y))
            yield labels, f"network, {name}, tuned", asked.y, share.argmax(1), each
            both = share + forests[PLAIN, labels]
            yield labels, f"network, {name}, tuned, {AND_FOREST}", asked.y, both.argmax(1), each


def spread(values: Sequence[float]) -> float:
    """Of the sample; not a number for a single value."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")


Runs = dict[tuple[str, str], list[list[tuple[np.ndarray, ...]]]]
"""Labels that were read and row -> of each seed, pieces of truth, answer and solid."""


def rows_of(runs: Runs, names: Sequence[str]) -> list[dict[str, str]]:
    """Of the table."""
    rows = []
    for (labels, row), seeds in runs.items():
        joined = [[np.concatenate(column) for column in zip(*parts, strict=True)] for parts in seeds]
        tables = [confusion(truth, answer, len(names)) for truth, answer, _ in joined]
        faces = [(truth == answer).mean() for truth, answer, _ in joined]
        each = [[(truth == answer)[solid == one].mean() for one in np.unique(solid)] for truth, answer, solid in joined]
        parts = [np.mean(of) for of in each]
        count = tables[0].sum(1)
        recall = 100 * np.mean([found.diagonal() for found in tables], 0) / np.maximum(count, 1)
        rows.append(
            {
                "labels": labels,
                "": row,
                "faces, %": percent(float(np.mean(faces)), spread(faces)),
                "mean of parts, %": percent(float(np.mean(parts)), spread(parts)),
            }
            | {name: f"{recall[i]:.0f}" for i, name in enumerate(names) if count[i]}
        )
    return rows


def given_parts(study: Study) -> tuple[Given, list[str]]:
    """All that there is: `generated` are the parts of the set whose labels the target reads, in the order in which they
    are labelled, and the names of the classes."""
    stored = material(study, TARGET, frames=False)
    task, real = task_of(study, TARGET), sorted([*stored.unlabelled, *stored.test])
    names = study.stored_set(study.plan().targets[TARGET].set).face_classes
    return Given(study, stored, task, labelled_order(stored.labelled, 0), real), names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", type=Path)
    parser.add_argument("--solids", type=int, default=450, help="generated parts that are labelled")
    parser.add_argument("--seeds", type=int, default=3, help="of pretraining and learning, without a real label")
    options = parser.parse_args()
    torch.set_num_threads(1)
    given, names = given_parts(Study(options.study))
    given = replace(given, generated=given.generated[: options.solids])

    runs: Runs = {}
    for seed in range(options.seeds):
        for labels, row, *scored in no_real_label(given, seed):
            runs.setdefault((labels, row), []).append([tuple(scored)])
    for left_out in range(len(given.real)):
        for labels, row, *scored in all_but_one(given, left_out):
            runs.setdefault((labels, row), [[]])[0].append(tuple(scored))
    table(
        f"{len(given.real)} real parts, {len(given.generated)} generated ones, {options.seeds} seeds",
        rows_of(runs, names),
    )


if __name__ == "__main__":
    main()
