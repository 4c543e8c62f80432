"""Stage `release`: the encoder to hand on, with what it was made from and what it scores -> release/ of the study."""

import json
import shutil

from brep_mae.report.tables import Table, percent, summarise
from brep_mae.training.checkpoint import CONFIG, WEIGHTS, sha256
from pipelines.transfer.plan import ROWS, SETS, SOURCES, STUDY, plan

NAME, ARMS = "all", ("nothing_less", "tuned")
OUT = STUDY / "release"


def main() -> None:
    todo = plan()
    source, folder = todo.sources[NAME], SOURCES / NAME
    OUT.mkdir(parents=True, exist_ok=True)
    for file in (CONFIG, WEIGHTS):
        shutil.copyfile(folder / file, OUT / file)
    data = []
    for name in source.sets:
        about = json.loads((SETS / name / "dataset.json").read_text())
        report = json.loads((SETS / name / "report.json").read_text())
        kind = todo.sets[name].generate
        origin = "github.com/hducg/MFCAD" if kind is None else f"generated, {kind.kind}, seed {kind.seed}"
        data.append([name, origin, about["licence"], str(report["files"]), about["digest"][:16]])
    rows = [
        json.loads(line) for file in sorted(ROWS.glob("*_ablation.jsonl")) for line in file.read_text().splitlines()
    ]
    scores = [
        [r["target"].removesuffix("_ablation"), r["encoder"], str(r["shots"]), percent(r["micro_mean"], r["micro_sd"])]
        for r in summarise([row for row in rows if row["encoder"] in ARMS], ("target", "encoder", "shots"), ("micro",))
    ]
    made = Table("Pretrained on", ["data set", "origin", "licence", "files", "digest"], data, "No label was read.")
    scored = Table("Right faces of the test solids", ["target", "arm", "labelled solids", "in %"], scores)
    text = (
        f"# An encoder of face graphs\n\nMethod `{source.method}`, preset `methods.{source.method}`. "
        f"`brep_mae.training.checkpoint.load_backbone(folder)` opens it.\n\n`{WEIGHTS}`: "
        f"{(OUT / WEIGHTS).stat().st_size / 1e6:.2f} MB, SHA-256 `{sha256(OUT / WEIGHTS)}`. Licence of the weights: "
        f"Apache-2.0.\n\n{made.markdown()}\n{scored.markdown()}"
    )
    (OUT / "README.md").write_text(text)


if __name__ == "__main__":
    main()
