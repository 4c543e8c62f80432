"""The whole network trained from fresh weights on, head included.

For networks with batch normalisation: what a probe makes of features that nothing has scaled yet is no start, for in
training they have another size.
"""

from functools import partial

import numpy as np
from torch import nn

from brep_mae.fewshot.heads import finetuned


def fresh(n_classes: int, x: np.ndarray, y: np.ndarray) -> nn.Linear:
    """A layer of random weights. Shapes: x (R, D), y (R,) -> from D to n_classes"""
    return nn.Linear(x.shape[1], n_classes)


fit = partial(finetuned.fit, start=fresh)
