"""What guides a mask: which labelled solids teach the head, which judge, and what the head asks of them."""

import math

import numpy as np
import pytest
import torch
from PIL import Image

from brep_mae.checks import SettingsError
from brep_mae.composition.guided import judged
from brep_mae.composition.label_heads import FaceClasses, PartClasses, ShownClasses
from brep_mae.composition.pretext import DataSpec, build
from brep_mae.datasets.batch import Batch, Faces
from brep_mae.datasets.images import Images, store_images
from brep_mae.datasets.loader import Samples
from brep_mae.models.encoder import Latent
from brep_mae.schema import UNLABELLED
from brep_mae.settings import PretrainParams
from brep_mae.training.loop import train
from tests.contracts.test_methods import block, small


class Named(Samples):
    def __init__(self, uids, known) -> None:
        self.uids, self.known = tuple(uids), set(known)

    def batch(self, uids) -> Batch:
        raise NotImplementedError

    def labelled(self, uids) -> np.ndarray:
        return np.array([uid in self.known for uid in uids])


def test_a_fifth_of_the_labelled_files_judges_and_solids_of_a_file_stay_together():
    uids = [f"{file:016x}#{solid}" for file in range(50) for solid in range(3)]
    data = Named(uids, [uid for uid in uids if not uid.endswith("#2")])
    learned, judging = (set(side.uids) for side in judged(data))
    assert learned | judging == data.known and not learned & judging
    files = [{uid.split("#")[0] for uid in side} for side in (learned, judging)]
    assert not files[0] & files[1] and len(files[1]) == 10
    again = Named(uids[::-1], data.known)
    assert {*judged(again)[1].uids} == judging, "the side of a file does not depend on the order"


def test_the_sides_of_a_training_are_found_once():
    uids = [f"{file:016x}#0" for file in range(20)]
    data, asked = Named(uids, uids), []
    real = data.labelled
    data.labelled = lambda uids: asked.append(uids) or real(uids)
    pretext = small("mlo_mae_faces")
    first = pretext.sides(data)
    assert pretext.sides(data) is first and asked == [data.uids]
    other = Named(uids[:10], uids)
    assert {*pretext.sides(other)[0].uids, *pretext.sides(other)[1].uids} == set(uids[:10])


def test_too_few_labels_are_refused_with_the_remedy():
    with pytest.raises(SettingsError, match="needs labels of two training files or more, and there are 1: label some"):
        judged(Named(["a#0", "a#1", "b#0"], ["a#0", "a#1"]))


def heads_batch() -> tuple[Latent, Batch]:
    """Two solids of 2 and 1 faces, one of the faces without a label; the second solid has no class."""
    faces = Faces(solid=torch.tensor([0, 0, 1]), label=torch.tensor([2, UNLABELLED, 0]), part=torch.tensor([1, -1]))
    valid = torch.tensor([[True, True, True], [True, True, False]])
    latent = Latent(torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0)), valid, torch.zeros(2, 2).long())
    return latent, Batch(("a#0", "b#0"), faces, None)


@pytest.mark.parametrize("head, classes", [(FaceClasses, 3), (PartClasses, 2), (ShownClasses, 3)])
def test_a_head_that_says_nothing_has_the_loss_of_a_guess_and_unlabelled_rows_do_not_count(head, classes):
    latent, batch = heads_batch()
    made = head(4, classes).eval()
    with torch.no_grad():
        made.layers[-1].weight.zero_()
        made.layers[-1].bias.zero_()
    guess = math.log(2) if head is ShownClasses else math.log(classes)
    assert made(latent, batch).item() == pytest.approx(guess, abs=1e-6)
    batch.faces.label[:], batch.faces.part[:] = UNLABELLED, UNLABELLED
    assert made(latent, batch).item() == 0


def test_shown_classes_are_those_of_any_face():
    latent, batch = heads_batch()
    made = ShownClasses(4, 3).eval()
    with torch.no_grad():
        made.layers[-1].weight.zero_()
        made.layers[-1].bias.copy_(torch.tensor([-20.0, -20.0, 20.0]))  # the first solid shows 2 alone, the second 0
    assert made(latent, batch).item() == pytest.approx((0 + 2 * 20 / 3) / 2, abs=1e-3)


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


def test_the_folders_of_natural_images_are_classes_that_teach_the_head(tmp_path):
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
