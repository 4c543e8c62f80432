"""`brep-mae predict`: what a task that was learned says of CAD files."""

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from brep_mae.cli.shared import existing, found_cad_files, limits

if TYPE_CHECKING:
    from brep_mae.continual.supermask import SupermaskModel

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


@click.command()
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--tasks", "folder", required=True, type=click.Path(path_type=Path), help="Folder of the tasks.")
@click.option("--task", "name", required=True, help="Which of them answers.")
@click.option("--workers", default=os.cpu_count() or 1, type=click.IntRange(1), show_default=True, help="Processes.")
@limits
@click.option("--json", "as_json", is_flag=True, help="Print as JSON, with every face.")
def predict(
    inputs: tuple[Path, ...], folder: Path, name: str, workers: int, deadline: float, memory: int, as_json: bool
) -> None:
    """Classes of the faces or solids of CAD files, by a task that was learned; each as soon as it is known."""
    from brep_mae.brep.workers.pool import ParseOptions
    from brep_mae.checkpoints.backbones import described
    from brep_mae.continual import task_folder
    from brep_mae.progress import progress

    answered = 0
    try:
        model = task_folder.open_tasks(existing(folder))
        number = task_folder.task_number(folder, name)
        given = [Path(os.path.abspath(existing(path))) for path in inputs]  # a link keeps its own name
        files = sorted({file for path in given for file in found_cad_files(path)})
        root = Path(os.path.commonpath([file.parent for file in files]))
        options = ParseOptions(described(folder)[2].grid, 0, 0, False, False, root, deadline, memory)
        by_face = model.tasks[number].kind == "segmentation"
        with _printed(name, as_json) as write, progress(len(files), "predict") as advance:
            for done, each in enumerate(_answers(model, number, files, options, workers), 1):
                for about in each:
                    write(about, _line(about, by_face))
                    answered += "rows" in about
                advance(done, "")
    except KeyboardInterrupt:
        raise click.exceptions.Exit(INTERRUPTED) from None
    except (ValueError, RuntimeError) as error:
        raise click.ClickException(str(error)) from None
    if not answered:
        raise click.ClickException(f"none of {len(files)} files could be used; the reasons are listed")


def _answers(
    model: "SupermaskModel", number: int, files: list[Path], options: Any, workers: int
) -> Iterator[list[dict[str, Any]]]:
    """For every file what is said of its solids, or why not."""
    from brep_mae.brep.reject import Reject
    from brep_mae.brep.workers.pool import parse_files
    from brep_mae.cad_files import printable
    from brep_mae.continual import task_folder
    from brep_mae.datasets.batch import Batch
    from brep_mae.datasets.from_graph import from_graph

    reads = task_folder.reads(model)
    for path, found in parse_files(files, options, workers):
        each: list[dict[str, Any]] = []
        for place, solid in enumerate([found] if isinstance(found, Reject) else found):
            about: dict[str, Any] = {"file": printable(path.relative_to(options.root).as_posix()), "solid": place}
            if isinstance(solid, Reject):
                each.append(about | {"reject": solid.reason, "detail": solid.detail})
                continue
            try:
                answers = task_folder.predict(model, Batch((solid.uid,), from_graph(solid, reads)), number)
            except (MemoryError, RuntimeError) as error:
                if not isinstance(error, MemoryError) and "allocate memory" not in str(
                    error
                ):  # torch has no error for it
                    raise
                detail = f"{solid.n_faces} faces need more memory than there is; free some, or use a larger machine"
                each.append(about | {"reject": "memory", "detail": detail})
                continue
            rows = [{"class": c, "share": round(s, 4)} for answer in answers for c, s in answer.items()]
            if model.tasks[number].kind == "segmentation":
                named = zip(solid.face_name, rows, strict=True)
                rows = [{"face": i, "name": face, **row} for i, (face, row) in enumerate(named)]
            each.append(about | {"rows": rows})
        yield each


def _line(about: dict[str, Any], by_face: bool) -> str:
    rows = about.get("rows", [])
    told = [f"{row['class']} ({row['share']:.2f})" for row in rows]
    if by_face:
        told = [f"{count} {label}" for label, count in Counter(row["class"] for row in rows).most_common()]
    text = ", ".join(told) or "none of its classes"
    if "reject" in about:
        text = f"left out, {about['reject']}: {about['detail']}"
    return f"{about['file']} solid {about['solid']}  {text}"


@contextmanager
def _printed(name: str, as_json: bool) -> Iterator[Any]:
    """Yields what prints one answer at once, as JSON or for a person. The JSON is closed however the body ends."""
    if not as_json:
        yield lambda about, line: click.echo(line)
        return
    begun = False

    def write(about: dict[str, Any], line: str) -> None:
        nonlocal begun
        with _unbroken():
            click.echo(("," if begun else "") + "\n  " + json.dumps(about), nl=False)
            begun = True

    click.echo(f'{{\n "task": {json.dumps(name)},\n "each": [', nl=False)
    try:
        yield write
    finally:
        click.echo("\n ]\n}")


@contextmanager
def _unbroken() -> Iterator[None]:
    """Ctrl-C waits until the body has ended, so that no answer is printed by half."""
    came: list[bool] = []
    before = signal.signal(signal.SIGINT, lambda *_: came.append(True))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        raise KeyboardInterrupt
