"""Stage `pretrain`: one method on the training solids -> models/METHOD (backbone, history, metrics, reconstruction)."""

import json
import resource
import shutil
import sys
import time
from typing import Any

import numpy as np
import torch

from brep_mae import settings
from brep_mae.pretext.pretext import build
from brep_mae.progress import progress
from brep_mae.report import figures
from brep_mae.training import tracking
from brep_mae.training.checkpoint import WEIGHTS, save_backbone, sha256
from brep_mae.training.loop import train
from pipelines.picture import picture
from pipelines.stored import MODELS, stored, work_folder


def main(method: str) -> None:
    params = settings.load()
    data = stored()
    values = params.methods.get(method, {})
    torch.manual_seed(params.pretrain.seed)
    pretext = build(method, values, data.facts)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    solids, heldout = (data.solids(pretext.reads, side) for side in ("train", "validation"))
    work = work_folder("pretrain", method, values, params.pretrain.model_dump(), data.digest)
    flat = settings.flat({"method": method, "methods": {method: values}, "pretrain": params.pretrain})
    flat = {key.replace(f"methods.{method}.", "method."): value for key, value in flat.items()}
    facts = {"data.digest": data.digest, "data.train": len(solids), "device": device.type, "seed": params.pretrain.seed}

    with tracking.run("pretrain", method, flat | facts) as tracker, progress(pretext.params.steps, method) as bar:
        began = time.perf_counter()

        def report(row: dict[str, float | str]) -> None:
            step = int(row["step"])
            terms = {f"{row['split']}/{k}": float(v) for k, v in row.items() if k not in ("step", "split")}
            tracker.log_metrics(terms, step=step)
            bar(step, f"{row['split']} loss {row['loss']:.3f}")

        history = train(pretext, solids, heldout, params.pretrain, work / "state.pt", report, device)
        minutes = (time.perf_counter() - began) / 60

        out = MODELS / method
        out.mkdir(parents=True, exist_ok=True)
        pretext.cpu().eval()
        save_backbone(out, pretext.backbone(), method, values, data.facts, data.digest)
        (out / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in history))
        last = {str(k): v for k, v in history[-1].items() if k not in ("step", "split")}
        (out / "metrics.json").write_text(json.dumps({"heldout": last}, indent=1) + "\n")

        arrays: dict[str, Any] = dict(picture(pretext, heldout, params.pretrain.seed))
        np.savez_compressed(out / "reconstruction.npz", **arrays)
        if (figure := figures.reconstruction(out / "reconstruction.npz")) is not None:
            tracker.log_figure(figure, "figures/reconstruction.png")
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        final = {f"final/{k}": float(v) for k, v in last.items()} | {"minutes": minutes, "peak_mb": peak_mb}
        tracker.log_metrics(final, step=pretext.params.steps)
        tracker.set_tags({"ckpt_sha256": sha256(out / WEIGHTS)})
        tracker.log_model(out, name=method, metrics=final)
    shutil.rmtree(work)


if __name__ == "__main__":
    main(sys.argv[1])
