"""What a target predicts of a batch, beside the truth, for a figure."""

from dataclasses import dataclass

from torch import Tensor

from brep_mae.datasets.batch import Batch


@dataclass(frozen=True)
class Picture:
    """kind: of the content, index in tokens.KINDS.
    seen: what the encoder read, masks aside.
    truth: what is predicted; of several roles all samples of the first, then all of the next.
    predicted: by the role's name, or the target's where there is one role: a row for each row of content of that role
        that was predicted, in the content's order and units.
    chosen: (rows of a role's content) True = predicted.
    note: what a title must say of the prediction.
    """

    kind: int
    seen: Batch
    truth: Batch
    predicted: dict[str, Tensor]
    chosen: Tensor
    note: str = ""
