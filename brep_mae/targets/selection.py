"""Which tokens a target predicts, one column for everything that is known of them."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Selection:
    """The M tokens that a target predicts, of `samples` samples.

    codes (M, D); row (M,) of the token among the truth's content of the target's kind, -1 for a class token;
    sample (M,) that the token belongs to; role (M,) of that sample, 0 where a method knows one role only (i-MAE: 0 =
    subordinate, 1 = dominant); class_token (M,) True = the class token of its sample; weight (M,) of its errors.
    """

    codes: Tensor
    row: Tensor
    sample: Tensor
    role: Tensor
    class_token: Tensor
    weight: Tensor
    samples: int
