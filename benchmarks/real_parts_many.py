"""Parts that people designed, learned from many generated ones for many steps: each network, those of several seeds
together, and the forest beside them; with no real label, and adapted to all real parts but the one that is scored.

    python -m benchmarks.real_parts_many studies/transfer

Needs the sets `modelled`, `modelled_many` and `real_parts` and the source `modelled` of the transfer study
(`dvc repro studies/transfer/dvc.yaml:source@modelled` and so on). What single ideas are worth with fewer generated
parts is what `benchmarks.real_parts` asks.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.compare import table
from benchmarks.real_parts import AND_FOREST, ENCODERS, PLAIN, SHARE, Given, Learned, Runs, given_parts, rows_of
from brep_mae.evaluation.problem import labelled_order
from brep_mae.fewshot.heads.finetuned import fine_tune
from brep_mae.fewshot.heads.forest import TREES_OF_MANY, grow
from brep_mae.fewshot.heads.forest_and_network import shares as shares_of
from brep_mae.fewshot.heads.joint import mixed
from pipelines.studies.transfer.plan import Study

NETWORKS = {"from scratch": "scratch_modelled", "label-free": "modelled"}
TOGETHER = "all seeds together"
"""Row of the shares of the classes by the networks of all seeds, added."""
ADAPTING = {"steps": 150, "lr": 0.001, "head_lr": 0.001}
"""To real parts: a third of the rate, so that what the generator taught is not lost."""
REPLAYED = 450
"""Generated parts that are beside the real ones meanwhile; these, each of them given many times, are `SHARE` of all."""


def adapted(given: Given, encoder: str, start: Learned, real: list[str], seed: int) -> Learned:
    """The same network after some steps on real parts, with generated ones beside them."""
    replayed = given.generated[:REPLAYED]
    copies = round(SHARE / (1 - SHARE) * len(replayed) / len(real))
    problem = given.problem(start.backbone, [encoder], "finetuned", **ADAPTING)
    return Learned(*fine_tune(problem, start.head, given.rows(start.backbone, replayed + copies * real), seed))


Shares = dict[str, list[np.ndarray]]
"""Network -> shares of the classes (R, C) for the faces of all real parts, of each seed."""


def networks(given: Given, seeds: int, steps: int) -> tuple[Shares, Shares]:
    """Without a real label, and adapted to all parts but the one whose faces are told."""
    none, nine = Shares(), Shares()
    for name, encoder in NETWORKS.items():
        for seed in range(seeds):
            start = given.learned(encoder, given.generated, seed, steps=steps)
            none.setdefault(name, []).append(start.shares(given, given.real)[0])
            told = []
            for uid in given.real:
                others = [each for each in given.real if each != uid]
                told.append(adapted(given, encoder, start, others, seed).shares(given, [uid])[0])
            nine.setdefault(name, []).append(np.concatenate(told))
            print(f"{name}, seed {seed} of {seeds}", file=sys.stderr, flush=True)
    return none, nine


def forests(given: Given) -> tuple[np.ndarray, np.ndarray]:
    """Shares (R, C) on plain features, likewise."""
    plain = given.encoder(ENCODERS[PLAIN], 0)
    generated, told = given.rows(plain, given.generated), []
    grown = grow(generated.x, generated.y, 0, trees=TREES_OF_MANY)
    none = shares_of(grown, given.rows(plain, given.real).x, given.task.n_classes)
    for uid in given.real:
        others = given.rows(plain, [each for each in given.real if each != uid])
        both = mixed(generated, others, SHARE, 0, TREES_OF_MANY)
        told.append(shares_of(both, given.rows(plain, [uid]).x, given.task.n_classes))
    return none, np.concatenate(told)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", type=Path)
    parser.add_argument("--seeds", type=int, default=3, help="of pretraining and learning")
    parser.add_argument("--solids", type=int, help="generated parts that are labelled; all, if not given")
    parser.add_argument("--steps", type=int, default=2400, help="of learning from these")
    options = parser.parse_args()
    torch.set_num_threads(1)
    given, names = given_parts(Study(options.study))
    every = labelled_order([*given.material.labelled, *given.material.beside], 0)
    given = replace(given, generated=every[: options.solids])
    asked = given.rows(given.encoder(ENCODERS[PLAIN], 0), given.real)

    runs: Runs = {}
    learned = zip(forests(given), networks(given, options.seeds, options.steps), strict=True)
    for labels, (forest, shares) in zip(("generated", "generated and real"), learned, strict=True):

        def tell(row: str, *each_seed: np.ndarray, labels: str = labels) -> None:
            runs[labels, row] = [[(asked.y, share.argmax(1), asked.part)] for share in each_seed]

        tell(f"{PLAIN}, forest", forest)
        for name, seeds in shares.items():
            tell(f"network, {name}", *seeds)
            tell(f"network, {name}, {TOGETHER}", np.sum(seeds, 0))
            tell(f"network, {name}, {TOGETHER}, {AND_FOREST}", np.mean(seeds, 0) + forest)
        of_all = [share for seeds in shares.values() for share in seeds]
        tell(f"networks, both, {TOGETHER}", np.sum(of_all, 0))
        tell(f"networks, both, {TOGETHER}, {AND_FOREST}", np.mean(of_all, 0) + forest)
    title = f"{len(given.real)} real parts, {len(given.generated)} generated ones, {options.steps} steps"
    table(f"{title}, {options.seeds} seeds", rows_of(runs, names))


if __name__ == "__main__":
    main()
