"""One training phase of one or more tasks: fixed steps, the best state on the validation split, then nothing else."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from brep_mae.continual.knowledge_transfer import Transfer, Transferred
from brep_mae.continual.supermask import Kind

Batches = Sequence[tuple[Any, Tensor]]
OnStep = Callable[[str, int, int, dict[str, float]], None]
Logits = Callable[[Any, int], Tensor]
EVALUATIONS = 10


class Budget(Protocol):
    """Steps and learning rates of a task; `settings.ContinualParams` is one. Baselines get the sum of the steps."""

    @property
    def mask_steps(self) -> int: ...
    @property
    def weight_steps(self) -> int: ...
    @property
    def mask_lr(self) -> float: ...
    @property
    def weight_lr(self) -> float: ...
    @property
    def transfer(self) -> Transfer: ...


@dataclass(frozen=True)
class Task:
    """One label set and its data.

    Each split is a sequence of (batch, labels): a batch is whatever the model takes, labels (rows,) long are in
    [0, n_classes), or -1 for rows that count neither in the loss nor in the accuracy (say, faces of other classes).
    Where a row may show several classes, labels are (rows, n_classes): 1 = it shows the class, 0 = it does not, -1 =
    not known; loss and accuracy then count each row's answer on each class. `kind` says what a row is, and is kept with
    the saved task.
    """

    name: str
    classes: tuple[str, ...]
    train: Batches
    val: Batches
    test: Batches
    kind: Kind = "classification"

    @property
    def n_classes(self) -> int:
        return len(self.classes)

    def check(self, needs: Sequence[str] = ("train", "val", "test")) -> None:
        """Raises ValueError for an empty split, a label outside the classes, or a class that training never shows.

        Args:
            needs: splits that must not be empty.
        """
        seen: dict[str, set[int]] = {"val": set(), "test": set()}
        for split, batches in (("train", self.train), ("val", self.val), ("test", self.test)):
            if not batches and split not in needs:
                continue
            if not any(bool((labels >= 0).any()) for _, labels in batches):
                raise ValueError(
                    f"task {self.name}: no labelled row in its {split} split; give it data or drop the task"
                )
            highest = self.n_classes - 1
            if batches[0][1].ndim == 2:
                highest = 1
                if (columns := batches[0][1].shape[1]) != self.n_classes:
                    raise ValueError(
                        f"task {self.name}: {split} has labels of {columns} classes, and it has {self.n_classes}"
                    )
            found = {int(c) for _, labels in batches for c in labels.unique()}
            if outside := sorted(c for c in found if not -1 <= c <= highest):
                raise ValueError(f"task {self.name}: labels {outside} in {split}; allowed are -1 to {highest}")
            seen[split] = {c for _, labels in batches for c in classes_in(labels)}
        unseen = sorted((seen["val"] | seen["test"]) - seen["train"])
        if unseen:
            raise ValueError(
                f"task {self.name}: {', '.join(self.classes[c] for c in unseen)} in val or test but not in train; "
                "add training rows of them or set those labels to -1"
            )


@dataclass(frozen=True)
class TaskReport:
    """How training one task went.

    Attributes:
        curve: (step, validation accuracy), step counted over both phases; empty without a validation split.
        val_accuracy: of the kept state; None = no validation split, the last state was kept.
        steps_to_95: first step of the curve at 95 % of that accuracy.
        transferred: the kNN test on earlier masks; None where it did not run.
        own: weights that this task alone may write; 0 in exssnet = earlier tasks use all that its mask selects, so only
            the mask trained.
    """

    name: str
    curve: list[tuple[int, float]]
    val_accuracy: float | None
    steps_to_95: int | None
    seconds: float
    own: int = 0
    transferred: Transferred | None = None


@dataclass
class Fit:
    """Outcome of `fit`: the validation curve, and the accuracy of the state that was kept; None = the last one was."""

    curve: list[tuple[int, float]] = field(default_factory=list)
    best: float | None = None


def classes_in(labels: Tensor) -> list[int]:
    """Classes that some row shows. (rows,) or (rows, classes)"""
    found: list[int] = (labels == 1).any(0).nonzero()[:, 0].tolist() if labels.ndim == 2 else labels.unique().tolist()
    return [c for c in found if c >= 0]


def entropy(logits: Tensor, labels: Tensor, reduction: Literal["sum", "mean"]) -> Tensor:
    """Cross-entropy of the known labels: over the classes, or for labels (rows, classes) of every class by itself."""
    if labels.ndim == 1:
        return F.cross_entropy(logits, labels, ignore_index=-1, reduction=reduction)
    known = labels >= 0
    return F.binary_cross_entropy_with_logits(logits[known], labels[known].to(logits), reduction=reduction)


def right_answers(logits: Tensor, labels: Tensor) -> int:
    """Right answers among the known labels."""
    if labels.ndim == 1:
        return int((logits.argmax(1) == labels).sum())
    return int(((logits > 0) == (labels == 1))[labels >= 0].sum())


def steps_to_95(curve: Sequence[tuple[int, float]], final: float | None) -> int | None:
    """First step whose validation accuracy reaches 95 % of `final`; None = there was no validation."""
    return None if final is None else next(step for step, accuracy in curve if accuracy >= 0.95 * final)


@torch.no_grad()
def evaluate(module: nn.Module, logits: Logits, batches: Batches, task: int) -> tuple[float, float]:
    """Accuracy and mean cross-entropy over all rows with a label; eval mode, training mode is put back."""
    was_training = module.training
    module.eval()
    right, loss, rows = 0, 0.0, 0
    for batch, labels in batches:
        out, labels = _logits_and_labels(logits, batch, labels, task)
        right += right_answers(out, labels)
        loss += float(entropy(out, labels, "sum"))
        rows += int((labels >= 0).sum())
    module.train(was_training)
    return right / rows, loss / rows


def _logits_and_labels(logits: Logits, batch: Any, labels: Tensor, task: int) -> tuple[Tensor, Tensor]:
    out = logits(batch, task)
    if out.shape[0] != labels.shape[0]:
        raise ValueError(f"{labels.shape[0]} labels for {out.shape[0]} rows of features; one label per row is needed")
    return out, labels.to(out.device)


def batch_stream(examples: Sequence[tuple[int, Task]], rng: torch.Generator) -> Iterator[tuple[int, Any, Tensor]]:
    """Endless training batches: a task at random, then its next batch in an order reshuffled every epoch."""
    queues: list[list[int]] = [[] for _ in examples]
    while True:
        pick = int(torch.randint(len(examples), (), generator=rng))
        number, task = examples[pick]
        if not queues[pick]:
            queues[pick] = torch.randperm(len(task.train), generator=rng).tolist()
        batch, labels = task.train[queues[pick].pop()]
        if bool((labels >= 0).any()):
            yield number, batch, labels


def fit(
    module: nn.Module,
    logits: Logits,
    examples: Sequence[tuple[int, Task]],
    groups: list[dict[str, Any]],
    state: Sequence[Tensor],
    steps: int,
    rng: torch.Generator,
    name: str,
    on_step: OnStep | None = None,
    after_backward: Callable[[], None] | None = None,
) -> Fit:
    """Trains, then puts back the state with the best validation accuracy (ties: lower loss), the start included.

    Without a validation split the last state stays.

    Args:
        examples: (task number, task) to train on; the accuracy is the mean over those with a validation split.
        groups: Adam parameter groups. The optimizer is fresh and without weight decay: carried moments or decay move
            weights whose gradient is zero.
        state: every tensor that training changes, running statistics included.
        after_backward: edits gradients before the step.

    Raises:
        FloatingPointError: the loss stopped being finite.
    """
    optimizer = torch.optim.Adam([{**g, "params": list(g["params"])} for g in groups if g["params"]], weight_decay=0.0)
    stops = {round(steps * i / EVALUATIONS) for i in range(EVALUATIONS + 1)}
    stream = batch_stream(examples, rng)
    outcome, best_key = Fit(), (-math.inf, -math.inf)
    kept = state  # as it is at the end, until validation finds a better one
    module.train()
    losses: list[Tensor] = []
    for step in range(steps + 1):
        if step in stops:
            train_loss = float(torch.stack(losses).mean()) if losses else 0.0
            if not math.isfinite(train_loss):
                raise FloatingPointError(f"{name}: loss {train_loss} by step {step}; lower the learning rate")
            metrics = {"loss": train_loss}
            if parts := [evaluate(module, logits, task.val, number) for number, task in examples if task.val]:
                accuracy, loss = (sum(column) / len(parts) for column in zip(*parts, strict=True))
                metrics |= {"val_loss": loss, "val_accuracy": accuracy}
                outcome.curve.append((step, accuracy))
                if (accuracy, -loss) > best_key:
                    best_key, kept = (accuracy, -loss), [t.detach().clone() for t in state]
            if on_step:
                on_step(name, step, steps, metrics)
            losses = []
        if step == steps:
            break
        number, batch, labels = next(stream)
        out, labels = _logits_and_labels(logits, batch, labels, number)
        loss_now = entropy(out, labels, "mean")
        optimizer.zero_grad(set_to_none=True)
        loss_now.backward()
        if after_backward:
            after_backward()
        optimizer.step()
        losses.append(loss_now.detach())
    with torch.no_grad():
        for tensor, value in zip(state, kept, strict=True):
            tensor.copy_(value)
            tensor.grad = None
    outcome.best = best_key[0] if outcome.curve else None
    module.eval()
    return outcome
