"""MLO-MAE on natural images, whose folders are their classes: the mask and the head learn from these."""

import numpy as np
import torch
from PIL import Image

from brep_mae.composition.guided import judged
from brep_mae.composition.pretext import DataSpec, build
from brep_mae.datasets.images import Images, store_images
from brep_mae.settings import PretrainParams
from brep_mae.training.loop import train
from tests.contracts.test_methods import block

SIZE = 16


def two_classes(root, count):
    """Noise, of which the class `bright` is brighter."""
    rng = np.random.default_rng(0)
    for number in range(count):
        name = ("bright", "dark")[number % 2]
        (root / name).mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 128, (SIZE, SIZE, 3)) + 127 * (name == "bright")
        Image.fromarray(pixels.astype(np.uint8)).save(root / name / f"{number}.png")
    return root


def test_the_folders_of_images_teach_the_head(tmp_path):
    store = store_images(two_classes(tmp_path / "in", 60), SIZE, 0, 0.1, 0.1, tmp_path)
    tiny = {"dim": 16, "depth": 1, "heads": 2}
    changed = {"steps": 30, "batch": 16, "head_lr": 0.05, "size": tiny, "decoder": tiny, "mask_hidden": 8, "patch": 4}
    torch.manual_seed(0)
    pretext = build("mlo_mae_images", block("mlo_mae_images") | changed, DataSpec(8, SIZE, part_classes=2))
    data, held = (Images(store, side, read=pretext.reads) for side in ("train", "validation"))
    learned, judging = judged(data)
    assert len(learned) + len(judging) == len(data) and len(judging) == -(-len(data) // 5)
    with torch.no_grad():
        before = float(pretext.eval().label_loss(held.batch(held.uids)))
    params = PretrainParams(seed=0, log_every=30, checkpoint_every=30)
    train(pretext, data, held, params, tmp_path / "state.pt", lambda row: None, torch.device("cpu"))
    with torch.no_grad():
        after = float(pretext.eval().label_loss(held.batch(held.uids)))
    assert after < 0.3 < 0.5 < before
