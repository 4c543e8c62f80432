"""KKT: which earlier task's mask is a good start for a new one, asked of a kNN vote on features.

Yadav & Bansal 2023, arXiv:2210.10209, section 3.3. Differs from the paper: no more neighbours than half of an even
class share, because 200 of a few hundred rows only vote for the commonest label; at most `MAX_ROWS` rows, because
faces are many; and an optional margin.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from brep_mae.continual.supermask import SupermaskModel

Transfer = Literal["none", "best", "all", "always"]
NEIGHBOURS = 200
FIT_SHARE = 0.66
BATCH_SHARE = 0.2
MAX_ROWS = 8192


@dataclass(frozen=True)
class Transferred:
    """Vote accuracy on the new task's rows with each earlier mask, the bar they had to pass, and whose scores serve.

    `rows` is the size of the held-out part, so the standard error is sqrt(p (1 - p) / rows).
    """

    accuracies: list[float]
    threshold: float
    chosen: list[int]
    rows: int


def knn_accuracy(features: Tensor, labels: Tensor, n_classes: int, order: Tensor) -> float:
    """Accuracy of a Euclidean majority vote: the first 66 % of `order` vote on the rest; ties go to the lower class.

    Shapes:
        features (N, D), labels (N,) in [0, n_classes), order (N,) a permutation
    """
    n_fit = int(FIT_SHARE * len(order))
    fit, query = order[:n_fit], order[n_fit:]
    k = min(NEIGHBOURS, max(1, n_fit // (2 * n_classes)))
    right = 0
    for part in query.split(1024):
        near = torch.cdist(features[part], features[fit]).topk(k, dim=1, largest=False).indices
        votes = torch.nn.functional.one_hot(labels[fit][near], n_classes).sum(1)
        right += int((votes.argmax(1) == labels[part]).sum())
    return right / len(query)


@torch.no_grad()
def transfer_scores(
    model: SupermaskModel,
    batches: Sequence[tuple[Any, Tensor]],
    n_classes: int,
    how: Transfer,
    rng: torch.Generator,
    margin: float = 0.0,
) -> tuple[dict[str, Tensor] | None, Transferred]:
    """Scores to start a new task from, always copies; None = start afresh.

    Args:
        batches: training data of the new task, (batch, labels) with -1 = ignored row; a fifth of it, plus one, is used.
            Where rows may show several classes, every set of classes that occurs is a class of the vote.
        how: "best" = scores of the best task above the bar; "all" = mean of all above it; "always" = best, no bar.
        margin: in standard errors. 0 = the paper's bar, 1 / n_classes, which pure noise passes half of the time.
            Above 0, the bar is the commonest label's share (never below 1 / n_classes) plus that many errors.

    The earlier tasks' running statistics, scores and masks are read only.
    """
    count = min(len(batches), math.ceil(BATCH_SHARE * len(batches)) + 1)
    picked = [batches[int(i)] for i in torch.randperm(len(batches), generator=rng)[:count]]
    device = model.shared_classifier.weight.device
    labels = torch.cat([part for _, part in picked]).to(device)
    if labels.ndim == 2:
        labels, n_classes = _sets(labels)
    rows = (labels >= 0).nonzero()[:, 0]
    order = torch.randperm(len(rows), generator=rng)[:MAX_ROWS].to(device)
    n_query = len(order) - int(FIT_SHARE * len(order))
    if how == "none" or not model.tasks or len(order) < 3:
        return None, Transferred([], 1 / n_classes, [], n_query)
    labels = labels[rows]

    was_training = model.training
    model.eval()
    accuracies = []
    for task in range(len(model.tasks)):
        features = torch.cat([model.features(to_device(batch, device), task) for batch, _ in picked])[rows]
        accuracies.append(knn_accuracy(features, labels, n_classes, order))
    model.train(was_training)

    threshold = 1 / n_classes
    if margin > 0:
        query = labels[order[-n_query:]]
        chance = max(threshold, float(query.bincount(minlength=n_classes).max()) / n_query)
        threshold = chance + margin * math.sqrt(chance * (1 - chance) / n_query)
    best = max(range(len(accuracies)), key=accuracies.__getitem__)
    above = [task for task, accuracy in enumerate(accuracies) if accuracy > threshold]
    chosen = {"best": [best] if best in above else [], "all": above, "always": [best]}[how]
    result = Transferred(accuracies, threshold, chosen, n_query)
    if not chosen:
        return None, result
    donors = [model.scores_of(task) for task in chosen]
    return {name: torch.stack([scores[name] for scores in donors]).mean(0) for name in donors[0]}, result


def _sets(labels: Tensor) -> tuple[Tensor, int]:
    """Number of the set of classes that each row shows, -1 where one is not known, and how many sets there are."""
    known = (labels >= 0).all(1)
    if not bool(known.any()):
        return labels.new_full((len(labels),), -1), 1
    sets, number = labels[known].unique(dim=0, return_inverse=True)
    return labels.new_full((len(labels),), -1).masked_scatter(known, number), len(sets)


def to_device(batch: Any, device: torch.device) -> Any:
    """The batch on the device, if it is a thing that can move (a tensor, a PyG batch, a batch of ours)."""
    return batch.to(device) if hasattr(batch, "to") else batch
