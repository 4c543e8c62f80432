"""A target asked of two sets of images at once, whose errors are told apart by the image's role in a blend."""

import torch
from torch import Tensor

from brep_mae.datasets.batch import Batch
from brep_mae.targets.target import Target, Term


class ByRole(Target):
    """The one term of `target` as two: of the first half of the truth's frames (subordinate) and the second (dominant).

    Args:
        target: of patches.
        length: patches per frame.
    """

    terms = ("subordinate", "dominant")

    def __init__(self, target: Target, length: int) -> None:
        super().__init__()
        self.target, self.length = target, length
        self.kind, self.on, self.of, self.class_token = target.kind, target.on, target.of, target.class_token
        self.reads = target.reads

    def forward(self, codes: Tensor, batch: Batch, rows: Tensor, rng: torch.Generator) -> dict[str, Term]:
        assert batch.frames is not None
        frames = batch.frames.image.shape[0] * batch.frames.image.shape[1]
        content = frames * self.length
        frame = torch.where(rows < content, rows // self.length, rows - content)  # class tokens come after all patches
        (term,) = self.target(codes, batch, rows, rng).values()
        counts = torch.ones_like(frame, dtype=torch.bool) if term.counts is None else term.counts
        first = frame < frames // 2
        return {"subordinate": Term(term.error, counts & first), "dominant": Term(term.error, counts & ~first)}

    def predict(self, codes: Tensor, batch: Batch, rows: Tensor) -> Tensor | None:
        return self.target.predict(codes, batch, rows)
