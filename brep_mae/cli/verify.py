"""`brep-mae verify`: whether every file in a folder of ours is still what was written into it."""

from pathlib import Path

import click

from brep_mae.cli.shared import existing


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
def verify(folders: tuple[Path, ...]) -> None:
    """Reads every byte of FOLDERS that `parse` or a stage filled, and names what was changed or lost since."""
    from brep_mae.output.note import noted, sha256
    from brep_mae.progress import progress

    wrong = []
    for folder in folders:
        written = noted(existing(folder))
        if not written:
            raise click.ClickException(f"{folder}: holds no note of this program; name a folder that it has filled")
        with progress(len(written), f"verify {folder.name}") as advance:
            for done, (name, digest) in enumerate(sorted(written.items()), 1):
                path = folder / name
                if not path.is_file():
                    wrong.append(f"{path}: is missing")
                elif sha256(path) != digest:
                    wrong.append(f"{path}: was changed since it was written")
                advance(done, f"{len(wrong)} wrong" if wrong else "")
        click.echo(f"{folder}: {len(written)} files read")
    if wrong:
        raise click.ClickException("\n".join([*wrong, "restore these files from a copy, or make the folder again"]))
