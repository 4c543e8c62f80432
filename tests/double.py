"""Solids in double precision, in which the last digits that two processors disagree on are far from any tolerance."""

from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import torch

from brep_mae.datasets.batch import Batch
from brep_mae.datasets.loader import Samples


class Double(Samples):
    """Solids whose numbers are in double precision."""

    def __init__(self, whole: Samples) -> None:
        self.whole, self.uids = whole, whole.uids

    def batch(self, uids: Sequence[str]) -> Batch:
        return doubled(self.whole.batch(uids))

    def labelled(self, uids: Sequence[str]) -> np.ndarray:
        return self.whole.labelled(uids)


def doubled(part: Any) -> Any:
    if isinstance(part, torch.Tensor):
        return part.double() if part.is_floating_point() else part
    if not is_dataclass(part):
        return part
    return replace(part, **{f.name: doubled(getattr(part, f.name)) for f in fields(part) if f.name != "records"})  # type: ignore[type-var]
