"""How many steps do M3AE and i-MAE need until what their papers promise is seen on validation solids?

    python -m benchmarks.claims_steps          (in a checkout in which `dvc repro` has run)

The steps of both in `params.yaml` are chosen from this table, which no test solid enters; stage `claims` then scores
the networks once, on the test solids.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import torch

from benchmarks.compare import table
from brep_mae import settings
from brep_mae.checkpoints.backbones import load_backbone
from brep_mae.composition.pretext import Pretext, build
from brep_mae.evaluation.cross_modal import cross_modal_gain
from brep_mae.evaluation.separability import separability
from brep_mae.training.loop import train
from pipelines.claims import PLAIN, SEED, images
from pipelines.shared.parsed_dataset import ParsedDataset, parsed_dataset
from pipelines.shared.places import MODELS

SHARE = 0.3
"""Of the weaker image in a blend."""


def trained(method: str, steps: int, data: ParsedDataset) -> Pretext:
    """The method of `params.yaml`, but for its steps."""
    params = settings.load()
    torch.manual_seed(params.pretrain.seed)
    pretext = build(method, params.methods[method] | {"steps": steps}, data.spec)
    solids, heldout = (data.solids(pretext.reads, side) for side in ("train", "validation"))
    budget = params.pretrain.model_copy(update={"log_every": steps, "checkpoint_every": steps})
    with tempfile.TemporaryDirectory() as folder:
        train(pretext, solids, heldout, budget, Path(folder) / "state.pt", lambda _: None, torch.device("cpu"))
    return pretext.eval()


def m3ae(steps: int, data: ParsedDataset) -> dict[str, str]:
    model = trained("m3ae", steps, data)
    gains = cross_modal_gain(model, data.solids(model.reads, "validation"), SEED, "uvgrid", "pixels")  # type: ignore[arg-type]
    return {kind: f"{100 * (1 - g.own.mean() / g.other.mean()):+.1f} % (p {g.p:.1g})" for kind, g in gains.items()}


def i_mae(steps: int, data: ParsedDataset) -> dict[str, str]:
    encoder, plain = trained("i_mae", steps, data).backbone().eval(), load_backbone(MODELS / PLAIN)
    ratio = settings.load().methods["i_mae"]["mask_ratio"]
    choose, score = images(data, "validation").chunk(2)
    sides = images(data, "train"), choose, score
    found: dict[str, Any] = {"i-MAE": encoder, "plain MAE": plain}
    weaker = {}
    for name, one in found.items():
        rows = separability(one, plain, sides, SHARE, ratio, SEED)  # type: ignore[arg-type]
        weaker[name] = next(row.r2 for row in rows if row.level == "token" and row.role == "subordinate")
    return {f"R2 of the weaker image, {name}": f"{r2:.3f}" for name, r2 in weaker.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--m3ae", type=int, nargs="*", default=[200, 300, 400, 600])
    parser.add_argument("--i-mae", type=int, nargs="*", default=[300, 600, 900, 1200])
    asked, data = parser.parse_args(), parsed_dataset()
    for name, measure, every in (("m3ae", m3ae, asked.m3ae), ("i_mae", i_mae, asked.i_mae)):
        table(f"{name}, validation solids", [{"steps": str(steps)} | measure(steps, data) for steps in every])


if __name__ == "__main__":
    main()
