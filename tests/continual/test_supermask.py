"""Masks, gradients, roles and files of the supermask, on a transformer, a graph network and a convolution network."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from brep_mae.continual.continual import train_task
from brep_mae.continual.supermask import CLASSIFIER, SupermaskModel
from brep_mae.continual.supermask_ops import StraightThrough, scores_for_mask, top_mask
from brep_mae.continual.supermask_roles import UnknownParameter, parameter_roles
from brep_mae.continual.supermask_store import TaskFileError, list_tasks, load_tasks, restore_base, save_task
from tests.continual.supermask_nets import DIM, KINDS, Settings, make_model, make_task

SHORT = Settings(mask_steps=4, weight_steps=3)


@pytest.mark.parametrize("n, density, kept", [(25, 0.1, 3), (1000, 0.1, 100), (7, 0.5, 4), (10, 0.05, 1)])
def test_mask_keeps_the_count_of_the_paper_whatever_the_memory_layout(n, density, kept):
    scores = torch.randn(n, 3, 4, 2, generator=torch.Generator().manual_seed(0))
    assert int(top_mask(scores[:, 0, 0, 0], density).sum()) == kept
    laid_out = scores.to(memory_format=torch.channels_last)
    assert torch.equal(top_mask(scores, density), top_mask(laid_out, density))
    assert int(top_mask(laid_out, density).sum()) == 24 * n - int((1 - density) * (24 * n))


def test_mask_ranks_magnitudes_and_breaks_ties_by_place():
    assert top_mask(torch.tensor([0.1, -3.0, 2.0, -0.2]), 0.5).tolist() == [False, True, True, False]
    assert top_mask(torch.ones(6), 0.5).tolist() == [False] * 3 + [True] * 3


def test_straight_through_gradient_is_that_of_the_mask_times_the_sign():
    scores = torch.tensor([0.5, -2.0, 3.0, -0.1], requires_grad=True)
    (StraightThrough.apply(scores, 0.5) * torch.tensor([1.0, 10.0, 100.0, 1000.0])).sum().backward()
    assert scores.grad.tolist() == [1.0, -10.0, 100.0, -1000.0]


def test_scores_rebuilt_from_a_mask_cut_that_mask():
    rng = torch.Generator().manual_seed(0)
    mask = top_mask(torch.randn(9, 11, generator=rng), 0.13)
    assert torch.equal(top_mask(scores_for_mask(mask, torch.randn(9, 11, generator=rng)), 0.13), mask)


@pytest.mark.parametrize("kind", KINDS)
def test_random_base_has_signed_constants_and_no_biases_or_norm_scales(kind):
    model = make_model(kind)
    for name, weight in model.weights().items():
        constant = (2 / weight[0].numel()) ** 0.5
        assert torch.allclose(weight.abs(), torch.full_like(weight, constant)), name
        assert (weight > 0).any() and (weight < 0).any()
    for name, parameter in model.model.named_parameters():
        if name.endswith("bias"):
            assert not parameter.any(), name
    assert "task" not in model.roles().values()


@pytest.mark.parametrize("kind", KINDS)
def test_pretrained_base_keeps_every_tensor_and_the_original_module(kind):
    torch.manual_seed(5)
    net = KINDS[kind].net()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    model = SupermaskModel(net, 3, KINDS[kind].dim, 0.3, base="pretrained")
    train_task(model, make_task(kind, 0), SHORT, "exssnet", torch.Generator().manual_seed(0))
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert all(torch.equal(model.base_tensors[name], value) for name, value in before.items())


def test_roles_of_each_layer_type():
    roles = make_model("vit", "pretrained").roles()
    assert roles["blocks.0.attn.qkv.weight"] == roles["patches.proj.weight"] == roles[CLASSIFIER] == "masked"
    assert roles["blocks.0.norm1.weight"] == roles["norm.bias"] == "task"
    assert roles["cls_token"] == roles["pos_embed"] == roles["blocks.0.attn.qkv.bias"] == "frozen"
    roles = make_model("graph").roles()
    assert roles["convs.0.lin.weight"] == roles["convs.0.nn.0.weight"] == "masked"
    assert roles["convs.0.eps"] == roles["kind.weight"] == roles["convs.0.nn.1.weight"] == "frozen"
    attention = parameter_roles(nn.MultiheadAttention(8, 2), "random")
    assert attention["in_proj_weight"] == attention["out_proj.weight"] == "masked"
    assert attention["in_proj_bias"] == "frozen"


def test_unknown_parameter_is_named_and_can_be_declared():
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lin = nn.Linear(DIM, DIM)
            self.wobble = nn.Parameter(torch.ones(3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.lin(x) * self.wobble.mean()

    with pytest.raises(UnknownParameter, match=r"wobble.*Odd.*frozen=\('wobble',\)"):
        SupermaskModel(Odd(), 2, DIM, 0.3)
    assert SupermaskModel(Odd(), 2, DIM, 0.3, frozen=("wobble",)).roles()["wobble"] == "frozen"
    with pytest.raises(UnknownParameter, match="weight_ih_l0"):
        parameter_roles(nn.GRU(4, 4), "random")
    with pytest.raises(UnknownParameter, match="lacks: nothing"):
        parameter_roles(nn.Linear(2, 2), "random", frozen=("nothing",))


def saved(folder: Path, kind: str = "conv", seeds: tuple[int, ...] = (0, 1), seed: int = 0) -> SupermaskModel:
    model, rng = make_model(kind, "pretrained", seed=seed), torch.Generator().manual_seed(0)
    for number, task_seed in enumerate(seeds):
        train_task(model, make_task(kind, task_seed), SHORT, "exssnet", rng)
        save_task(model, folder, number)
    return model


IN_A_NEW_PROCESS = """
import json, sys
from pathlib import Path
for name in ("OCP", "cadquery", "vtk", "vtkmodules", "mlflow", "dvc"):
    sys.modules[name] = None
sys.path.insert(0, sys.argv[1])
import torch
torch.set_num_threads(int(sys.argv[3]))
from tests.continual.supermask_nets import KINDS, make_model, make_task
from brep_mae.continual.supermask_store import load_tasks
answers = {}
for kind in KINDS:
    model = make_model(kind, "pretrained")
    load_tasks(model, Path(sys.argv[2]) / kind)
    with torch.no_grad():
        answers[kind] = [model(make_task(kind, t).test[0][0], t).numpy().tobytes().hex() for t in range(2)]
print(json.dumps(answers))
"""


def test_saved_tasks_answer_bit_for_bit_in_a_new_process_without_cad_kernel_or_tracker(tmp_path):
    models = {kind: saved(tmp_path / kind, kind).eval() for kind in KINDS}
    command = [sys.executable, "-W", "ignore", "-c", IN_A_NEW_PROCESS, str(Path(__file__).parents[2]), str(tmp_path)]
    done = subprocess.run([*command, str(torch.get_num_threads())], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout.splitlines()[-1])
    for kind, model in models.items():
        with torch.no_grad():
            for t in range(2):
                here = model(make_task(kind, t).test[0][0], t).numpy().tobytes().hex()
                assert answers[kind][t] == here, (kind, t)


def test_a_loaded_model_goes_on_exactly_where_the_saved_one_was(tmp_path):
    model = saved(tmp_path)
    again = make_model("conv", "pretrained")
    load_tasks(again, tmp_path)
    assert [(h.name, h.number, h.classes) for h in list_tasks(tmp_path)] == [
        (f"task {i}", i, ("a", "b")) for i in range(2)
    ]
    for m in (model, again):
        train_task(m, make_task("conv", 2), SHORT, "exssnet", torch.Generator().manual_seed(3))
    batch = make_task("conv", 2).test[0][0]
    assert torch.equal(model(batch, 2), again(batch, 2))
    assert all(torch.equal(w, again.weights()[n]) for n, w in model.weights().items())


def test_a_task_costs_one_bit_per_weight_its_norm_tensors_and_the_weights_it_owns(tmp_path):
    model = saved(tmp_path, seeds=(0,))
    state = model.tasks[0]
    with safe_open(tmp_path / "task_00000.safetensors", "pt") as file:
        stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, RUF100
    payload = sum(value.numel() * value.element_size() for value in stored.values())
    bits = sum((weight.numel() + 7) // 8 for weight in model.weights().values())
    own = sum(int(mask.sum()) * 4 for mask in state.own.values())
    norm = sum(value.numel() * value.element_size() for value in state.norm.values())
    assert payload == bits + own + norm


def test_base_can_be_restored_from_the_folder_when_the_checkpoint_is_gone(tmp_path):
    model = saved(tmp_path).eval()
    torch.manual_seed(99)
    other = SupermaskModel(KINDS["conv"].net(), 3, DIM, 0.3, base="pretrained")
    with pytest.raises(TaskFileError, match=r"differ from this model's base.*restore_base"):
        load_tasks(other, tmp_path)
    restore_base(other, tmp_path)
    load_tasks(other, tmp_path)
    batch = make_task("conv", 0).test[0][0]
    assert torch.equal(model(batch, 0), other(batch, 0))


def flip_a_byte(folder: Path) -> None:
    path = folder / "task_00001.safetensors"
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(bytes(data))


def cut_short(folder: Path) -> None:
    path = folder / "task_00001.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def strip_the_header(folder: Path) -> None:
    save_file({"mask/x": torch.zeros(1)}, folder / "task_00001.safetensors")


def drop_the_first(folder: Path) -> None:
    (folder / "task_00000.safetensors").unlink()


def bring_a_strangers(folder: Path) -> None:
    saved(folder / "other", seeds=(2, 1))
    (folder / "other" / "task_00001.safetensors").rename(folder / "task_00001.safetensors")


def bring_one_of_another_base(folder: Path) -> None:
    saved(folder / "other", seed=4)
    (folder / "other" / "task_00001.safetensors").rename(folder / "task_00001.safetensors")


@pytest.mark.parametrize(
    "damage, reason",
    [
        (flip_a_byte, "task_00001.*checksum"),
        (cut_short, "task_00001.*not a readable"),
        (strip_the_header, "task_00001.*checksum"),
        (drop_the_first, "does not follow"),
        (bring_a_strangers, "does not follow"),
        (bring_one_of_another_base, "another base network"),
    ],
)
def test_damaged_or_foreign_files_are_refused_and_leave_the_model_untouched(tmp_path, damage, reason):
    saved(tmp_path)
    damage(tmp_path)
    model = make_model("conv", "pretrained")
    before = {name: weight.clone() for name, weight in model.weights().items()}
    with pytest.raises(TaskFileError, match=reason):
        load_tasks(model, tmp_path)
    assert model.tasks == [] and all(torch.equal(w, before[n]) for n, w in model.weights().items())


def test_masks_are_refused_by_a_model_they_do_not_fit(tmp_path):
    saved(tmp_path)
    with pytest.raises(TaskFileError, match=r"density 0\.3, this model has 0\.2"):
        load_tasks(make_model("conv", "pretrained", density=0.2), tmp_path)
    with pytest.raises(TaskFileError, match=r"in the file only|in this model only"):
        load_tasks(make_model("vit", "pretrained"), tmp_path)
    with pytest.raises(TaskFileError, match="no such file"):
        load_tasks(make_model("conv", "pretrained"), tmp_path / "nowhere")


def test_saving_never_overwrites_and_refuses_tasks_that_forget(tmp_path):
    model = saved(tmp_path / "a")
    with pytest.raises(TaskFileError, match="never overwritten"):
        save_task(model, tmp_path / "a", 1)
    forgets, rng = make_model("conv"), torch.Generator().manual_seed(0)
    for seed in (0, 1):
        train_task(forgets, make_task("conv", seed), SHORT, "ssnet", rng)
    with pytest.raises(ValueError, match="task 1 writes weights of task task 0"):
        save_task(forgets, tmp_path / "b", 0)
