"""What i-MAE's blends teach: latents that come apart, and classes where partners share one (arXiv:2210.11470).

Per seed one plain MAE is trained. It is the teacher and the start of every i-MAE: one without labels, and one for each
share q of pairs of the same class. The plain MAE also goes on alone for as many steps, so that no gain is a longer
training. Of each encoder: the R2 with which a linear map finds either image in the latent of a blend, the same after a
fit to other images, and the accuracy of a linear probe.

Pairs of a class use the labels of the images that train the encoders; the probe is fitted to images that never did, as
are the linear maps, and all is scored on the test images.

    python -m benchmarks.i_mae_semantics --images ../shared/data/cifar10.tar --out semantics.json
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from brep_mae import settings
from brep_mae.checkpoints.backbones import load_backbone, save_backbone
from brep_mae.composition.pretext import DataSpec, build
from brep_mae.datasets.images import Images, store_images
from brep_mae.evaluation.separability import separability
from brep_mae.models.backbone import Backbone
from brep_mae.report.tables import Table, percent, summarise
from brep_mae.seeds import generator
from brep_mae.training.loop import train
from pipelines.shared.jobs import Rows, run_jobs

IMAGE, PATCH, BATCH, LR = 32, 8, 64, 0.003
Q = (0.0, 0.5, 1.0)
SHARES = (0.2, 0.3, 0.5)
SHOWN = 0.3
"""Share of the subordinate image in the printed table; the JSON holds all of SHARES."""
PLAIN, ON = "plain MAE", "plain MAE, trained on"


def values(method: str, steps: int) -> dict[str, Any]:
    """The block of params.yaml for small images: larger patches of them, more in a batch, a rate for few steps."""
    changed = {"steps": steps, "batch": BATCH, "patch": PATCH, "lr": LR}
    own: dict[str, Any] = settings.load().methods[method] | changed
    return own


def trained(method: str, block: dict[str, Any], store: Path, seed: int, work: Path, start: Path | None) -> Backbone:
    """The encoder after the block's steps on the training images.

    Args:
        start: folder of the backbone that training starts from, None = fresh weights.
    """
    torch.manual_seed(seed)
    pretext = build(method, block, DataSpec(grid=8, frame=IMAGE))
    if start is not None:
        pretext.backbone().load_state_dict(load_backbone(start).state_dict())
    data, heldout = (Images(store, side, read=pretext.reads) for side in ("train", "validation"))
    steps = int(block["steps"])
    budget = settings.load().pretrain.model_copy(update={"seed": seed, "log_every": steps, "checkpoint_every": steps})
    train(pretext, data, heldout.thinned(2 * BATCH), budget, work / "state.pt", lambda row: None, torch.device("cpu"))
    backbone = pretext.backbone().eval()
    assert isinstance(backbone, Backbone)
    return backbone


def shuffled(data: Images, seed: int) -> Images:
    """In random order: neighbours by name are of one class, and neighbours are blended."""
    order = torch.randperm(len(data), generator=generator(seed)).tolist()
    data.uids = tuple(data.uids[i] for i in order)
    return data


def images(data: Images, first: int, last: int) -> torch.Tensor:
    """(N, 3, H, W)"""
    frames = data.batch(data.uids[first:last]).frames
    assert frames is not None
    return frames.image[:, 0]


@torch.no_grad()
def features(encoder: Backbone, data: Images) -> np.ndarray:
    return np.concatenate([encoder(batch).solid.numpy() for batch in data.in_order(256)])


def examined(name: str, q: float | None, seed: int, encoder: Backbone, teacher: Backbone, store: Path) -> Rows:
    """One row: accuracy of the probe, and "r2 SHARE LEVEL ROLE" with its shuffled twin."""
    fit, test = shuffled(Images(store, "validation"), seed), shuffled(Images(store, "test"), seed)
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300, tol=1e-3))
    probe.fit(features(encoder, fit), fit.labels())
    accuracy = float(probe.score(features(encoder, test), test.labels()))
    row: dict[str, Any] = {"encoder": name, "q": q, "seed": seed, "probe": accuracy}
    few = len(fit) // 3
    sides = images(fit, 0, 2 * few), images(fit, 2 * few, len(fit)), images(test, 0, 2 * few)
    ratio = settings.load().methods["i_mae"]["mask_ratio"]
    for share in SHARES:
        for s in separability(encoder, teacher, sides, share, ratio, seed):
            row[f"r2 {share} {s.level} {s.role}"] = s.r2
            row[f"shuffled {share} {s.level} {s.role}"] = s.r2_shuffled
    return [row]


def plain(store: Path, work: Path, seed: int, steps: int) -> Rows:
    """Trains the plain MAE of a seed and leaves it in work/plain-SEED."""
    block, folder = values("mae_images", steps), work / f"plain-{seed}"
    with tempfile.TemporaryDirectory() as own:
        encoder = trained("mae_images", block, store, seed, Path(own), None)
    save_backbone(folder, encoder, "mae_images", block, DataSpec(grid=8, frame=IMAGE), "images")
    return examined(PLAIN, None, seed, encoder, encoder, store)


def further(store: Path, work: Path, seed: int, steps: int, name: str, q: float | None) -> Rows:
    """Goes on from the plain MAE of a seed: alone, or as i-MAE with it as the teacher, with a share `q` of pairs of one
    class; None = no labels are used."""
    start = work / f"plain-{seed}"
    method = "mae_images" if name == ON else "i_mae"
    block = values(method, steps)
    if method == "i_mae":
        teacher = {"source": "checkpoint", "reads": "frames", "path": str(start), "dim": block["size"]["dim"]}
        block |= {"teacher": teacher, "warm_start": True, "same_prob": q}
    with tempfile.TemporaryDirectory() as own:
        encoder = trained(method, block, store, seed, Path(own), start if name == ON else None)
    plain = load_backbone(start)
    assert isinstance(plain, Backbone)
    return examined(name, q, seed, encoder, plain, store)


def tables(rows: Rows) -> list[Table]:
    """Mean ± sd over seeds, and what same-class pairs change within a seed."""
    columns = [f"{level} {role}" for role in ("subordinate", "dominant") for level in ("token", "pooled")]
    r2, other = ([f"{kind} {SHOWN} {c}" for c in columns] for kind in ("r2", "shuffled"))
    body = []
    for row in summarise(rows, ("encoder",), ["probe", *r2, *other]):
        most = max(abs(row[f"{name}_mean"]) for name in other)
        cells = [f"{row[f'{name}_mean']:.3f} ± {row[f'{name}_sd']:.3f}" for name in r2]
        body.append([row["encoder"], percent(row["probe_mean"], row["probe_sd"]), *cells, f"{most:.3f}"])
    seeds = sorted({row["seed"] for row in rows})
    note = f"Probe in %; R2 at a share of {SHOWN} of the subordinate image; mean ± sd over {len(seeds)} seeds. "
    note += "Shuffled: the largest |R2| after a fit to other images. q uses labels of the training images."
    found = [Table("i-MAE: semantics", ["encoder", "probe", *columns, "shuffled"], body, note)]
    by = {(row["encoder"], row["seed"]): row for row in rows}
    changes = []
    for name in ("probe", f"r2 {SHOWN} token subordinate"):
        for low, high in (("q = 0.0", "q = 0.5"), ("q = 0.0", "q = 1.0")):
            gain = [by[f"i-MAE, {high}", s][name] - by[f"i-MAE, {low}", s][name] for s in seeds]
            spread = float(np.std(gain, ddof=1)) if len(gain) > 1 else float("nan")
            changes.append([f"{name}: {high} less {low}", f"{np.mean(gain):+.4f} ± {spread:.4f}"])
    return [*found, Table("What pairs of one class change, within a seed", ["difference", "mean ± sd"], changes)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="folder or archive of images, a subfolder per class")
    parser.add_argument("--limit", type=int, default=12000, help="images used, 0 = all")
    parser.add_argument("--steps", type=int, default=800, help="of the plain MAE, and of each that goes on from it")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=0, help="processes, 0 = one per core")
    parser.add_argument("--out", type=Path, help="keeps the rows as JSON")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        store = store_images(args.images, IMAGE, args.limit, 0.3, 0.2, work)
        first = {f"plain-{seed}": (store, work, seed, args.steps) for seed in range(args.seeds)}
        rows = run_jobs(plain, first, work, args.workers, "plain MAE")
        which = [(ON, None), ("i-MAE, no labels", None), *((f"i-MAE, q = {q}", q) for q in Q)]
        rest = {
            f"further-{seed}-{i}": (store, work, seed, args.steps, name, q)
            for seed in range(args.seeds)
            for i, (name, q) in enumerate(which)
        }
        rows |= run_jobs(further, rest, work, args.workers, "i-MAE")
    flat = [row for each in rows.values() for row in each]
    print("\n".join(table.markdown() for table in tables(flat)))
    if args.out:
        settled = {key: str(value) if isinstance(value, Path) else value for key, value in vars(args).items()}
        args.out.write_text(json.dumps({"options": settled, "rows": flat}, indent=1) + "\n")


if __name__ == "__main__":
    main()
