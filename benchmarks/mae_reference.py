"""MAE against its official implementation, which runs beside it and is not part of this repository.

First from the same initial weights, on the same images and masks: the largest difference of the two losses over the
first steps. Then each from initial weights and masks of its own, for some seeds: the two curves and their spread.

    git clone https://github.com/facebookresearch/mae ../mae
    python -m benchmarks.mae_reference --official ../mae --images ../shared/data/cifar10.tar
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks.official_mae import official, official_adamw, official_lr, ours, take_weights
from brep_mae.composition.optim import adamw
from brep_mae.datasets.batch import Batch
from brep_mae.datasets.images import Images, store_images
from brep_mae.seeds import generator
from brep_mae.settings import OptimParams, SizeParams
from brep_mae.tokens.patches import standardised

IMAGE, PATCH, RATIO = 32, 4, 0.75
SIZE, DECODER = SizeParams(dim=96, depth=4, heads=3), SizeParams(dim=64, depth=2, heads=4)
LR, DECAY, WARMUP_EPOCHS, EPOCHS = 1.5e-4 * 8, 0.05, 1.0, 10.0
"""The recipe's schedule, with a base rate for few steps: 8 x its 1.5e-4."""
AGREE = 1e-4


def images(data: Images, seed: int, step: int, batch: int) -> tuple[torch.Tensor, Batch]:
    """Colours (B, 3, H, W) standardised before the official model, which leaves that to its loader, and the batch that
    holds the same images for ours, which does it itself."""
    drawn = data.at_step(seed, step, batch)
    assert drawn.frames is not None
    return standardised(drawn.frames.image[:, 0]), drawn


def step_of(optimizer: torch.optim.Optimizer, loss: torch.Tensor, lr: float) -> float:
    for group in optimizer.param_groups:
        group["lr"] = lr
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return float(loss.detach())


def curves(path: Path, data: Images, steps: int, batch: int, seeds: tuple[int, int], same: bool) -> np.ndarray:
    """Losses (2, steps) of the official model and ours; `same` True = weights and masks are shared."""
    torch.manual_seed(seeds[0])
    theirs: nn.Module = official(path, IMAGE, PATCH, SIZE, DECODER)
    torch.manual_seed(seeds[1])
    mine = ours(IMAGE, PATCH, SIZE, DECODER, RATIO)
    if same:
        take_weights(mine, theirs)
    optimizers = official_adamw(theirs, LR, DECAY), adamw(mine, LR, OptimParams(weight_decay=DECAY))
    per_epoch = len(data) // batch
    losses = np.zeros((2, steps))
    for step in range(steps):
        lr = official_lr(path, step, per_epoch, LR, WARMUP_EPOCHS, EPOCHS)
        for i, seed in enumerate(seeds):
            pixels, drawn = images(data, 0 if same else seed, step, batch)
            if i == 0:
                # The official model draws its masks from the global generator: both get the same numbers.
                torch.random.set_rng_state(generator(seed, step).get_state())
                loss = theirs(pixels, RATIO)[0]
            else:
                loss = mine(drawn, generator(seed, step))["loss"]
            losses[i, step] = step_of(optimizers[i], loss, lr)
    return losses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--official", type=Path, required=True, help="folder of facebookresearch/mae")
    parser.add_argument("--images", type=Path, required=True, help="folder or archive of images")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=50, help="from the same weights and masks")
    parser.add_argument("--long", type=int, default=400, help="from weights and masks of their own; 0 = leave out")
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        data = Images(store_images(args.images, IMAGE, 6000, 0.1, 0.1, Path(work)), "train")
        same = curves(args.official, data, args.steps, args.batch, (0, 0), same=True)
        gap = float(abs(same[0] - same[1]).max())
        ends = {
            name: {"first": curve[0], "last": curve[-1]} for name, curve in zip(("official", "ours"), same, strict=True)
        }
        print(json.dumps({"images": len(data), "same_weights": ends, "largest_difference": gap}, indent=1), flush=True)
        if args.long:
            runs = np.stack(
                [
                    curves(args.official, data, args.long, args.batch, (s, 100 + s), same=False)
                    for s in range(args.seeds)
                ]
            )
            tenth = max(1, args.long // 10)
            tail = runs[:, :, -tenth:].mean(2)
            own = {
                "official_last_tenth": tail[:, 0].mean(),
                "ours_last_tenth": tail[:, 1].mean(),
                "official_spread": tail[:, 0].std(ddof=1) if args.seeds > 1 else float("nan"),
                "ours_spread": tail[:, 1].std(ddof=1) if args.seeds > 1 else float("nan"),
                "curves_of_seeds": runs[:, :, ::tenth].round(4).tolist(),
            }
            print(
                json.dumps({"own_weights, last tenth": {k: np.asarray(v).tolist() for k, v in own.items()}}, indent=1)
            )
    if gap > AGREE:
        raise SystemExit(f"the two implementations differ by more than {AGREE}")


if __name__ == "__main__":
    main()
