"""`brep-mae render`: pictures of CAD files."""

import os
from pathlib import Path
from typing import Any

import click

from brep_mae.cli.shared import existing, found_cad_files, limits, print_values


@click.command()
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="New folder for pictures.")
@click.option("--views", default=4, type=click.IntRange(1, 360), show_default=True, help="Pictures of a turn.")
@click.option("--size", default=256, type=click.IntRange(16, 4096), show_default=True, help="Pixels a side.")
@click.option("--workers", default=os.cpu_count() or 1, type=click.IntRange(1), show_default=True, help="Processes.")
@limits
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def render(
    inputs: tuple[Path, ...],
    out: Path,
    views: int,
    size: int,
    workers: int,
    deadline: float,
    memory: int,
    as_json: bool,
) -> None:
    """CAD files or folders of them -> PNG pictures from all around each solid, named FILE-SOLID-VIEW.png."""
    from PIL import Image

    from brep_mae.brep.reject import Reject
    from brep_mae.brep.render.pool import RenderOptions, render_files
    from brep_mae.cad_files import printable
    from brep_mae.output.folder import output_folder
    from brep_mae.progress import progress

    given = [Path(os.path.abspath(existing(path))) for path in inputs]  # a link keeps its own name
    files = sorted({file for path in given for file in found_cad_files(path)})
    root = Path(os.path.commonpath([file.parent for file in files]))
    options = RenderOptions(views, size, deadline, memory, split_closed=False)
    drawn, left_out = 0, []
    try:
        with output_folder(out) as claim, claim.filled() as new, progress(len(files), "render") as advance:
            for done, (path, found) in enumerate(render_files(files, options, workers), 1):
                file = path.relative_to(root)
                solids = found if isinstance(found, dict) else {f"{file}#0": found}
                for uid, solid in solids.items():
                    number = uid.rpartition("#")[2]
                    if isinstance(solid, Reject):
                        left_out.append({"file": printable(str(file)), "solid": int(number), "reason": solid.detail})
                        continue
                    (new / file).parent.mkdir(parents=True, exist_ok=True)
                    for view, pixels in enumerate(solid.image):
                        Image.fromarray(pixels).save(new / file.parent / f"{file.name}-{number}-{view}.png")
                    drawn += 1
                advance(done, f"{len(left_out)} left out" if left_out else "")
            if not drawn:
                reason = left_out[0]["reason"] if left_out else "none holds a solid; `brep-mae inspect` says why"
                raise ValueError(f"none of {len(files)} files could be drawn: {reason}")
    except (ValueError, RuntimeError) as error:
        raise click.ClickException(str(error)) from None
    values: dict[str, Any] = {"solids": drawn, "pictures": drawn * views, "left_out": left_out, "folder": str(out)}
    for each in left_out:
        click.echo(f"left out: {each['file']} solid {each['solid']}: {each['reason']}", err=True)
    print_values(values if as_json else values | {"left_out": len(left_out)}, as_json)
