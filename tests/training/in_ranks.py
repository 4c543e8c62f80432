"""Trains small methods, in double precision unless another is named: alone, or as one of the processes that torchrun
would start."""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch

from brep_mae import ranks
from brep_mae.datasets.shards import open_shards
from brep_mae.settings import PretrainParams
from brep_mae.training.loop import train
from tests.contracts.test_methods import small
from tests.double import Double
from tests.stored import solids

SPEED = ("steps_per_s", "solids_per_s", "seconds")
STEPS, FEW = 50, 3
"""Steps of `mae_faces`, and of every other method."""
OWN: dict[str, dict[str, Any]] = {
    "mae_images": {"augment": {"crop": 0.5, "flip": True}},
    "st_mae": {"sampler": "tube"},
    "i_mae": {"same_prob": 0.5},
    "mlo_mae_faces": {"batch": 2},
    "mlo_mae_images": {"batch": 2},
}
"""What methods are asked for beyond their defaults, so that more of them is compared; three solids judge a mask here,
and a batch that divides has no more."""
PARAMS = PretrainParams(seed=3, log_every=1, checkpoint_every=5, weight_decay=0.05, clip_norm=1.0, warmup=0.2)


def steps_of(name: str) -> int:
    return STEPS if name == "mae_faces" else FEW


def main(data: Path, out: Path, names: list[str], slowly: bool, precision: str) -> None:
    params = PARAMS.model_copy(update={"precision": precision or "fp32"})
    if not precision:
        torch.set_default_dtype(torch.float64)
    uids = list(open_shards(data / "parsed").uids)
    with ranks.joined():
        for name in names:
            torch.manual_seed(0)
            pretext = small(name, **{"steps": steps_of(name), "batch": 4} | OWN.get(name, {}))
            for module in pretext.modules():
                if isinstance(module, torch.nn.Dropout):
                    module.p = 0.0  # each process draws its own
            samples, heldout = (solids(data, part, *pretext.reads) for part in (uids[:12], uids[12:]))
            out.mkdir(parents=True, exist_ok=True)
            with (out / f"{name}.jsonl" if ranks.rank() == 0 else Path(os.devnull)).open("a") as file:

                def report(row: dict[str, Any], file: Any = file) -> None:
                    told = {key: value for key, value in row.items() if key not in SPEED}
                    print(json.dumps(told), file=file, flush=True)
                    time.sleep(0.05 if slowly else 0)

                state, cpu = out / f"{name}.pt", torch.device("cpu")
                if precision:
                    train(pretext, samples, heldout, params, state, report, cpu)
                else:
                    train(pretext.double(), Double(samples), Double(heldout), params, state, report, cpu)


if __name__ == "__main__":
    options = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    named = next((each for each in ("bf16", "fp32") if f"--{each}" in sys.argv), "")
    main(Path(options[0]), Path(options[1]), options[2:], "--slowly" in sys.argv, named)
