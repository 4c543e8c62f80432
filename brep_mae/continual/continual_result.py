"""What a run over a sequence of tasks leaves behind, and the numbers of the field computed from it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from brep_mae.continual.continual_fit import TaskReport


@dataclass
class ContinualResult:
    """Accuracies and proofs of a sequence of T tasks.

    Attributes:
        mode: supsup, ssnet, exssnet, or the name of a baseline.
        accuracy: (T, T), row = after training that task, column = test accuracy of a task; NaN = not trained yet.
        bit_identical: row t = for each task before t, True = its logits and norm tensors equal its snapshot, bit
            for bit, after task t was trained. Empty rows for joint training, which has no earlier tasks.
        capacity: per weight tensor, how many of its entries each task owns (|E_t|); `sizes` has their totals.
        overlap: (T, T) below the diagonal, share of the row task's mask that is also in the column task's mask.
    """

    mode: str
    names: list[str]
    accuracy: np.ndarray
    reports: list[TaskReport] = field(default_factory=list)
    bit_identical: list[list[bool]] = field(default_factory=list)
    capacity: dict[str, list[int]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    overlap: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))

    @classmethod
    def empty(cls, mode: str, names: Sequence[str]) -> "ContinualResult":
        square = (len(names), len(names))
        return cls(mode, list(names), np.full(square, np.nan), overlap=np.full(square, np.nan))

    @property
    def average_accuracy(self) -> float:
        """Mean over tasks at the end."""
        return float(self.accuracy[-1].mean())

    @property
    def forgetting(self) -> list[float]:
        """Per task but the last: last accuracy minus the best at any earlier time; 0 = nothing forgotten."""
        last = len(self.names) - 1
        return [float(self.accuracy[last, t] - np.nanmax(self.accuracy[t:last, t])) for t in range(last)]

    def forward_transfer(self, alone: Sequence[float]) -> list[float]:
        """Per task: accuracy right after training it minus `alone`, that of a fresh model (see `train_alone`)."""
        if len(alone) != len(self.names):
            raise ValueError(f"{len(alone)} reference accuracies for {len(self.names)} tasks")
        return [float(self.accuracy[t, t] - reference) for t, reference in enumerate(alone)]

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and lists for a JSON file; NaN becomes None."""
        plain = asdict(self)
        for key in ("accuracy", "overlap"):
            plain[key] = [[None if np.isnan(v) else float(v) for v in row] for row in getattr(self, key)]
        forgetting = self.forgetting if not np.isnan(self.accuracy.diagonal()).any() else []
        return plain | {"average_accuracy": self.average_accuracy, "forgetting": forgetting}
