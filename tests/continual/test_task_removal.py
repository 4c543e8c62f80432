"""Saved tasks go one by one: what they alone held is free, and nothing else moves."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from brep_mae.continual import supermask_store
from brep_mae.continual.continual import train_task
from brep_mae.continual.supermask import SupermaskModel
from brep_mae.continual.supermask_store import list_tasks, load_tasks, remove_task, save_task
from tests.continual.supermask_nets import Settings, make_model, make_task

SHORT = Settings(mask_steps=2, weight_steps=2)
TASKS = 4


def opened(folder: Path) -> SupermaskModel:
    model = make_model("conv", "pretrained")
    load_tasks(model, folder)
    return model


def learned(folder: Path, model: SupermaskModel, seed: int, mode: str = "exssnet") -> None:
    train_task(model, make_task("conv", seed), SHORT, mode, torch.Generator().manual_seed(seed))
    save_task(model, folder, len(model.tasks) - 1)


def answers(model: SupermaskModel) -> dict[str, Tensor]:
    batch = make_task("conv", 0).test[0][0]
    with torch.no_grad():
        return {state.name: model(batch, place) for place, state in enumerate(model.tasks)}


@pytest.fixture(params=["exssnet", "one without weights"])
def folder(request, tmp_path) -> Path:
    """Four tasks, of which the second may be masks alone."""
    model = make_model("conv", "pretrained")
    for seed in range(TASKS):
        learned(tmp_path, model, seed, "supsup" if seed == 1 and request.param != "exssnet" else "exssnet")
    return tmp_path


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 0, 3, 2)])
def test_tasks_go_in_any_order_and_those_that_stay_answer_bit_for_bit(folder, order):
    before, free = answers(opened(folder)), opened(folder).used()
    for gone in order:
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
        freed, _ = remove_task(make_model("conv", "pretrained"), folder, f"task {gone}")
        model = opened(folder)
        assert [header.name for header in list_tasks(folder)] == [state.name for state in model.tasks]
        del before[f"task {gone}"]
        now = answers(model)
        assert now.keys() == before.keys() and all(torch.equal(now[name], before[name]) for name in before)
        used = model.used()
        lost = sum(int((free[name] & ~used[name]).sum()) for name in used)
        assert freed <= lost  # a mask without weights leaves places that were never written
        free = used
        for name, weight in model.weights().items():
            base = model.base_tensors[name]
            assert torch.equal(weight[~used[name]], base[~used[name]]), name
        others = {f"task_{state.number:05d}.safetensors" for state in model.tasks} | {"base.safetensors"}
        assert all((folder / name).read_bytes() == files[name] for name in others)
        assert all(b"task " + str(gone).encode() not in path.read_bytes() for path in folder.iterdir())
    assert not any(bool(used.any()) for used in free.values())


def test_a_new_task_takes_the_freed_weights_and_starts_where_no_earlier_one_did(folder):
    remove_task(make_model("conv", "pretrained"), folder, "task 0")
    before, model = answers(opened(folder)), opened(folder)
    used = model.used()
    learned(folder, model, TASKS)
    assert model.tasks[-1].number == TASKS
    fresh = model.fresh_scores(TASKS)
    assert all(not torch.equal(fresh[name], model.fresh_scores(n)[name]) for name in fresh for n in range(TASKS))
    assert all(not bool((own & used[name]).any()) for name, own in model.tasks[-1].own.items())
    assert any(bool(own.any()) for own in model.tasks[-1].own.values())
    again = answers(opened(folder))
    assert all(torch.equal(again[name], before[name]) for name in before)
    batch = make_task("conv", TASKS).test[0][0]
    assert torch.equal(opened(folder)(batch, TASKS - 1), model(batch, TASKS - 1))


@pytest.mark.parametrize("writes", [0, 1, 2])
def test_a_removal_that_is_cut_off_leaves_every_other_task_as_it_was(folder, monkeypatch, writes):
    for gone in (0, 1):
        remove_task(make_model("conv", "pretrained"), folder, f"task {gone}")
    before, write, done = answers(opened(folder)), supermask_store._write, []

    def ends(*arguments):
        if len(done) == writes:
            raise OSError("the disk is gone")
        done.append(write(*arguments))

    monkeypatch.setattr(supermask_store, "_write", ends)
    with pytest.raises(OSError):
        remove_task(make_model("conv", "pretrained"), folder, "task 2")
    now = answers(opened(folder))
    assert now.keys() == before.keys() - ({"task 2"} if writes else set())
    assert all(torch.equal(now[name], before[name]) for name in now)
