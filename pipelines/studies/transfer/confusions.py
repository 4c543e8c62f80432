"""Stage `confusions`: what an encoder that never saw a label of MFCAD gets wrong there -> confusions of the study."""

import json
import sys
from pathlib import Path

import numpy as np

from brep_mae.evaluation.metrics import confusion
from brep_mae.evaluation.problem import Problem, Rows, features_of, in_batches, labelled_order, tasks
from brep_mae.fewshot.fewshot import head
from brep_mae.output.folder import output_folder
from brep_mae.report.confusions import Mistaken, drawn, matrix
from brep_mae.schema import POINT
from pipelines.shared.stage import run_stage
from pipelines.studies.transfer.fewshot import encoder, material, tuned
from pipelines.studies.transfer.plan import Study

TARGET, ARM, SHOWN = "mfcad_zero", "hops_forest", 12


def main(folder: str) -> None:
    study = Study(Path(folder))
    todo, out = study.plan(), study.folder / "confusions"
    target, arm = todo.targets[TARGET], todo.arms[ARM]
    if left_out := study.absent(target.set):
        print(f"left out, as {left_out[0]} is not there")
        out.mkdir(parents=True, exist_ok=True)
        return
    given, names = material(study, TARGET, frames=False), study.stored_set(target.set).face_classes
    task, backbone = tasks(len(names), 0)[0], encoder(study, arm, 0)
    labelled = labelled_order(given.labelled, 0)[: max(target.few)]

    def rows(uids: list[str]) -> Rows:
        batches = in_batches(given.data, uids)
        return Rows(task, batches, features_of(backbone, batches))

    problem = Problem(task, backbone, given.data, lambda: np.zeros((0, backbone.dim)), tuned(todo, target, arm))
    asked = rows(given.test)
    answer = head(arm.mode)(problem, rows(labelled), 0)(asked)
    table = confusion(asked.y, answer, len(names))
    by_solid = np.split(answer, np.flatnonzero(np.diff(asked.part)) + 1)
    mistaken = []
    for uid, found in zip(given.test, by_solid, strict=True):
        faces = given.data.faces(uid)
        truth = faces.label.numpy()
        if (truth != found).any():
            edges = faces.arc_grid[..., POINT].numpy()
            mistaken.append(Mistaken(uid, faces.grid.numpy(), edges, truth, found))
    mistaken.sort(key=lambda solid: -int((solid.truth != solid.answer).sum()))
    right = f"{100 * table.diagonal().sum() / table.sum():.2f} % of {table.sum()} faces"
    title = f"{ARM} on {len(labelled)} generated parts, no label of MFCAD: {right}"
    wrong = [
        {"truth": names[i], "answer": names[j], "faces": int(table[i, j])}
        for i, j in sorted(np.argwhere(table), key=lambda at: -table[tuple(at)])
        if i != j
    ]
    recall = {name: float(table[i, i] / max(table[i].sum(), 1)) for i, name in enumerate(names)}
    about = {"solids_with_a_mistake": len(mistaken), "recall": recall, "wrong": wrong}
    with output_folder(out) as claim, claim.filled() as new:
        matrix(table, names, title).savefig(new / "matrix.png")
        if mistaken:
            drawn(mistaken[:SHOWN], names).savefig(new / "solids.png")
        (new / "confusions.json").write_text(json.dumps(about, indent=1) + "\n")


if __name__ == "__main__":
    run_stage(main, *sys.argv[1:])
