"""The head and the last layer of the backbone are trained, the rest stays as pretraining left it."""

from functools import partial

from brep_mae.fewshot.heads import finetuned

fit = partial(finetuned.fit, top_only=True)
