"""`brep-mae export`: a pretrained encoder for other programs."""

from pathlib import Path

import click

from brep_mae.cli.shared import told


@click.command()
@click.argument("named")
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="File; its suffix decides.")
def export(named: str, out: Path) -> None:
    """The encoder NAMED, as `models` lists it or a folder, for other programs: torch.export (.pt2), ONNX (.onnx) or, of
    images, timm's weights (.safetensors)."""
    from brep_mae.checkpoints import export as exports
    from brep_mae.checkpoints.listed import encoder_in
    from brep_mae.output.folder import output_file
    from brep_mae.tracking.registry import model_folder

    with told(), output_file(out):
        exports.export(encoder_in(model_folder(named)), out)
    click.echo(f"{out}: {out.stat().st_size / 1e6:.1f} MB")
