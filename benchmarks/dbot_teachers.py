"""dBOT's claim: after a few rounds it no longer matters which network taught the first (arXiv:2209.03917).

Three first teachers of the same size: random weights, an MAE, and an encoder trained on labels. Each teaches a student,
which teaches the next. After every round the frozen student is probed with few labelled solids: the same draws for all.
Printed are the accuracies, and how far apart the three first teachers leave their students after each round.

The supervised teacher reads the face labels of *all* training solids. What its students score is therefore no few-shot
result; only the distance to the others is of interest.

    dvc repro render && python -m benchmarks.dbot_teachers --out dbot.json
"""

import argparse
import copy
import json
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch

from brep_mae import settings
from brep_mae.checkpoints.backbones import save_backbone
from brep_mae.composition.pretext import Pretext, build
from brep_mae.datasets.content import FACES
from brep_mae.evaluation.metrics import scores
from brep_mae.evaluation.problem import labelled_order, tasks
from brep_mae.fewshot.heads.frozen import answer, probe
from brep_mae.models.backbone import Backbone
from brep_mae.pretext.supervised import Supervised
from brep_mae.report.tables import Table, percent, summarise
from brep_mae.schema import UNLABELLED
from brep_mae.teachers.rounds import Rounds
from brep_mae.training.loop import train
from pipelines.shared.jobs import Rows, run_jobs
from pipelines.shared.parsed_dataset import ParsedDataset, parsed_dataset
from pipelines.shared.places import LABELS

TEACHERS = ("random", "mae", "supervised")
SHOTS = (10, 50)
SCORES = {"micro": "face accuracy", "miou": "mean intersection over union"}
RESAMPLES = 10_000


def fit(pretext: Pretext, data: ParsedDataset, seed: int) -> None:
    """Trains on the training solids; batches and masks follow from `seed`."""
    steps = pretext.params.steps
    budget = settings.load().pretrain.model_copy(update={"seed": seed, "log_every": steps, "checkpoint_every": steps})
    solids, heldout = data.solids(pretext.reads, "train"), data.solids(pretext.reads, "validation").first(16)
    with tempfile.TemporaryDirectory() as work:
        train(pretext, solids, heldout, budget, Path(work) / "state.pt", lambda row: None, torch.device("cpu"))
    pretext.eval()


def first_teacher(name: str, seed: int, steps: int, data: ParsedDataset, folder: Path) -> dict[str, Any]:
    """Trains the teacher `name` for as many steps as a round has; returns the block `teacher` that asks for it."""
    if name == "random":
        return {"source": "random", "reads": "faces"}
    like, own = (settings.load().methods[method] for method in ("dbot_faces", "mae_faces"))
    block = own | {key: like[key] for key in ("size", "decoder", "batch", "lr", "mask_ratio")} | {"steps": steps}
    torch.manual_seed(seed)
    pretext = build("mae_faces", block, data.spec)
    if name == "supervised":
        pretext = Supervised(pretext.params, pretext.backbone(), len(data.face_classes), 0)
    fit(pretext, data, seed)
    # The description says mae_faces for both: the networks are the same, and it is all that opening one needs.
    save_backbone(folder, pretext.backbone(), "mae_faces", block, data.spec, data.digest)
    return {"source": "checkpoint", "reads": "faces", "path": str(folder), "dim": block["size"]["dim"]}


def students(block: dict[str, Any], data: ParsedDataset, seed: int) -> list[Backbone]:
    """The first teacher, and the student at the end of every round."""
    torch.manual_seed(seed)
    pretext = build("dbot_faces", block, data.spec)
    rounds: Any = pretext.get_submodule("teacher")
    assert isinstance(rounds, Rounds)
    first: Any = rounds.network if rounds.first is None else rounds.first.network
    kept = [copy.deepcopy(Backbone(first.tokens, first.encoder))]

    def after_step(step: int) -> None:
        if step + 1 in rounds.bounds:
            kept.append(copy.deepcopy(pretext.backbone()))

    pretext.after_step = after_step  # type: ignore[method-assign]
    fit(pretext, data, seed)
    return [backbone.eval() for backbone in kept]


@dataclass(frozen=True)
class Labelled:
    """Labelled faces: features x (R, D), classes y (R,), solid (R,) as a number in the order of the side."""

    x: np.ndarray
    y: np.ndarray
    part: np.ndarray

    def of(self, solids: Iterable[int]) -> "Labelled":
        rows = np.isin(self.part, list(solids))
        return Labelled(self.x[rows], self.y[rows], self.part[rows])


@torch.no_grad()
def labelled(encoder: Backbone, data: ParsedDataset, side: str) -> Labelled:
    x, y, part, first = [], [], [], 0
    for batch in data.solids(FACES, side).in_order(64):
        assert batch.faces is not None
        keep = batch.faces.label != UNLABELLED
        x.append(encoder(batch).face[keep])
        y.append(batch.faces.label[keep])
        part.append(batch.faces.solid[keep] + first)
        first += len(batch.uid)
    return Labelled(*(torch.cat(column).numpy() for column in (x, y, part)))


def one(name: str, seed: int, steps: int, rounds: int, draws: int) -> Rows:
    """All scores of one first teacher and one seed; round 0 is the teacher itself."""
    data = parsed_dataset(labels=LABELS)
    task = tasks(len(data.face_classes), 0)[0]
    with tempfile.TemporaryDirectory() as folder:
        teacher = first_teacher(name, seed, steps, data, Path(folder))
        block = settings.load().methods["dbot_faces"] | {"steps": rounds * steps, "rounds": rounds, "teacher": teacher}
        encoders = students(block, data, seed)
    uids, found = data.split["train"], Rows()
    number = {uid: i for i, uid in enumerate(uids)}
    for round_, encoder in enumerate(encoders):
        support, test = (labelled(encoder, data, side) for side in ("train", "test"))
        for draw in range(draws):
            order = [number[uid] for uid in labelled_order(uids, draw)]
            for shots in SHOTS:
                few = support.of(order[:shots])
                predicted = answer(probe(task.n_classes, few.x, few.y), test.x)
                score = scores(test.y, predicted, test.part, few.y, task.n_classes)
                found.append(
                    {"teacher": name, "seed": seed, "round": round_, "draw": draw, "shots": shots}
                    | {key: score[key] for key in SCORES}
                )
    return found


def cube(rows: Rows, round_: int, shots: int, score: str) -> np.ndarray:
    """(teachers, seeds, draws)"""
    few = [row for row in rows if row["round"] == round_ and row["shots"] == shots]
    values = {(row["teacher"], row["seed"], row["draw"]): row[score] for row in few}
    seeds, draws = (sorted({row[key] for row in few}) for key in ("seed", "draw"))
    return np.array([[[values[t, s, d] for d in draws] for s in seeds] for t in TEACHERS])


def spread(scores_: np.ndarray) -> np.ndarray:
    """(sd, range) over teachers of their means. Shapes: (teachers, seeds, draws) -> (2,)"""
    means = scores_.mean((1, 2))
    return np.array([means.std(ddof=1), np.ptp(means)])


def change(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Change of the spread, and its 95 % interval (2 bounds, 2): seeds and draws are drawn anew, the same ones for all
    teachers and both rounds."""
    rng = np.random.default_rng(0)
    _, seeds, draws = before.shape
    found = []
    for _ in range(RESAMPLES):
        picked = np.ix_(np.arange(len(TEACHERS)), rng.integers(seeds, size=seeds), rng.integers(draws, size=draws))
        found.append(spread(after[picked]) - spread(before[picked]))
    return spread(after) - spread(before), np.percentile(found, [2.5, 97.5], axis=0)


def by_chance(scores_: np.ndarray) -> float:
    """sd over teachers that seeds alone would bring about. Shapes: (teachers, seeds, draws)"""
    seeds = scores_.shape[1]
    return float(np.sqrt(scores_.mean(2).var(1, ddof=1).mean() / seeds)) if seeds > 1 else float("nan")


def spreads_of(rows: Rows, rounds: int) -> list[dict[str, Any]]:
    """Per score, shots and round from the first on: sd and range over teachers, the sd by chance, and from the second
    on the change since the round before with its interval."""
    found = []
    for score, shots, round_ in product(SCORES, SHOTS, range(rounds + 1)):
        now = cube(rows, round_, shots, score)
        sd, width = spread(now)
        row: dict[str, Any] = {"score": score, "shots": shots, "round": round_, "sd": sd, "range": width}
        row["chance"] = by_chance(now)
        if round_ > 1:
            mean, (low, high) = change(cube(rows, round_ - 1, shots, score), now)
            for i, kind in enumerate(("sd", "range")):
                row |= {f"{kind}_change": mean[i], f"{kind}_low": low[i], f"{kind}_high": high[i]}
        found.append({key: v.item() if isinstance(v, np.generic) else v for key, v in row.items()})
    return found


def table(rows: Rows, spreads: list[dict[str, Any]], rounds: int, score: str) -> Table:
    body, note = [], [f"In %: {SCORES[score]}, frozen probe; mean ± sd over seeds and draws of labelled solids."]
    for shots in SHOTS:
        means = summarise([row for row in rows if row["shots"] == shots], ("teacher", "round"), (score,))
        for name in TEACHERS:
            own = [row for row in means if row["teacher"] == name]
            body.append([f"{name}, {shots} solids", *(percent(r[f"{score}_mean"], r[f"{score}_sd"]) for r in own)])
        of = [row for row in spreads if row["score"] == score and row["shots"] == shots]
        body.append([f"**sd over teachers**, {shots} solids", *(f"{100 * row['sd']:.2f}" for row in of)])
        body.append([f"**range**, {shots} solids", *(f"{100 * row['range']:.2f}" for row in of)])
        body.append([f"sd by chance, {shots} solids", *(f"{100 * row['chance']:.2f}" for row in of)])
        for row in of[2:]:
            sd, low, high = (100 * row[f"sd_{key}"] for key in ("change", "low", "high"))
            note.append(
                f"{shots} solids: from round {row['round'] - 1} to {row['round']} the sd over teachers changes by"
            )
            note.append(f"{sd:+.2f} [{low:+.2f}, {high:+.2f}].")
    header = ["first teacher", "itself", *(f"round {r}" for r in range(1, rounds + 1))]
    return Table(f"dBOT: first teachers, {score}", header, body, " ".join(note))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=250, help="of a round, and of a first teacher that is trained")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=3, help="trainings")
    parser.add_argument("--draws", type=int, default=10, help="of labelled solids")
    parser.add_argument("--workers", type=int, default=0, help="processes, 0 = one per core")
    parser.add_argument("--out", type=Path, help="keeps the rows and the spreads as JSON")
    args = parser.parse_args()
    # Those that train a teacher first come first, so that no process is left with them at the end.
    jobs = {
        f"{name}-{seed}": (name, seed, args.steps, args.rounds, args.draws)
        for name in reversed(TEACHERS)
        for seed in range(args.seeds)
    }
    with tempfile.TemporaryDirectory() as work:
        rows = [row for each in run_jobs(one, jobs, Path(work), args.workers, "dBOT").values() for row in each]
    spreads = spreads_of(rows, args.rounds)
    print("\n".join(table(rows, spreads, args.rounds, score).markdown() for score in SCORES))
    if args.out:
        options = {key: str(v) if isinstance(v, Path) else v for key, v in vars(args).items()}
        args.out.write_text(json.dumps({"options": options, "spreads": spreads, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
