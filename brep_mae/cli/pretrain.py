"""`brep-mae pretrain`: shards -> an encoder."""

import os
from pathlib import Path

import click

from brep_mae.cli.shared import existing, print_values


@click.command()
@click.argument("shards", nargs=-1, required=True, type=click.Path(file_okay=False, path_type=Path))
@click.option("--method", required=True, help="Such as attribute_masking; docs/methods.md lists them.")
@click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="New folder for the encoder."
)
@click.option("--steps", type=click.IntRange(1), help="Of the training; else as the method's settings have it.")
@click.option("--seed", default=0, type=click.IntRange(0), show_default=True, help="Of all that is drawn.")
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="YAML file like params.yaml; what it says goes before the settings that come with the package.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def pretrain(
    shards: tuple[Path, ...], method: str, out: Path, steps: int | None, seed: int, config: Path | None, as_json: bool
) -> None:
    """Pretrain an encoder on folders of shards, without their labels; the same command goes on after a kill."""
    from dataclasses import asdict

    from brep_mae.pretraining.from_shards import pretrain_shards

    try:
        given, own = [existing(folder) for folder in shards], config and existing(config)
        report = pretrain_shards(given, out, method, steps, seed, own)
    except (ValueError, RuntimeError, OSError, FloatingPointError) as error:
        raise click.ClickException(str(error)) from None
    if os.environ.get("RANK", "0") != "0":  # set by torchrun: the first process tells
        return
    values = {"encoder": str(out), **asdict(report)}
    if not as_json:
        left_out = f"; {report.known} more are the same as one of these" if report.known else ""
        values |= {
            "train": f"{report.train} solids, each met {report.epochs:.1f} times",
            "heldout": f"{report.heldout} solids{left_out}",
            "minutes": f"{report.minutes:.1f}",
            "loss": f"{report.loss:.3f} on what is held out",
            "r2": {term: f"{value:.2f}" for term, value in report.r2.items()},
            "next": f"brep-mae fit my_parts/ --encoder {out} --out model",
        }
        del values["known"], values["epochs"]
    print_values(values, as_json)
