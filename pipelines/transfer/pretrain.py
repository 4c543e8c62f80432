"""Stage `source`: one pretraining of the study -> models/NAME of the study."""

import json
import sys
from pathlib import Path

import torch

from brep_mae import settings
from brep_mae.datasets.images import Images, store_images
from brep_mae.datasets.loader import Samples
from brep_mae.datasets.together import InTurn, Together
from brep_mae.output_folder import Claim, output_folder
from brep_mae.pretext.pretext import Facts, build
from brep_mae.pretext.supervised import Supervised
from brep_mae.progress import progress
from brep_mae.training import tracking
from brep_mae.training.checkpoint import WEIGHTS, save_backbone, sha256
from brep_mae.training.loop import train
from pipelines.cost import Costs
from pipelines.stage import run_stage
from pipelines.transfer.plan import SOURCES, plan, stored_set
from pipelines.unfinished import WORK, unfinished

IMAGES_HELD_OUT = 0.02
"""Share of the natural images; they teach, and are never scored."""


def with_images(path: str, size: int, data: Samples, heldout: Samples) -> tuple[Samples, Samples, str]:
    """Both, in turn with natural images, and a digest of these."""
    folder = store_images(Path(path), size, 0, IMAGES_HELD_OUT, 0.0, WORK)
    natural = Images(folder, "train")
    return InTurn([data, natural]), InTurn([heldout, Images(folder, "validation")]), natural.about.digest


def main(name: str) -> None:
    with output_folder(SOURCES / name) as claim:
        pretrain(name, claim)


def pretrain(name: str, claim: Claim) -> None:
    """Trains, or goes on where a run was cut off, and fills the output."""
    todo = plan()
    source = (todo.sources | todo.taught)[name]
    values = todo.methods[source.method]
    sizes = {drawn.size for each in source.sets if (drawn := todo.sets[each].render) is not None}
    facts = Facts(grid=todo.parse.grid, frame=max(sizes, default=0))
    torch.manual_seed(todo.pretrain.seed)
    pretext = build(source.method, values, facts)
    sets = [stored_set(each, "frames" in pretext.reads) for each in source.sets]

    def side(which: str) -> Together:
        return Together([(s.solids(pretext.reads, which), len(s.face_classes), len(s.part_classes)) for s in sets])

    solids = side("train")
    data: Samples = solids
    heldout: Samples = side("validation")
    digest = "+".join(each.digest for each in sets)
    if source.images:
        data, heldout, natural = with_images(source.images, facts.frame, data, heldout)
        digest += f"+{natural}"
    if source.labels:
        digest += "+" + "+".join(each.labels_digest for each in sets)
        pretext = Supervised(pretext.params, pretext.backbone(), solids.face_classes, solids.part_classes)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    inputs = name, source.model_dump(), values, todo.pretrain.model_dump(), digest
    flat = settings.flat({"source": source, "method": values, "pretrain": todo.pretrain})
    with (
        unfinished("transfer.pretrain", claim.out, *inputs) as work,
        tracking.run("transfer", name, flat) as tracker,
        progress(pretext.params.steps, name) as bar,
    ):
        costs = Costs(work / "costs.json")

        def report(row: dict[str, float | str]) -> None:
            step, terms = int(row["step"]), {k: float(v) for k, v in row.items() if k not in ("step", "split")}
            if row["split"] == "train":
                costs.add(step, row)
            tracker.log_metrics({f"{row['split']}/{k}": v for k, v in terms.items()}, step=step)
            bar(step, f"{row['split']} loss {row['loss']:.3f}")

        history = train(pretext, data, heldout, todo.pretrain, work / "state.pt", report, device)
        with claim.filled() as new:
            save_backbone(new, pretext.cpu().eval().backbone(), source.method, values, facts, digest)
            cost = costs.total(pretext) | {"weights_mb": (new / WEIGHTS).stat().st_size / 1e6}
            (new / "cost.json").write_text(json.dumps(cost, indent=1) + "\n")
            (new / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in history))
            tracker.log_metrics({f"cost/{k}": v for k, v in cost.items()}, step=pretext.params.steps)
            tracker.set_tags({"ckpt_sha256": sha256(new / WEIGHTS)})


if __name__ == "__main__":
    run_stage(main, sys.argv[1])
