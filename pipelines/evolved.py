"""Stage `evolved`: a method with the weights that stage `evolve` found for it -> models/METHOD, as `pretrain` leaves
it."""

import json
import sys

from brep_mae.checks import SettingsError
from brep_mae.output.folder import output_folder
from brep_mae.output.note import sha256
from pipelines.pretrain import pretrain
from pipelines.shared.params import load
from pipelines.shared.places import BEST_WEIGHTS, MODELS, RESULTS
from pipelines.shared.stage import run_stage


def main(method: str) -> None:
    params, file = load(), RESULTS / "evolve" / method / BEST_WEIGHTS
    if not file.exists():
        raise SettingsError(
            f"{file}: nobody has looked for the weights of {method} yet; dvc repro evolve@{method} does"
        )
    weights = {"weights": json.loads(file.read_text())["weights"]}
    params = params.model_copy(update={"methods": params.methods | {method: params.methods[method] | weights}})
    with output_folder(MODELS / method) as claim:
        pretrain(method, params, claim, {"evolved.sha256": sha256(file)})


if __name__ == "__main__":
    run_stage(main, sys.argv[1])
