"""The released ExSSNeT (github.com/prateeky2806/exessnet) as it was cloned, driven through our tasks with our draws.

None of its code is copied. Theirs: network, masks, gradients, optimizers, both training loops, and the weights a task
may write. Ours, so that both spend the same steps on the same data: weights and scores to start from, order of the
batches, and the rule by which a validation split picks a state. Two of its ways are left out: the learning rate of
the second phase in both, and validation on the test images.
"""

import contextlib
import copy
import importlib
import io
import math
import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from brep_mae.continual.class_tasks import TaskBatch
from brep_mae.continual.continual_fit import EVALUATIONS, Task, batch_stream, evaluate
from brep_mae.continual.knowledge_transfer import transfer_scores
from brep_mae.continual.supermask import SupermaskModel
from brep_mae.settings import TaskParams
from brep_mae.tokens.patches import standardised

CONFIG = "configs/transfer/config/vision.yaml"
UNUSED = {
    "wandb": (),
    "transformers": ("AutoModel",),
    "torchtext": (),
    "torchtext.vocab": ("GloVe", "FastText"),
}
"""What it imports for its logs and its experiments on text."""


def pixels(asked: TaskBatch) -> Tensor:
    """Colours (B, 3, H, W), standardised as ours does inside its network."""
    assert asked.batch.frames is not None
    return standardised(asked.batch.frames.image.flatten(0, 1)).contiguous()


class Losses(nn.CrossEntropyLoss):
    """Keeps what its training loops only print."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[float] = []

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        loss = super().forward(logits, labels)
        self.seen.append(float(loss.detach()))
        return loss


class Part(list[tuple[Tensor, Tensor]]):
    """Batches of a few steps, which its loops take for an epoch of a loader."""

    @property
    def dataset(self) -> "Part":
        return self


class Official:
    """Its network and its two training loops.

    Args:
        path: the clone.
        start: a network of ours without tasks, whose weights and first scores it takes over.
    """

    def __init__(self, path: Path, start: SupermaskModel, tasks: int, batch: int) -> None:
        if not (path / CONFIG).is_file():
            raise SystemExit(f"{path}: holds no {CONFIG}; clone github.com/prateeky2806/exessnet and give that folder")
        self.start = start
        options = {"server-home": ".", "config": path / CONFIG, "num-tasks": tasks, "batch-size": batch}
        options |= {"sparsity": start.density, "epochs": 1, "weight-epochs": 1, "weight-mask-type": "exclusive"}
        with contextlib.redirect_stdout(io.StringIO()):
            self.args, self.utils, self.loops, network = _imported(path, options)
            self.model: nn.Module = network(num_classes=start.max_classes)
        layers = [m for m in self.model.modules() if hasattr(m, "scores")]
        with torch.no_grad():
            for layer, (name, weight) in zip(layers, start.weights().items(), strict=True):
                layer.sparsity = start.density  # type: ignore[assignment]
                layer.weight.copy_(weight.view_as(layer.weight))  # type: ignore[operator, arg-type]
                for number in range(tasks):
                    first = start.fresh_scores(number)[name]
                    layer.scores[number].copy_(first.view_as(layer.weight))  # type: ignore[index, arg-type]

    def logits(self, asked: TaskBatch, number: int) -> Tensor:
        """Of a task: (rows, classes)."""
        self.model.apply(lambda module: setattr(module, "task", number))
        out: Tensor = self.model(pixels(asked))
        return out

    def learn(self, number: int, task: Task, budget: TaskParams, rng: torch.Generator) -> list[float]:
        """Mean training losses of each tenth of the steps, of the mask and then of the weights."""
        transfer_scores(self.start, task.train, task.n_classes, "none", rng)  # draws as ours does before it trains
        self.model.apply(lambda module: setattr(module, "task", number))
        found = []
        for phase, steps, rate in (
            ("mask", budget.mask_steps, budget.mask_lr),
            ("weights", budget.weight_steps, budget.weight_lr),
        ):
            self.args.lr = self.args.train_weight_lr = rate
            with contextlib.redirect_stdout(io.StringIO()):
                found += self._phase(phase, number, task, steps, rng)
        return found

    def _phase(self, phase: str, number: int, task: Task, steps: int, rng: torch.Generator) -> list[float]:
        optimizer = self.utils.get_optim_and_scheduler(self.model, "adam", number if phase == "mask" else -1)[0]
        masks = () if phase == "mask" else self.loops.weights.get_editable_weights_mask_dict(self.model, "exclusive")
        log = SimpleNamespace(add_scalar=lambda *values: None)
        stream, best, means = batch_stream([(number, task)], rng), (-math.inf, -math.inf), []
        stops = sorted({round(steps * i / EVALUATIONS) for i in range(EVALUATIONS + 1)})
        for epoch, count in enumerate([0, *(b - a for a, b in pairwise(stops))]):
            losses, drawn = Losses(), [next(stream) for _ in range(count)]
            part = Part((pixels(batch), labels) for _, batch, labels in drawn)
            if count and phase == "mask":
                data = SimpleNamespace(train_loader=part)
                self.loops.default.train(self.model, log, data, optimizer, losses, epoch, number)
            elif count:
                self.loops.weights.train(self.model, log, part, optimizer, losses, epoch, number, *masks)
            means += [sum(losses.seen) / count] if count else []
            accuracy, loss = evaluate(self.model, self.logits, task.val, number)
            if (accuracy, -loss) > best:
                best, kept = (accuracy, -loss), copy.deepcopy(self.model.state_dict())
        self.model.load_state_dict(kept)
        return means


def _imported(path: Path, options: dict[str, Any]) -> tuple[Any, ModuleType, ModuleType, Any]:
    """Its settings, helpers, training loops and network; it reads the command line where it is imported."""
    for name, members in UNUSED.items():
        stand_in = ModuleType(name)
        for member in members:
            setattr(stand_in, member, None)
        sys.modules.setdefault(name, stand_in)
    given, sys.argv = sys.argv, ["main_vision.py", "--dataname=splitcifar10", "--no-scheduler"]
    sys.argv += [f"--{key}={value}" for key, value in options.items()]
    sys.path.insert(0, str(path))
    try:
        args = importlib.import_module("args").args
        args.multigpu, args.device = None, torch.device("cpu")  # its command line cannot say so
        names = ("utils.my_utils", "trainers", "models.gemresnet")
        utils, loops, models = (importlib.import_module(name) for name in names)
    finally:
        sys.path.remove(str(path))
        sys.argv = given
    return args, utils, loops, models.GEMResNet18
