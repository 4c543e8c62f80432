"""Networks compute where `ranks.device` says, with the same numbers, and nothing of the CPU meets what lies there."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load
from torch.nn.attention import SDPBackend, sdpa_kernel

from brep_mae import ranks
from brep_mae.checkpoints.backbones import load_backbone, save_backbone
from brep_mae.continual.class_tasks import TaskFeatures, class_groups, face_tasks
from brep_mae.continual.task_folder import add_task, new_tasks, open_tasks
from brep_mae.datasets.content import FACES
from brep_mae.evaluation.probe import Sides, probe
from brep_mae.evaluation.problem import features_of, in_batches, tasks
from brep_mae.fewshot.fewshot import EncoderSource, compare
from brep_mae.fewshot.multilabel.comparison import COMPETITORS, POLICY, Shown, scored
from brep_mae.models.embed import embed
from brep_mae.plugins import METHODS, known
from brep_mae.settings import FewshotParams, LabelPolicyParams, PretrainParams, ProbeParams, TaskParams
from brep_mae.training import loop
from pipelines.studies.continual.learn import learn
from tests.contracts.test_methods import SPEC, block, small
from tests.devices.elsewhere import a_second_device
from tests.stored import FACE_CLASSES, solids, store

pytestmark = pytest.mark.filterwarnings("ignore:for .*copying from a non-meta parameter")  # they are copied here
ENCODERS = ("mae_faces", "mae_images", "attribute_masking", "m3ae")
FEWSHOT = FewshotParams(
    shots=[4],
    seeds=1,
    steps=3,
    batch=2,
    lr=1e-3,
    head_lr=1e-2,
    noise=0.1,
    unlabelled=4,
    holdout=0.25,
    reprobed=0.5,
    workers=1,
)
TRAINED_THERE = ("finetuned", "partial", "max_relative", "from_scratch")
"""Heads that train a network."""
TIMES = {"seconds", "seconds_each"}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Solids, and encoders beside them."""
    folder = tmp_path_factory.mktemp("stored")
    uids = store(folder)
    for name in ENCODERS:
        torch.manual_seed(0)
        pretext = small(name)
        values = block(name) | pretext.params.model_dump(exclude_unset=True)
        save_backbone(folder / name, pretext.backbone(), name, values, SPEC, "digest")
    return folder, uids


def both(monkeypatch: pytest.MonkeyPatch, work: Callable[[], Any]) -> tuple[Any, Any]:
    """What the work gives on the CPU and on a second device, by the same kernels."""
    with sdpa_kernel(SDPBackend.MATH):
        here = work()
    with a_second_device() as device:
        monkeypatch.setattr(ranks, "device", lambda: device)
        there = work()
        monkeypatch.undo()
    return here, there


def untimed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key not in TIMES} for row in rows]


def test_the_second_device_refuses_what_a_gpu_would() -> None:
    with a_second_device() as there:
        x, y = torch.arange(3.0).to(there), torch.arange(3.0)
        assert (x + x).tolist() == [0, 2, 4] and (x * torch.tensor(2.0)).cpu().numpy()[1] == 2
        assert x[torch.tensor([1])].item() == 1 and torch.tensor([1.0], device=there).device == there
        for mixed in (
            lambda: x + y,
            lambda: torch.cat([x, y]),
            lambda: y[x.long()],
            lambda: x.numpy(),
            lambda: torch.stack([x.sum(), y.sum()]),
            lambda: torch.rand(3, device=there, generator=torch.Generator()),
        ):
            with pytest.raises((RuntimeError, TypeError)):
                mixed()


@pytest.mark.parametrize("name", known(METHODS))
def test_every_method_is_pretrained_there(
    stored: tuple[Path, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder, uids = stored
    params = PretrainParams(seed=3, log_every=1, checkpoint_every=2, weight_decay=0.05, clip_norm=1.0, warmup=0.2)
    monkeypatch.setattr(loop, "precision", lambda device, params: nullcontext())

    def work() -> Any:
        torch.manual_seed(0)
        pretext = small(name, steps=4, batch=4, **({"rounds": 2} if name.startswith("dbot") else {}))
        data, held = (solids(folder, some, *pretext.reads) for some in (uids[:12], uids[12:]))
        state = tmp_path / f"{ranks.device()}.pt"
        rows = loop.train(pretext, data, held, params, state, lambda row: None, ranks.device())
        assert {p.device for p in pretext.parameters()} == {ranks.device()}
        return rows

    here, there = both(monkeypatch, work)
    for a, b in zip(here, there, strict=True):
        assert a.pop("split") == b.pop("split")
        assert b == pytest.approx(a, rel=1e-4)


@pytest.mark.parametrize("name", ENCODERS)
def test_features_and_probes_are_those_of_the_cpu(
    stored: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder, uids = stored
    data = solids(folder, uids, *FACES, "frames")

    def work() -> Any:
        backbone = load_backbone(folder / name)
        features = [x for each in features_of(backbone, in_batches(data, uids)) for x in (each.face, each.solid)]
        params = ProbeParams(solids=8, neighbours=3, workers=1)
        rows = probe(backbone, tasks(3, 2), Sides.of(data, uids[:10], uids[10:], params), params)
        assert {p.device for p in backbone.parameters()} == {ranks.device()}
        return features, rows, embed(backbone, folder / "parsed", folder / "frames", uids)

    (features, rows, vectors), (others, again, theirs) = both(monkeypatch, work)
    assert all(torch.equal(a, b) for a, b in zip(features, others, strict=True))
    assert again == rows and np.array_equal(vectors, theirs)


@pytest.mark.parametrize(
    "name, mode", [("attribute_masking", "finetuned"), *(("mae_faces", mode) for mode in ("frozen", *TRAINED_THERE))]
)
def test_heads_learn_there_what_they_learn_on_the_cpu(
    stored: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch, name: str, mode: str
) -> None:
    folder, uids = stored
    source = EncoderSource.stored(name, "faces", folder / name, pretrained=True)
    data = solids(folder, uids, *FACES)
    here, there = both(
        monkeypatch,
        lambda: untimed(list(compare(source, [mode], 0, tasks(3, 2), data, uids[:10], uids[10:], FEWSHOT))),
    )
    assert there == here and here


@pytest.mark.parametrize("way", ["exssnet", "supsup", "sequential", "frozen", "joint"])
def test_tasks_are_learned_one_after_another_there(
    stored: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch, way: Any
) -> None:
    folder, uids = stored
    params = TaskParams(mask_steps=3, weight_steps=3, batch=4, transfer="best")

    def work() -> Any:
        backbone = load_backbone(folder / "attribute_masking")
        sides = {
            side: solids(folder, some, *FACES)
            for side, some in (("train", uids[:8]), ("validation", uids[8:12]), ("test", uids[12:]))
        }
        todo = face_tasks(sides, [[0, 1], [1, 2]], FACE_CLASSES, 4)
        return untimed([learn(way, TaskFeatures(backbone), todo, params, "pretrained", 0.3, 0)])

    here, there = both(monkeypatch, work)
    assert repr(there) == repr(here)


def test_a_task_that_was_added_there_answers_on_the_cpu_as_well(
    stored: tuple[Path, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, uids = stored
    encoder = folder / "attribute_masking"
    sides = {side: solids(folder, uids, *FACES) for side in ("train", "validation", "test")}
    todo = face_tasks(sides, class_groups(np.array([0, 5, 5, 5, 5]), (), 2)[:1], ("", *FACE_CLASSES, "d"), 4)

    def work() -> Any:
        out = tmp_path / str(ranks.device())
        model = new_tasks(encoder, 3, 0.3, "pretrained")
        added = add_task(model, todo[0], TaskParams(mask_steps=3, weight_steps=3), out, encoder)
        assert open_tasks(out).shared_classifier.weight.device == ranks.device()
        return load(added.path.read_bytes()), added.test  # the order of a file's notes is left to chance

    here, there = both(monkeypatch, work)
    assert there[1] == here[1] and there[0].keys() == here[0].keys()
    assert all(torch.equal(there[0][name], values) for name, values in here[0].items())
    assert open_tasks(tmp_path / "meta").tasks[0].name == todo[0].name


@pytest.mark.parametrize("mode", ["frozen", "finetuned"])
@pytest.mark.parametrize("rule", [POLICY, *COMPETITORS])
def test_label_rules_learn_there(
    stored: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch, rule: str, mode: Any
) -> None:
    folder, uids = stored
    given = LabelPolicyParams(
        encoder="attribute_masking", mode=mode, solids=10, held_out=0.3, width=8, episodes=2, steps=2, batch=4, lr=0.01,
        encoder_lr=1e-3, policy_lr=0.01, sigma=0.3, reward="macro_f1", seeds=1, workers=1,
    )  # fmt: skip

    def work() -> Any:
        shown = Shown(solids(folder, uids, *FACES), uids[:10], uids[10:], len(FACE_CLASSES))
        rows = {uid: torch.tensor([i % 2, i // 2 % 2, 1]) for i, uid in enumerate(shown.rows)}
        shown.rows = rows
        return untimed([scored(rule, shown, load_backbone(folder / "attribute_masking"), FACE_CLASSES, given, 0)])

    here, there = both(monkeypatch, work)
    assert repr(there) == repr(here)
