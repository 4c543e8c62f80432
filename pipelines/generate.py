"""Stage generate: makes the embedded parts, where the data set is not one from outside."""

import os
import shutil

from brep_mae.output.files import link_or_copy
from brep_mae.output.folder import output_folder
from brep_mae.pretraining.unfinished import unfinished
from pipelines.shared.params import load
from pipelines.shared.places import SOURCE
from pipelines.shared.stage import run_stage


def main() -> None:
    params = load()
    if params.dataset.name == "generated":
        from brep_mae.generate.generate import generate

        about = params.generate
        with output_folder(SOURCE) as claim, unfinished("pipelines.generate", SOURCE, about.model_dump()) as work:
            report = generate(work / "parts", about.kind, about.solids, about.seed, os.cpu_count() or 1)
            with claim.filled() as new:
                shutil.copytree(work / "parts", new, copy_function=link_or_copy, dirs_exist_ok=True)
        rejected = ", ".join(f"{count} {reason}" for reason, count in report.rejected.items()) or "none"
        print(f"{report.solids} solids from {report.attempts} attempts; drawn again: {rejected}")
    else:
        with output_folder(SOURCE) as claim, claim.filled():
            print(f"{params.dataset.name}: nothing to make")


if __name__ == "__main__":
    run_stage(main)
