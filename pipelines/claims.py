"""Stage `claims`: what a method's paper promises of it, measured on the trained networks -> results/claims.json.

M3AE (Geng et al. 2022, arXiv:2205.14204): faces and frames of the same solid help to predict one another. i-MAE (Zhang
et al. 2022, arXiv:2210.11470): the latent of a blend is linearly separable, more so than a plain MAE's. No labels are
read. A method that is not among the models is left out.
"""

import json
from collections.abc import Callable
from typing import Any

import torch

from brep_mae.checkpoints.backbones import WEIGHTS, load_backbone, new_backbone
from brep_mae.checkpoints.pretexts import WHOLE, load_pretext
from brep_mae.evaluation.cross_modal import cross_modal_gain
from brep_mae.evaluation.separability import separability
from brep_mae.output.files import write_whole
from brep_mae.output.folder import output_file
from brep_mae.output.note import sha256
from brep_mae.tracking import tracking
from pipelines.shared.parsed_dataset import ParsedDataset, parsed_dataset
from pipelines.shared.places import MODELS, RESULTS
from pipelines.shared.stage import run_stage

SEED = 0
PLAIN = "mae_images"
"""The method whose encoder is i-MAE's teacher and its control."""
SHARES = (0.2, 0.3, 0.5)
"""Shares of the subordinate image in a blend."""
SOLIDS = 160
"""Solids of a side at most whose frames are blended; with 4 frames each about 640 images to fit and to score."""

Numbers = dict[str, Any]


def m3ae(data: ParsedDataset) -> Numbers:
    """Loss of hidden faces with the solid's own frame and with another solid's, and of hidden patches likewise, paired
    over the test solids."""
    model = load_pretext(MODELS / "m3ae")
    gains = cross_modal_gain(model, data.solids(model.reads, "test"), SEED, "uvgrid", "pixels")  # type: ignore[arg-type]
    return {key: value for kind, gain in gains.items() for key, value in gain.summary(kind).items()}


def i_mae(data: ParsedDataset) -> Numbers:
    """share -> level -> role -> R2 of i-MAE's encoder, of the plain MAE, of an untrained encoder, and of i-MAE's after
    a fit to other images. A teacher and a control at once, the plain MAE is asked about its own features."""
    folder, teacher = MODELS / "i_mae", load_backbone(MODELS / PLAIN)
    torch.manual_seed(SEED)
    encoders = {"i_mae": load_backbone(folder), "plain_mae": teacher, "untrained": new_backbone(folder)}
    ratio = json.loads((folder / "config.json").read_text())["params"]["mask_ratio"]
    sides = tuple(images(data, side) for side in ("train", "validation", "test"))
    found: Numbers = {"images": dict(zip(("fit", "choose", "score"), map(len, sides), strict=True))}
    for share in SHARES:
        levels: Numbers = found.setdefault(f"share_{share}", {})
        for name, encoder in encoders.items():
            for row in separability(encoder, teacher, sides, share, ratio, SEED):  # type: ignore[arg-type]
                role = levels.setdefault(row.level, {}).setdefault(row.role, {})
                role[name] = row.r2
                if name == "i_mae":
                    role["shuffled"] = row.r2_shuffled
    return found


def images(data: ParsedDataset, side: str) -> torch.Tensor:
    """(N, 3, H, W) of a side: first frames of all solids, then second ones, so that neighbours are different solids."""
    frames = next(data.solids(frozenset({"frames"}), side).first(SOLIDS).in_order(SOLIDS)).frames
    assert frames is not None
    return frames.image.transpose(0, 1).flatten(0, 1)


CLAIMS: dict[str, tuple[Callable[[ParsedDataset], Numbers], tuple[str, ...]]] = {
    "m3ae": (m3ae, (f"m3ae/{WHOLE}",)),
    "i_mae": (i_mae, (f"i_mae/{WEIGHTS}", f"{PLAIN}/{WEIGHTS}")),
}
"""Name -> measurement, and the files below models that it reads."""


def leaves(tree: Numbers, prefix: str = "") -> dict[str, float]:
    """Nested numbers with their path as their name."""
    flat: dict[str, float] = {}
    for key, value in tree.items():
        flat |= leaves(value, f"{prefix}{key}/") if isinstance(value, dict) else {f"{prefix}{key}": float(value)}
    return flat


def main() -> None:
    data, found = parsed_dataset(), Numbers()
    about = {"data.digest": data.digest, "seed": SEED}
    with output_file(RESULTS / "claims.json"), tracking.run("claims", "claims", about, description=__doc__) as tracker:
        for name, (measure, files) in CLAIMS.items():
            if missing := [f"{MODELS / file}" for file in files if not (MODELS / file).is_file()]:
                print(f"claims: {name} is left out, for {', '.join(missing)} is missing: pretrain it first")
                continue
            found[name] = measure(data)
            tracker.set_tags({f"ckpt_sha256.{file}": sha256(MODELS / file) for file in files})
        write_whole(RESULTS / "claims.json", json.dumps(found, indent=1) + "\n")
        tracker.log_metrics(leaves(found))


if __name__ == "__main__":
    run_stage(main)
