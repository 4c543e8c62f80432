"""Stage `release`: an encoder to hand on, what it was made from and what it scores -> release/NAME of the study.

Those that come with the package, in brep_mae/checkpoints/shipped, are copies less the README: `label_free` of `all`,
`generated_labels` of `modelled_labels`.
"""

import json
import shutil
import sys
from pathlib import Path

from brep_mae import schema
from brep_mae.checkpoints.backbones import CONFIG, WEIGHTS
from brep_mae.checkpoints.listed import CARD
from brep_mae.output.folder import output_folder
from brep_mae.output.note import sha256
from brep_mae.report.tables import Table, percent, summarise
from pipelines.shared.stage import run_stage
from pipelines.studies.transfer.plan import Study
from pipelines.studies.transfer.tables import DIGITS

Data = list[list[str]]
"""Of every data set: name, origin, licence, number of files, and digest."""


def made_of(study: Study, names: list[str]) -> Data:
    """Of those of the data sets that are there."""
    data = []
    for each in names:
        if study.absent(each):
            continue
        about = json.loads((study.sets / each / "dataset.json").read_text())
        report = json.loads((study.sets / each / "report.json").read_text())
        kind = study.plan().sets[each].generate
        origin = "github.com/hducg/MFCAD" if kind is None else f"generated, {kind.kind}, seed {kind.seed}"
        data.append([each, origin, about["licence"], str(report["files"]), about["digest"][:16]])
    return data


def write_card(folder: Path, data: Data, labels: str, digest: str, scores: dict[str, float]) -> None:
    """What `brep-mae models` tells of a model.

    Args:
        labels: which were read.
        digest: SHA-256 of the file that the card is of.
    """
    card = {
        "schema": schema.VERSION,
        "trained_on": "; ".join(f"{origin} ({files} files)" for _, origin, _, files, _ in data),
        "labels": labels,
        "licence": "weights Apache-2.0; data " + ", ".join(sorted({licence for _, _, licence, _, _ in data})),
        "sha256": digest,
        "scores": {name: round(value, 3) for name, value in scores.items()},
    }
    (folder / CARD).write_text(json.dumps(card, indent=1, sort_keys=True) + "\n")


def main(folder: str, name: str) -> None:
    study = Study(Path(folder))
    todo = study.plan()
    source = todo.sources[name]
    data = made_of(study, source.sets)
    arms = [arm for arm, what in todo.arms.items() if name in what.encoders]
    rows = [json.loads(line) for file in sorted(study.rows.glob("*.jsonl")) for line in file.read_text().splitlines()]
    scores = [
        [r["target"], r["encoder"], str(r["shots"]), percent(r["micro_mean"], r["micro_sd"], DIGITS)]
        for r in summarise([r for r in rows if r["encoder"] in arms], ("target", "encoder", "shots"), ("micro",))
    ]
    read = "The labels that the generator wrote were read." if source.labels else "No label was read."
    made = Table("Pretrained on", ["data set", "origin", "licence", "files", "digest"], data, read)
    header = ["target", "arm of params.yaml", "labelled solids", "in %"]
    scored = Table("Right faces, or solids, of the test side", header, scores)
    weights = study.model_of(name, 0) / WEIGHTS
    text = (
        f"# An encoder of face graphs\n\nSource `{name}` of the transfer study, made again by `make transfer`; preset "
        f"`methods.{source.method}`. `brep_mae.checkpoints.backbones.load_backbone(folder)` opens it.\n\n`{WEIGHTS}`: "
        f"{weights.stat().st_size / 1e6:.2f} MB, SHA-256 `{sha256(weights)}`. Licence of the weights: "
        f"Apache-2.0.\n\n{made.markdown()}\n{scored.markdown()}"
    )
    heldout = json.loads((study.model_of(name, 0) / "metrics.json").read_text())["heldout"]
    predicted = {f"held-out {term}": value for term, value in heldout.items() if term != "skipped"}
    with output_folder(study.folder / "release" / name) as claim, claim.filled() as new:
        write_card(new, data, read, sha256(weights), predicted)
        for file in (CONFIG, WEIGHTS):
            shutil.copyfile(study.model_of(name, 0) / file, new / file)
        (new / "README.md").write_text(text)


if __name__ == "__main__":
    run_stage(main, *sys.argv[1:])
