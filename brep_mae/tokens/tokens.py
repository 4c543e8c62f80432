"""The one form in which every kind of content reaches masks, encoders and decoders."""

from dataclasses import dataclass

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
