"""Parsed solids of one's own -> a pretrained encoder in a folder."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from brep_mae import ranks, settings
from brep_mae.checkpoints.backbones import paths_named, weights_named
from brep_mae.checks import SettingsError
from brep_mae.composition.pretext import DataSpec, Pretext, build
from brep_mae.output.folder import Claim, output_folder
from brep_mae.pretraining.method import description, pretrain_method, settings_logged
from brep_mae.pretraining.presets import DEFAULTS, presets
from brep_mae.pretraining.pretraining import Pretraining
from brep_mae.pretraining.sides import divided, parsed_folders, spec_of


@dataclass(frozen=True)
class PretrainReport:
    """What came of it.

    Args:
        train, heldout: number of solids.
        known: solids that were not trained on, because one that is held out is the same.
        loss: on what is held out, after the last step.
        r2: of every term that has one, the share of its variance that is predicted of hidden faces held out.
    """

    method: str
    train: int
    heldout: int
    known: int
    steps: int
    epochs: float
    minutes: float
    loss: float
    r2: dict[str, float]


def pretrain_shards(
    shards: Sequence[Path], out: Path, method: str, steps: int | None, seed: int, config: Path | None
) -> PretrainReport:
    """Fills `out` with an encoder, or goes on where the same call was cut off.

    Args:
        shards: folders that `brep-mae parse` filled.
        method: of `methods` in params.yaml; one that reads faces alone.
        steps: of the training; None = as the settings have it.
        config: settings that differ from those that come with the package, in the form of params.yaml.

    Raises:
        ValueError, RuntimeError, FloatingPointError: of what is wrong; the message names file, reason and remedy.
    """
    params = presets(config)
    origin = str(config or DEFAULTS.name)
    folders = parsed_folders(shards)
    values = _checked(method, params, max(map(sum, (folder.classes for folder in folders))) > 0, origin)
    if steps is not None:
        values |= {"steps": steps}
    budget = params.pretrain.model_copy(update={"seed": seed})
    labelled = _described(method, values, params, origin).reads_labels
    spec = spec_of(folders, labelled)
    with ranks.joined(), _claimed(out) as claim:
        torch.manual_seed(budget.seed)
        pretext = build(method, values, spec, origin)
        sides = divided(folders, pretext.reads, labelled)
        facts = {"data.digest": sides.digest, "data.train": len(sides.train), "seed": seed}
        job = Pretraining(
            module=__name__,
            kind="pretrain",
            name=f"{out.name} ({method})",
            method=method,
            values=values,
            spec=spec,
            digest=sides.digest,
            budget=budget,
            inputs=(method, values, weights_named(values), budget.model_dump(), sides.digest),
            settings=settings_logged(method, values, budget) | facts,
            description=description(method, sides.train, sides.heldout),
            snapshots=False,
            work=claim.work,
        )
        done = pretrain_method(job, pretext, sides.train, sides.heldout, claim)
    return PretrainReport(
        method=method,
        train=len(sides.train),
        heldout=len(sides.heldout),
        known=sides.known,
        steps=pretext.params.steps,
        epochs=pretext.params.steps * min(pretext.params.batch, len(sides.train)) / len(sides.train),
        minutes=done.cost["minutes"],
        loss=done.heldout["loss"],
        r2={key.removeprefix("r2/"): value for key, value in done.heldout.items() if key.startswith("r2/")},
    )


@contextmanager
def _claimed(out: Path) -> Iterator[Claim]:
    """The output, in the first of the processes that train together; the others fill a folder that nobody keeps."""
    if ranks.rank() == 0:
        with output_folder(out) as claim:
            yield claim
        return
    with TemporaryDirectory() as scratch, output_folder(Path(scratch) / out.name) as claim:
        yield claim


def _checked(method: str, params: settings.Params, labels: bool, origin: str) -> dict[str, Any]:
    """The block of a method that can be trained on such folders. Raises SettingsError that says which others can."""
    if method not in params.methods:
        raise SettingsError(f"no method {method}; known are {', '.join(sorted(params.methods))}")
    if lacks := _lacks(method, params, labels, origin):
        others = [name for name in sorted(params.methods) if not _lacks(name, params, labels, origin)]
        raise SettingsError(f"{method} {lacks}, or take one of {', '.join(others)}")
    return dict(params.methods[method])


def _lacks(method: str, params: settings.Params, labels: bool, origin: str) -> str:
    """What a method needs that is not there, and how it comes there; "" = nothing."""
    values = params.methods[method]
    if missing := [path for path in paths_named(values) if not Path(path).exists()]:
        where = f"{origin}: methods.{method}"
        return f"learns from the encoder in {missing[0]}, which is not there; name another in {where}"
    pretext = _described(method, values, params, origin)
    if "frames" in pretext.reads:
        return "reads renders, which parsed folders do not hold; the repository's graph makes them (docs/pipeline.md)"
    if pretext.reads_labels and not labels:
        return "learns from labels, and there are none; put a labels.csv beside the CAD files and parse them again"
    return ""


def _described(method: str, values: dict[str, Any], params: settings.Params, origin: str) -> Pretext:
    """The network without any numbers, as it says what it reads."""
    with torch.device("meta"):
        return build(method, values, DataSpec(params.parse.grid, params.render.size, 1, 1), origin)
