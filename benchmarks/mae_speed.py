"""Images per second of an MAE step: against the official implementation, and against all tokens in the encoder.

Every ratio is taken between neighbours in time: the contestants take turns, a few steps each, and the median over the
rounds is told, so that whatever else the machine does falls on all of them alike.

    git clone https://github.com/facebookresearch/mae ../mae
    python -m benchmarks.mae_speed --official ../mae --images ../shared/data/cifar10.tar
    python -m benchmarks.mae_speed --official ../mae --images IMAGES --model vit_b16 --batch 256 --device cuda
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.official_mae import official, official_adamw, ours, take_weights
from brep_mae.composition.masked import MaskedPretext
from brep_mae.composition.optim import adamw
from brep_mae.composition.pretext import Pretext
from brep_mae.datasets.batch import Batch
from brep_mae.datasets.images import Images, store_images
from brep_mae.seeds import generator
from brep_mae.settings import OptimParams, SizeParams

RATIO = 0.75
MODELS = {
    # `default` is what params.yaml trains; the others have 14 x 14 patches, and `tiny` keeps ViT-L's proportion between
    # encoder and decoder.
    "default": (64, 8, SizeParams(dim=64, depth=3, heads=4), SizeParams(dim=64, depth=2, heads=4)),
    "tiny": (112, 8, SizeParams(dim=192, depth=12, heads=3), SizeParams(dim=128, depth=2, heads=4)),
    "vit_b16": (224, 16, SizeParams(dim=768, depth=12, heads=12), SizeParams(dim=512, depth=8, heads=16)),
}
Step = Callable[[], None]


def training_step(loss: Callable[[], torch.Tensor], optimizer: torch.optim.Optimizer, device: torch.device) -> Step:
    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            value = loss()
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        optimizer.step()

    return step


def all_tokens(pretext: Pretext, batch: Batch) -> torch.Tensor:
    """The same encoder, decoder and target, with every token in the encoder."""
    assert isinstance(pretext, MaskedPretext)
    tokens, target = pretext.tokens(batch), pretext.targets["pixels"]
    mask, role = pretext.mask(tokens, generator(0)), torch.zeros(len(tokens.valid), dtype=torch.long)
    codes = pretext.decoder(pretext.encoder(tokens), tokens)
    selection = target.select(codes, tokens, mask, role.to(codes.device))
    return target(selection, batch)["pixels"].error.mean()


def encoder_alone(pretext: Pretext, batch: Batch) -> torch.Tensor:
    """The encoder on every token and nothing behind it."""
    parts = dict(pretext.named_children())
    return parts["encoder"](parts["tokens"](batch)).x.square().mean()


def timed(steps: dict[str, Step], rounds: int, per_round: int, device: torch.device) -> dict[str, list[float]]:
    """Seconds per step of every contestant in every round; who goes first changes."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(-1, rounds):  # the first round warms up
        for name in list(steps) if number % 2 else reversed(list(steps)):
            began = time.perf_counter()
            for _ in range(per_round):
                steps[name]()
            if device.type == "cuda":
                torch.cuda.synchronize()
            if number >= 0:
                seconds[name].append((time.perf_counter() - began) / per_round)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--official", type=Path, required=True, help="folder of facebookresearch/mae")
    parser.add_argument("--images", type=Path, required=True, help="folder or archive of images")
    parser.add_argument("--model", choices=sorted(MODELS), default="tiny")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--per-round", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    device = torch.device(args.device)
    image, patch, size, decoder = MODELS[args.model]

    with tempfile.TemporaryDirectory() as work:
        data = Images(store_images(args.images, image, 4 * args.batch + 64, 0.1, 0.1, Path(work)), "train")
        batch = data.at_step(0, 0, args.batch).to(device)
        assert batch.frames is not None
        pixels = batch.frames.image[:, 0].contiguous()
        torch.manual_seed(0)
        theirs = official(args.official, image, patch, size, decoder).to(device)
        mine, full, alone = (ours(image, patch, size, decoder, RATIO).to(device) for _ in range(3))
        take_weights(mine, theirs)
        drawn = iter(range(10**9))
        optim = OptimParams()
        steps = {
            "official": training_step(lambda: theirs(pixels, RATIO)[0], official_adamw(theirs, 1e-4, 0.05), device),
            "ours": training_step(
                lambda: mine(batch, generator(next(drawn)))["loss"], adamw(mine, 1e-4, optim), device
            ),
            "ours, all tokens in the encoder": training_step(
                lambda: all_tokens(full, batch), adamw(full, 1e-4, optim), device
            ),
            "ours, the encoder alone on all tokens": training_step(
                lambda: encoder_alone(alone, batch),
                torch.optim.AdamW(alone.get_submodule("encoder").parameters(), 1e-4),
                device,
            ),
        }
        seconds = timed(steps, args.rounds, args.per_round, device)
        began = time.perf_counter()
        for step in range(20):
            data.at_step(1, step, args.batch)
        load = (time.perf_counter() - began) / 20

    def ratio(slow: str, fast: str) -> dict[str, float]:
        each = [a / b for a, b in zip(seconds[slow], seconds[fast], strict=True)]
        return {"median": statistics.median(each), "least": min(each), "most": max(each)}

    step_s = statistics.median(seconds["ours"])
    result = {
        "model": args.model,
        "batch": args.batch,
        "device": torch.cuda.get_device_name() if device.type == "cuda" else f"cpu, {torch.get_num_threads()} threads",
        "images_per_s": {name: args.batch / statistics.median(values) for name, values in seconds.items()},
        "ours_over_official": ratio("official", "ours"),
        "hidden_over_all_tokens": ratio("ours, all tokens in the encoder", "ours"),
        "hidden_over_encoder_alone": ratio("ours, the encoder alone on all tokens", "ours"),
        "loader_share_of_a_step": load / (load + step_s),
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
