"""The whole network trained from fresh weights on, head included.

For networks with batch normalisation: what a probe makes of features that nothing has scaled yet is no start, for in
training they have another size.
"""

import numpy as np
import torch
from torch import nn

from brep_mae.evaluation.problem import Predictor, Problem, Rows
from brep_mae.fewshot.heads import frozen
from brep_mae.fewshot.heads.finetuned import fine_tune, predict


def fit(problem: Problem, labelled: Rows, seed: int) -> Predictor:
    if len(np.unique(labelled.y)) < 2:
        return frozen.fit(problem, labelled, seed)
    torch.manual_seed(seed)
    head = nn.Linear(labelled.x.shape[1], problem.task.n_classes)
    tuned, head = fine_tune(problem, head, labelled, seed)
    return lambda rows: predict(tuned, head, rows)
