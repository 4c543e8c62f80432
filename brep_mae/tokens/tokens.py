"""The one form in which every kind of content reaches masks, encoders and decoders."""

from dataclasses import dataclass

import torch
from torch import Tensor

KINDS = ("face", "patch")
FACE, PATCH = range(2)


@dataclass(frozen=True)
class Arcs:
    """Arcs between face tokens.

    index (2, A) positions in the flattened (B * N) tokens; x (A, D) content, known only where both ends are seen;
    kind (A, K) one-hot convexity and curve type, which a decoder may always know.
    """

    index: Tensor
    x: Tensor
    kind: Tensor


@dataclass(frozen=True)
class Tokens:
    """Tokens of B samples, padded to N.

    x (B, N, D); where (B, N, P) what a decoder may know of a hidden token; valid (B, N) True = real token;
    kind (N,) index in KINDS; arcs or None. Valid tokens of one kind, read row by row, stand in the order of the
    batch's own content (faces, or patches of frame after frame).
    """

    x: Tensor
    where: Tensor
    valid: Tensor
    kind: Tensor
    arcs: Arcs | None = None

    def repeated(self, times: int) -> "Tokens":
        """All samples, then all samples again: (B, N, D) -> (times B, N, D)"""
        if times == 1:
            return self
        x, where, valid = self.x.repeat(times, 1, 1), self.where.repeat(times, 1, 1), self.valid.repeat(times, 1)
        if self.arcs is None:
            return Tokens(x, where, valid, self.kind)
        index = torch.cat([self.arcs.index + number * self.valid.numel() for number in range(times)], 1)
        arcs = Arcs(index, self.arcs.x.repeat(times, 1), self.arcs.kind.repeat(times, 1))
        return Tokens(x, where, valid, self.kind, arcs)
