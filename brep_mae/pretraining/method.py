"""One method from samples to its folder: what every pretraining leaves, its whole network, and pictures of what it
predicts and hides."""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from brep_mae import settings
from brep_mae.checkpoints.pretexts import save_pretext
from brep_mae.composition.guided import GuidedMAE
from brep_mae.composition.pretext import Pretext
from brep_mae.datasets.loader import Samples
from brep_mae.output.folder import Claim
from brep_mae.plugins import METHODS
from brep_mae.pretraining.masks import MaskHistory
from brep_mae.pretraining.picture import pictures
from brep_mae.pretraining.pretraining import Pretrained, Pretraining, pretrained
from brep_mae.report import drawings
from brep_mae.report.masks import MASKS, mask_figure


def description(method: str, samples: Samples, heldout: Samples) -> str:
    """What a person reads of a run: what the method is, and on how much it was trained."""
    about = (sys.modules[f"{METHODS}.{method}"].__doc__ or method).partition("\n\n")[0]  # it was loaded to be built
    return f"{about}\n\nTrained on {len(samples)} samples, {len(heldout)} held out."


def settings_logged(method: str, values: dict[str, Any], budget: settings.PretrainParams) -> dict[str, Any]:
    """Settings of a run as they are compared: those of its method below `method`, whichever it is."""
    return {"method": method, **settings.flat({"method": values, "pretrain": budget})}


def pretrain_method(job: Pretraining, pretext: Pretext, samples: Samples, heldout: Samples, claim: Claim) -> Pretrained:
    """Trains, or goes on where a run was cut off, and fills the output."""
    masks = MaskHistory(heldout, pretext.params.batch) if isinstance(pretext, GuidedMAE) else None
    with pretrained(job, pretext, samples, heldout, claim, masks.keep if masks else None) as done:
        save_pretext(done.folder, pretext)
        for name, arrays in pictures(pretext, heldout, job.budget.seed).items():
            file = _stored(done.folder / f"reconstruction_{name}.npz", arrays)
            done.tracker.log_figure(drawings.reconstruction(file), f"figures/{file.stem}.png")
        if masks is not None:
            file = _stored(done.folder / MASKS, masks.arrays(done.looked))
            done.tracker.log_figure(mask_figure(file), "figures/masks.png")
        final = {f"final/{k}": value for k, value in done.heldout.items()}
        done.tracker.log_metrics(final, step=pretext.params.steps)
        costs = {f"cost/{k}": v for k, v in done.cost.items()}
        done.tracker.log_model(done.folder, name=job.name, metrics=final | costs)
    return done


def _stored(file: Path, arrays: dict[str, np.ndarray]) -> Path:
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    return file
