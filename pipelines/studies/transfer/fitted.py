"""Stage `fitted`: networks that have learned classes from generated parts, to hand on as one model -> release/NAME.

The one that comes with the package, in brep_mae/checkpoints/shipped, is a copy of `operations`.
"""

import sys
from functools import reduce
from pathlib import Path

import numpy as np
import torch
from torch import nn

from brep_mae.checkpoints.backbones import WEIGHTS, load_backbone
from brep_mae.checkpoints.listed import CLASSIFIER
from brep_mae.checkpoints.weights import read_weights, write_weights
from brep_mae.datasets.combined import ConcatDataset
from brep_mae.datasets.content import FACES
from brep_mae.evaluation.problem import Problem, Rows, features_of, in_batches, tasks
from brep_mae.fewshot.heads.finetuned import fine_tune
from brep_mae.fewshot.heads.frozen import probe
from brep_mae.fitted.classifier import Linear
from brep_mae.fitted.fit import ClassReport, FitReport
from brep_mae.fitted.model import FittedModel, save_model
from brep_mae.models.extractor import FeatureExtractor
from brep_mae.models.extractors.hops import Hops
from brep_mae.models.extractors.joined import Joined
from brep_mae.output.folder import output_folder
from brep_mae.output.note import sha256
from brep_mae.pretraining.unfinished import unfinished
from brep_mae.settings import FewshotParams
from pipelines.shared.parsed_dataset import ParsedDataset
from pipelines.shared.stage import run_stage
from pipelines.studies.transfer.plan import Study
from pipelines.studies.transfer.release import made_of, write_card

MODULE = "pipelines.studies.transfer.fitted"
SIDES = "train", "validation", "test"
Networks = list[tuple[FeatureExtractor, nn.Linear]]
"""Each with the layer that reads its codes."""


class Known:
    """Data sets with the same classes of faces. ValueError where their classes differ."""

    def __init__(self, sets: list[ParsedDataset]) -> None:
        self.sets, self.classes = sets, sets[0].face_classes
        if other := [each.parsed.name for each in sets if each.face_classes != self.classes]:
            raise ValueError(f"{', '.join(other)}: other classes of faces than {sets[0].parsed.name} has")
        self.data = ConcatDataset([(each.solids(FACES, *SIDES), 0, 0) for each in sets])
        (self.task,) = tasks(len(self.classes), 0)

    def uids(self, number: int, *sides: str) -> list[str]:
        """Of the solids on some sides of the split of set `number`."""
        return [f"{number}/{uid}" for side in sides for uid in self.sets[number].split[side]]

    def rows(self, extractor: FeatureExtractor, uids: list[str]) -> Rows:
        batches = in_batches(self.data, uids)
        return Rows(self.task, batches, features_of(extractor, batches))


def learned(
    known: Known, labelled: list[str], backbone: FeatureExtractor, params: FewshotParams, seed: int
) -> tuple[FeatureExtractor, nn.Linear]:
    """The network fine-tuned on all labelled solids, and the layer that reads its codes."""
    torch.manual_seed(seed)
    rows = known.rows(backbone, labelled)
    problem = Problem(known.task, backbone, known.data, lambda: np.empty((0, backbone.dim)), params)
    network, layer = fine_tune(problem, probe(known.task.n_classes, rows.x, rows.y), rows, seed)
    return network.cpu(), layer.cpu()


def once(
    file: Path, known: Known, labelled: list[str], backbone: FeatureExtractor, params: FewshotParams, seed: int
) -> tuple[FeatureExtractor, nn.Linear]:
    """What `learned` gives, kept in `file` for a run that goes on where this one was cut off."""
    if not file.exists():
        found = learned(known, labelled, backbone, params, seed)
        write_weights(file, nn.ModuleList(found).state_dict())
        return found
    kept = backbone, nn.Linear(backbone.dim, known.task.n_classes)
    read_weights(file, nn.ModuleList(kept))
    return kept


def together(plain: FeatureExtractor, layers: list[nn.Linear]) -> Linear:
    """The layer on plain features and the codes of all networks whose logits are the mean of theirs. Plain features,
    which a fitted model always makes, weigh nothing."""
    each = [Linear.of(layer) for layer in layers]
    nothing = np.zeros((each[0].n_classes, plain.dim), np.float32)
    weights: list[np.ndarray] = [nothing, *(one.weight / len(each) for one in each)]
    return Linear({"weight": np.concatenate(weights, 1), "bias": np.mean([one.bias for one in each], 0)})


def report_of(classes: list[str], files: int, rows: Rows, told: np.ndarray, truth: np.ndarray) -> FitReport:
    """What was learned from, and how often the test side is told right.

    Args:
        files, rows: that were learned from.

    Shapes: told (R,) True = a row of the test side is told right; truth (R,) its class
    """
    each = []
    for number, name in enumerate(classes):
        mine, asked = rows.y == number, told[truth == number]
        right = float(asked.mean()) if len(asked) else None
        each.append(ClassReport(name, len(np.unique(rows.part[mine])), int(mine.sum()), right))
    return FitReport(
        unit="face",
        several=False,
        files=files,
        rows=len(rows.y),
        unlabelled=0,
        head="networks",
        scores={},
        expected=None,
        spread=0.0,
        commonest=float(np.bincount(truth).max() / len(truth)),
        test=float(told.mean()),
        classes=each,
        next=[],
    )


def hand_on(study: Study, name: str, known: Known, labelled: list[str], several: Networks, new: Path) -> None:
    """Scores the networks together, and fills the folder `new` with them."""
    todo = study.plan()
    wanted = todo.fitted[name]
    plain: FeatureExtractor = Hops()
    reader = reduce(Joined, [network for network, _ in several], plain).eval()
    classifier = together(plain, [layer for _, layer in several])

    def right(uids: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """Of every face whether it is told right, and its class."""
        rows = known.rows(reader, uids)
        return classifier.shares(rows.x).argmax(1) == rows.y, rows.y

    told, truth = right(known.uids(0, "test"))
    scores = {f"test side of {wanted.sets[0]}": float(told.mean())}
    if not study.absent(wanted.scored):
        scores[wanted.scored] = float(right(known.uids(len(wanted.sets), *SIDES))[0].mean())
    else:
        print(f"{name}: not scored on {wanted.scored}, which is not there")
    report = report_of(known.classes, len(labelled), known.rows(plain, labelled), told, truth)
    model = FittedModel("face", False, tuple(known.classes), reader, classifier, todo.parse.grid, report.as_json())
    save_model(model, new, *(study.model_of(wanted.encoder, seed) for seed in range(wanted.networks)))
    read = "The labels that the generator wrote were read."
    write_card(new, made_of(study, wanted.sets), read, sha256(new / CLASSIFIER), scores)
    print(f"{name}: " + ", ".join(f"{100 * score:.1f} % right on {what}" for what, score in scores.items()))


def main(folder: str, name: str) -> None:
    study = Study(Path(folder))
    todo = study.plan()
    wanted = todo.fitted[name]
    encoders = [study.model_of(wanted.encoder, seed) for seed in range(wanted.networks)]
    names = wanted.sets if study.absent(wanted.scored) else [*wanted.sets, wanted.scored]
    known = Known([study.stored_set(each) for each in names])
    labelled = [uid for number in range(len(wanted.sets)) for uid in known.uids(number, "train")]
    params = FewshotParams(**todo.fewshot.model_dump() | wanted.tune)
    out = study.folder / "release" / name
    data = [(each.digest, each.labels_digest) for each in known.sets[: len(wanted.sets)]]
    hashes = [sha256(encoder / WEIGHTS) for encoder in encoders]
    with (
        output_folder(out) as claim,
        unfinished(MODULE, out, wanted.model_dump(), params.model_dump(), data, hashes) as work,
    ):
        several = []
        for seed, encoder in enumerate(encoders):
            print(f"{name}: network {seed + 1} of {wanted.networks} learns from {len(labelled)} solids")
            several.append(once(work / f"{seed}.safetensors", known, labelled, load_backbone(encoder), params, seed))
        with claim.filled() as new:
            hand_on(study, name, known, labelled, several, new)


if __name__ == "__main__":
    run_stage(main, *sys.argv[1:])
