"""On a GPU, where there is one: trainings and features are near those of the CPU, and batches are copied ahead."""

from pathlib import Path

import pytest
import torch

from brep_mae.datasets.content import FACES
from brep_mae.datasets.loader import Samples
from brep_mae.evaluation.problem import features_of, in_batches
from brep_mae.plugins import METHODS, known
from brep_mae.settings import PretrainParams
from brep_mae.training.loop import History, train
from tests.contracts.test_methods import small
from tests.stored import solids, store
from tests.synthetic import make_batch

if not torch.cuda.is_available():
    pytest.skip("no CUDA device", allow_module_level=True)
pytestmark = pytest.mark.gpu
PARAMS = PretrainParams(seed=3, log_every=1, checkpoint_every=4, weight_decay=0.05, clip_norm=1.0, warmup=0.2)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("stored")
    return folder, store(folder)


def trained(name: str, data: Samples, state: Path, device: str, **settings: object) -> History:
    torch.manual_seed(0)
    pretext, params = small(name, steps=4, batch=4), PARAMS.model_copy(update=settings)
    return train(pretext, data, data.first(4), params, state, lambda row: None, torch.device(device))


@pytest.mark.parametrize("name", known(METHODS))
def test_losses_of_every_method_are_near_those_of_the_cpu(
    stored: tuple[Path, list[str]], tmp_path: Path, name: str
) -> None:
    folder, uids = stored
    data = solids(folder, uids, *small(name).reads)
    here, there = (trained(name, data, tmp_path / f"{device}.pt", device) for device in ("cpu", "cuda"))
    half = trained(name, data, tmp_path / "half.pt", "cuda", precision="bf16", activation_checkpointing=True)
    assert there[0]["loss"] == pytest.approx(here[0]["loss"], rel=1e-3)
    assert half[0]["loss"] == pytest.approx(here[0]["loss"], rel=0.1)


def test_features_are_near_those_of_the_cpu(stored: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, uids = stored
    torch.manual_seed(0)
    backbone, batches = small("mae_faces").backbone(), in_batches(solids(folder, uids, *FACES), uids)
    (there,) = features_of(backbone, batches)
    assert next(backbone.parameters()).is_cuda and not there.face.is_cuda
    monkeypatch.setattr("brep_mae.ranks.device", lambda: torch.device("cpu"))
    (here,) = features_of(backbone, batches)
    torch.testing.assert_close(there.face, here.face, rtol=1e-3, atol=1e-3)


def test_a_pinned_batch_holds_the_same_and_is_copied(stored: tuple[Path, list[str]]) -> None:
    batch = make_batch([6, 4], frames=True)
    pinned = batch.pinned()
    assert pinned.faces is not None and pinned.faces.grid.is_pinned() and pinned.faces.analytic.face.is_pinned()
    moved = pinned.to(torch.device("cuda"))
    torch.cuda.synchronize()
    assert moved.faces is not None and batch.faces is not None and torch.equal(moved.faces.grid.cpu(), batch.faces.grid)
