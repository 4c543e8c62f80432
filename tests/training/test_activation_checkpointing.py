"""Activations that are made again in the backward pass take less memory and change no number."""

from pathlib import Path

import pytest
import torch

from brep_mae.checkpoints.state import load_state
from brep_mae.models.blocks import checkpoint_activations
from brep_mae.plugins import METHODS, known
from brep_mae.seeds import generator
from brep_mae.settings import PretrainParams
from brep_mae.training.loop import History, train
from tests.contracts.test_methods import small
from tests.stored import solids, store
from tests.synthetic import make_batch

CPU = torch.device("cpu")
PARAMS = PretrainParams(seed=3, log_every=1, checkpoint_every=4, weight_decay=0.05, clip_norm=1.0, warmup=0.2)
DROPPING = {"mae_faces": {"optim": {"drop_path": 0.3}}, "attribute_masking": {"dropout": 0.3}}
"""Of methods that drop samples' layers or units, how many."""


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("stored")
    return folder, store(folder)


def trained(
    stored: tuple[Path, list[str]], state: Path, name: str, again: bool
) -> tuple[History, dict[str, torch.Tensor]]:
    """Losses of every step, and the weights after the last."""
    torch.manual_seed(0)
    pretext = small(name, steps=4, batch=4, **DROPPING.get(name, {}))
    params = PARAMS.model_copy(update={"activation_checkpointing": again})
    folder, uids = stored
    data, held = (solids(folder, some, *pretext.reads) for some in (uids[:12], uids[12:]))
    return train(pretext, data, held, params, state, lambda row: None, CPU), load_state(state, CPU)["model"]


@pytest.mark.parametrize("name", known(METHODS))
def test_losses_and_weights_of_a_training_are_the_same(
    stored: tuple[Path, list[str]], tmp_path: Path, name: str
) -> None:
    (plain, weights), (again, others) = (trained(stored, tmp_path / f"{on}.pt", name, on) for on in (False, True))
    assert again == plain
    assert all(torch.equal(others[key], value) for key, value in weights.items())


@pytest.mark.parametrize("name", ["mae_faces", "mae_images", "attribute_masking"])
def test_less_is_kept_for_the_backward_pass(name: str) -> None:
    def kept(again: bool) -> int:
        torch.manual_seed(0)
        pretext, stored = small(name), dict[int, int]()
        if again:
            checkpoint_activations(pretext)

        def keep(x: torch.Tensor) -> torch.Tensor:
            stored[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
            return x

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
            loss = pretext(make_batch([30, 20], frames=name == "mae_images"), generator(0))["loss"]
        loss.backward()
        return sum(stored.values())

    assert kept(True) < 0.6 * kept(False)
