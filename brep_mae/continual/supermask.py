"""ExSSNeT: one binary mask per task over the weights of one shared network, so that old answers never move.

Yadav & Bansal, "Exclusive Supermask Subnetwork Training for Continual Learning", Findings of ACL 2023,
arXiv:2210.10209, section 3. Differs from the paper: any module can be wrapped; base "pretrained" keeps its weights
instead of drawing signed constants, and then lets every task tune its own copy of the norm layers' scale and shift.
Which tensor is masked, frozen or per task: `supermask_roles`.
"""

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from brep_mae.checkpoints.weights import fingerprint
from brep_mae.continual.supermask_ops import StraightThrough, scores_for_mask, top_mask
from brep_mae.continual.supermask_roles import Base, Role, is_norm, parameter_roles, task_buffers

Mode = Literal["supsup", "ssnet", "exssnet"]
Kind = Literal["segmentation", "classification", "multilabel"]
CLASSIFIER = "shared_classifier.weight"


@dataclass
class TaskState:
    """What belongs to one task.

    Attributes:
        classes: names of what it tells apart.
        kind: what a row is, "segmentation" = a face, "classification" = a solid or an image.
        number: how many tasks were begun before it, removed ones included; its first scores are drawn from it.
        masks: per weight, True = used by the task; empty while the scores still train.
        own: per weight, True = this task alone may write it. Disjoint between tasks in mode "exssnet".
        norm: running statistics, and scale and shift where they are per task.
        scores: what the masks were cut from; empty for a task read from disk, which keeps 1 bit per weight.
    """

    name: str
    classes: tuple[str, ...]
    kind: Kind
    number: int
    norm: dict[str, Tensor]
    scores: dict[str, Tensor] = field(default_factory=dict)
    masks: dict[str, Tensor] = field(default_factory=dict)
    own: dict[str, Tensor] = field(default_factory=dict)

    @property
    def n_classes(self) -> int:
        return len(self.classes)


class SupermaskModel(nn.Module):
    """A network whose linear and convolution weights are selected by one binary mask per task.

    Args:
        model: takes one batch, returns features. It is copied; the original stays as it is.
        max_classes: width of the shared, masked classifier; task t uses its first n_classes outputs.
        density: share of each weight tensor that a mask keeps, in (0, 1); the count rounds up.
        base: "random" = signed constants, no biases, norm layers without scale and shift (the paper);
            "pretrained" = weights, biases as they are, one copy of the norm layers per task.
        seed: of the signed constants, and, with the task's number, of its first scores.
        frozen: full names of parameters that no rule knows and whose value never trains.

    Shapes:
        forward: batch -> (rows, n_classes of the task); features: batch -> (rows, feature_dim)

    Weights change only through `run_sequence` or `train_task`; the answer of a finished task depends on the weights
    under its mask, its `norm` tensors and frozen tensors, and on nothing else.
    """

    def __init__(
        self,
        model: nn.Module,
        max_classes: int,
        feature_dim: int,
        density: float,
        base: Base = "random",
        seed: int = 0,
        frozen: Sequence[str] = (),
    ) -> None:
        super().__init__()
        if not 0 < density < 1:
            raise ValueError(f"density {density} is not in (0, 1)")
        if CLASSIFIER in dict(model.named_parameters()):
            raise ValueError(f"the model has a parameter {CLASSIFIER}, a name kept for the shared classifier")
        self.max_classes, self.feature_dim, self.density = max_classes, feature_dim, density
        self.base, self.seed = base, seed
        self._roles: dict[str, Role] = parameter_roles(model, base, frozen) | {CLASSIFIER: "masked"}
        self.model = copy.deepcopy(model)
        device = next(self.model.parameters()).device
        self.shared_classifier = nn.Linear(feature_dim, max_classes, bias=False, device=device)
        self.tasks: list[TaskState] = []
        self.begun = 0
        """Tasks that were ever begun: no number is given twice, also where tasks were removed."""
        self._set_base()
        self.requires_grad_(False)
        self._task_tensors = [name for name, role in self._roles.items() if role == "task"] + task_buffers(self.model)
        self.base_tensors = {name: value.detach().cpu().clone() for name, value in self._shared_tensors().items()}
        self.base_fingerprint = fingerprint(self.base_tensors)

    @torch.no_grad()
    def _set_base(self) -> None:
        """Signed constants for every masked weight of a random base, and always for the classifier, which is new."""
        rng = torch.Generator().manual_seed(self.seed)
        for name, weight in self.weights().items():
            if self.base == "random" or name == CLASSIFIER:
                draw = nn.init.kaiming_normal_(torch.empty(weight.shape), nonlinearity="relu", generator=rng)
                fan_in = weight[0].numel()
                weight.copy_(draw.sign() * math.sqrt(2 / fan_in))
        if self.base == "pretrained":
            return
        for module in self.model.modules():
            if is_norm(module):
                for leaf, parameter in module.named_parameters(recurse=False):
                    parameter.fill_(0.0 if leaf == "bias" else 1.0)
                if isinstance(module, nn.modules.batchnorm._NormBase):
                    module.reset_running_stats()
        for name, parameter in self.model.named_parameters():
            if self._roles.get(name) == "frozen" and name.rsplit(".", 1)[-1] in ("bias", "in_proj_bias"):
                parameter.zero_()

    def roles(self) -> dict[str, Role]:
        """Role of every parameter by its name in the wrapped model, and of the shared classifier."""
        return dict(self._roles)

    def weights(self) -> dict[str, nn.Parameter]:
        """The masked tensors W, one set for all tasks."""
        named: dict[str, nn.Parameter] = dict(self.model.named_parameters())
        named[CLASSIFIER] = self.shared_classifier.weight  # type: ignore[assignment]
        return {name: named[name] for name, role in self._roles.items() if role == "masked"}

    def _shared_tensors(self) -> dict[str, Tensor]:
        named: dict[str, Tensor] = dict(self.model.named_parameters())
        return named | dict(self.model.named_buffers()) | {CLASSIFIER: self.shared_classifier.weight}

    def used(self) -> dict[str, Tensor]:
        """Per weight, True where the mask of any finished task selects it."""
        union = {name: torch.zeros_like(weight, dtype=torch.bool) for name, weight in self.weights().items()}
        for state in self.tasks:
            for name, mask in state.masks.items():
                union[name] |= mask
        return union

    def fresh_scores(self, number: int) -> dict[str, Tensor]:
        """Kaiming-uniform (a = sqrt 5) scores that depend on `seed` and a task's number only."""
        rng = torch.Generator().manual_seed((self.seed + 1) * 1_000_003 + number)
        scores = {}
        for name, weight in self.weights().items():
            draw = torch.empty(weight.shape, dtype=weight.dtype)
            scores[name] = nn.init.kaiming_uniform_(draw, a=math.sqrt(5), generator=rng).to(weight.device)
        return scores

    def scores_of(self, task: int) -> dict[str, Tensor]:
        """A copy of the task's scores; for a task read from disk, fresh ones ordered so that they cut its masks."""
        state = self.tasks[task]
        if state.scores:
            return {name: value.detach().clone() for name, value in state.scores.items()}
        fresh = self.fresh_scores(state.number)
        return {name: scores_for_mask(mask, fresh[name]) for name, mask in state.masks.items()}

    def begin_task(
        self, name: str, classes: Sequence[str], kind: Kind, scores: Mapping[str, Tensor] | None = None
    ) -> int:
        """Adds a task that starts from `scores` (default: fresh) and the base's norm tensors; returns its place."""
        if not 2 <= len(classes) <= self.max_classes:
            remedy = "label solids of one more" if len(classes) < 2 else "name fewer, or begin a folder for more"
            raise ValueError(f"task {name}: {len(classes)} classes; this model takes 2 to {self.max_classes}: {remedy}")
        if name in [state.name for state in self.tasks]:
            raise ValueError(f"task {name}: the model already has a task of this name")
        device = self.shared_classifier.weight.device
        norm = {key: self.base_tensors[key].to(device, copy=True) for key in self._task_tensors}
        start = self.fresh_scores(self.begun) if scores is None else {k: v.clone() for k, v in scores.items()}
        self.tasks.append(TaskState(name, tuple(classes), kind, self.begun, norm, start))
        self.begun += 1
        return len(self.tasks) - 1

    def fix_masks(self, task: int, mode: Mode) -> None:
        """Cuts the masks from the scores, and states which weights the task may write.

        supsup none; ssnet all it uses (so earlier tasks are overwritten); exssnet those that no other task uses.
        """
        state = self.tasks[task]
        used = self.used()
        for name, scores in state.scores.items():
            mask = top_mask(scores, self.density)
            own = {"supsup": torch.zeros_like(mask), "ssnet": mask.clone(), "exssnet": mask & ~used[name]}[mode]
            state.masks[name], state.own[name] = mask, own

    def effective_weights(self, task: int) -> dict[str, Tensor]:
        """W under the task's mask, 0 elsewhere; differentiable in the scores until the masks are fixed, then in W."""
        state, weights = self.tasks[task], self.weights()
        if not state.masks:
            return {n: w * StraightThrough.apply(state.scores[n], self.density) for n, w in weights.items()}
        return {n: torch.where(state.masks[n], w, torch.zeros_like(w)) for n, w in weights.items()}

    def _features(self, batch: Any, task: int, weights: dict[str, Tensor]) -> Tensor:
        features = functional_call(self.model, {**weights, **self.tasks[task].norm}, (batch,))
        if features.ndim != 2 or features.shape[1] != self.feature_dim:
            raise ValueError(f"the model gave features {tuple(features.shape)}, not (rows, {self.feature_dim})")
        return features

    def features(self, batch: Any, task: int) -> Tensor:
        """What the shared classifier sees for this task."""
        weights = self.effective_weights(task)
        del weights[CLASSIFIER]
        return self._features(batch, task, weights)

    def forward(self, batch: Any, task: int) -> Tensor:
        weights = self.effective_weights(task)
        classifier = weights.pop(CLASSIFIER)
        return F.linear(self._features(batch, task, weights), classifier)[:, : self.tasks[task].n_classes]

    @contextmanager
    def protected(self) -> Iterator[None]:
        """Undoes every change to the weights and the list of tasks if the block fails; checks frozen tensors after it.

        Raises:
            RuntimeError: the block changed a tensor that is neither masked nor per task (say, a buffer that the
                model updates as it trains).
        """
        n_tasks, begun = len(self.tasks), self.begun
        before = {name: weight.detach().clone() for name, weight in self.weights().items()}
        try:
            yield
            self._check_frozen()
        except BaseException:
            del self.tasks[n_tasks:]
            self.begun = begun
            with torch.no_grad():
                for name, weight in self.weights().items():
                    weight.copy_(before[name])
            raise
        finally:
            self.requires_grad_(False)

    def _check_frozen(self) -> None:
        for name, value in self._shared_tensors().items():
            frozen = self._roles.get(name) != "masked"
            if frozen and not torch.equal(value.detach().cpu(), self.base_tensors[name]):
                raise RuntimeError(
                    f"{name} is shared by all tasks and was changed by training; earlier answers may move"
                )

    @torch.no_grad()
    def set_base(self, tensors: Mapping[str, Tensor]) -> None:
        """Takes a saved base in place of its own; names and shapes must agree, and no task may exist yet."""
        if self.tasks:
            raise ValueError(f"the model already has {len(self.tasks)} tasks, which were cut from its present base")
        for name, value in self._shared_tensors().items():
            value.copy_(tensors[name])
        self.base_tensors = {name: value.clone() for name, value in tensors.items()}
        self.base_fingerprint = fingerprint(self.base_tensors)

    def _apply(self, fn: Any, recurse: bool = True) -> "SupermaskModel":
        """Moves the tasks' tensors along with the weights."""
        super()._apply(fn, recurse)
        for state in self.tasks:
            for group in (state.norm, state.scores, state.masks, state.own):
                for name, value in group.items():
                    group[name] = fn(value.detach())
        return self
