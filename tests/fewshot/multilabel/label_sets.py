"""Small multi-label problems, for tests of label rules and policies."""

import numpy as np
import torch
from torch import Tensor

from brep_mae.fewshot.multilabel.sides import LabelledSides, Side
from brep_mae.settings import LabelPolicyParams

PARAMS = LabelPolicyParams(
    encoder="none",
    mode="frozen",
    solids=10,
    held_out=0.3,
    width=16,
    episodes=3,
    steps=4,
    batch=16,
    lr=0.003,
    encoder_lr=0.001,
    policy_lr=0.002,
    sigma=0.3,
    reward="macro_f1",
    seeds=1,
    workers=1,
)


def params(**change: object) -> LabelPolicyParams:
    return PARAMS.model_copy(update=change)


def side(name: str, codes: Tensor, shown: Tensor) -> Side:
    return Side(tuple(f"{name}{i}#0" for i in range(len(codes))), codes.__getitem__, shown)


def ten_labels(seed: int, learned: int, held_out: int, test: int) -> tuple[LabelledSides, Side]:
    """Ten classes of frequencies .5 to .02, each a direction in noisy codes of 20 numbers; and the test side."""
    rng = torch.Generator().manual_seed(seed)
    frequency = torch.from_numpy(np.geomspace(0.5, 0.02, 10)).float()
    directions = torch.randn(10, 20, generator=rng)
    found = []
    for name, count in (("learned", learned), ("held", held_out), ("test", test)):
        shown = (torch.rand(count, 10, generator=rng) < frequency).long()
        codes = 0.5 * shown.float() @ directions + torch.randn(count, 20, generator=rng)
        found.append(side(name, codes, shown))
    return LabelledSides(found[0], found[1], frozenset(found[2].uids)), found[2]
