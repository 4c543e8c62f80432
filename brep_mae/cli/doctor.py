"""`brep-mae doctor`: what this machine has of what is needed."""

import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import click

LEAST_MEMORY_GB = 4
WITHOUT = {
    "dvc": "the graphs of `make repro` cannot run; all commands can",
    "mlflow": "runs are kept as lines of JSON in runs/",
    "plotly": "there are no pages of parts",
}
"""Library that commands go without -> what is not to be had then."""
LIMITS = 60.0, 4000
"""Seconds and MB for a trial in a worker."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `fine` False: it is missing or does not work, `remedy` says what to do; `needed`
    False: all else works without it."""

    name: str
    found: str
    fine: bool = True
    needed: bool = True
    remedy: str = ""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def doctor(as_json: bool) -> None:
    """Whether this machine has what is needed, and how to get what it lacks; exit code 1 where it lacks something."""
    import json

    findings = []
    for one in look():
        findings.append(one)
        if not as_json:
            click.echo(f"{'ok' if one.fine else 'MISSING' if one.needed else 'without':>8}  {one.name}: {one.found}")
            if one.remedy:
                click.echo(f"{'':>10}remedy: {one.remedy}")
    ill = [one.name for one in findings if one.needed and not one.fine]
    if as_json:
        click.echo(json.dumps({"fine": not ill, "findings": [asdict(one) for one in findings]}, indent=1))
    if ill:
        raise click.ClickException(f"{', '.join(ill)}: missing or not working; the remedies stand above")


def look() -> Iterator[Finding]:
    """All findings, the quick ones first."""
    version = platform.python_version()
    known = (3, 11) <= sys.version_info < (3, 14)
    yield Finding("Python", version, known, remedy="" if known else "install Python 3.11 to 3.13")
    yield from _libraries()
    yield _place("this folder", Path.cwd())
    yield _place("temporary files", Path(tempfile.gettempdir()))
    yield from _machine()
    yield _gpu()
    yield from _kernel()


def _libraries() -> Iterator[Finding]:
    """Every library that this package asks for, by its own list."""
    from packaging.requirements import Requirement

    try:
        wanted = [Requirement(line) for line in metadata.requires("brep-mae") or ()]
    except metadata.PackageNotFoundError:
        yield Finding("brep-mae", "not installed", False, remedy="pip install . in the top folder of the repository")
        return
    for each in wanted:
        if each.marker and not each.marker.evaluate({"extra": ""}):
            continue
        try:
            found = metadata.version(each.name)
        except metadata.PackageNotFoundError:
            found = "not installed"
        fine = found != "not installed" and each.specifier.contains(found, prereleases=True)
        needed = each.name not in WITHOUT
        lost = "" if fine or needed else f"; without it {WITHOUT[each.name]}"
        wish = f"pip install '{each.name}{each.specifier}'"
        yield Finding(each.name, found + lost, fine, needed, "" if fine else wish)


def _place(name: str, folder: Path) -> Finding:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return Finding(name, f"{folder} can be written to")
    except OSError as error:
        remedy = "go to a folder of yours, or name a place elsewhere with --out; TMPDIR names one for temporary files"
        return Finding(name, f"{folder}: {error.strerror}", False, remedy=remedy)


def _machine() -> Iterator[Finding]:
    import psutil

    memory = psutil.virtual_memory()
    free, total = (size / 2**30 for size in (memory.available, memory.total))
    enough = free >= LEAST_MEMORY_GB
    remedy = "" if enough else "end other programs, or use fewer --workers and less --memory for a file"
    yield Finding("memory", f"{free:.1f} of {total:.1f} GB free", enough, False, remedy)
    yield Finding("cores", str(os.cpu_count()))


def _gpu() -> Finding:
    try:
        import torch

        if torch.cuda.is_available():
            return Finding("GPU", torch.cuda.get_device_name())
        return Finding("GPU", "none that torch can use; all runs on the CPU", False, False)
    except (ImportError, OSError) as error:
        return Finding("torch", f"cannot be imported: {error}", False, remedy="pip install --force-reinstall torch")


def _kernel() -> Iterator[Finding]:
    """A box that is written, read and drawn in worker processes."""
    from brep_mae.brep.reject import Reject
    from brep_mae.brep.render.pool import RenderOptions, render_files
    from brep_mae.brep.workers.pool import run_files
    from brep_mae.brep.workers.trial import write_and_read_box

    options = RenderOptions(1, 32, *LIMITS, split_closed=False)
    with tempfile.TemporaryDirectory() as folder:
        box = Path(folder) / "box.step"
        try:
            _, faces = next(run_files([box], options, 1, write_and_read_box))
        except RuntimeError as error:
            yield _not_working("CAD kernel", str(error))
            return
        if faces != 6:
            said = faces.detail if isinstance(faces, Reject) else f"{faces} faces"
            yield _not_working("CAD kernel", f"a box was not read as it was written: {said}")
            return
        yield Finding("CAD kernel", "a box was written and read in a worker process")
        try:
            _, drawn = next(render_files([box], options, 1))
        except RuntimeError as error:
            yield _not_working("pictures", str(error))
            return
        solids = drawn.values() if isinstance(drawn, dict) else [drawn]
        reasons = [solid.detail for solid in solids if isinstance(solid, Reject)]
        if reasons or not solids:
            yield _not_working("pictures", f"a box could not be drawn: {'; '.join(reasons)}")
            return
        yield Finding("pictures", f"a box was drawn, {'on a display' if os.environ.get('DISPLAY') else 'no display'}")


def _not_working(name: str, found: str) -> Finding:
    told, _, remedy = found.partition("; remedy: ")
    return Finding(name, told, False, remedy=remedy or "on Debian: apt-get install libgl1 libegl1")
