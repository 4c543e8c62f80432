"""`brep-mae predict`: what a fitted model, or a task that was learned, says of CAD files."""

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from brep_mae.answers import Answer, LeftOut, SolidAnswers
from brep_mae.cli.shared import existing, found_cad_files, parts

if TYPE_CHECKING:
    from brep_mae.fitted.ask import Answers


@click.command()
@parts
@click.option(
    "--model",
    help="A fitted model: its folder, its name in `models`, or that in MLflow's registry (models:/NAME@ALIAS).",
)
@click.option("--tasks", "folder", type=click.Path(path_type=Path), help="Folder of tasks, in place of a model.")
@click.option("--task", "name", help="Which of the tasks answers.")
@click.option("--csv", "table", type=click.Path(path_type=Path), help="Write a table: file,solid,face,class,share.")
@click.option(
    "--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a page that shows the parts in 3-D."
)
@click.option("--step", type=click.Path(file_okay=False, path_type=Path), help="New folder: STEP coloured by class.")
@click.option("--glb", type=click.Path(file_okay=False, path_type=Path), help="New folder: GLB, a material a class.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON, with every face.")
def predict(
    inputs: tuple[Path, ...],
    model: str | None,
    folder: Path | None,
    name: str | None,
    table: Path | None,
    html: Path | None,
    step: Path | None,
    glb: Path | None,
    workers: int,
    deadline: float,
    memory: int,
    as_json: bool,
) -> None:
    """Classes of the faces, solids or files, by a fitted model or a learned task; each as soon as it is known."""
    from brep_mae.brep.workers.pool import ParseOptions
    from brep_mae.fitted.ask import ask
    from brep_mae.output.folder import output_file
    from brep_mae.progress import progress

    given_tasks = folder is not None and name is not None
    if (model is None) == (folder is None) or (folder is None) != (name is None):
        raise click.UsageError("name a model with --model, or a task with --tasks and --task")
    answered: list[SolidAnswers | LeftOut] = []
    try:
        if table is not None:
            click.get_current_context().with_resource(output_file(table))
        answers, classes, grid, together = (
            _of_task(existing(folder), name) if given_tasks and folder and name else _of_model(model or "")
        )
        given = [Path(os.path.abspath(existing(path))) for path in inputs]  # a link keeps its own name
        files = sorted({file for path in given for file in found_cad_files(path)})
        root = Path(os.path.commonpath([file.parent for file in files]))
        options = ParseOptions(grid, 0, 0, False, False, root, deadline, memory)
        asked = {"task": name} if given_tasks else {"model": model}
        with _printed(asked, as_json) as write, progress(len(files), "predict") as advance:
            for done, each in enumerate(ask(answers, together, files, options, workers), 1):
                for one in each:
                    write(_about(one), _line(one))
                answered += each
                advance(done, "")
        said = [one for one in answered if isinstance(one, SolidAnswers)]
        if table is not None:
            _write_table(table, said)
        if said and (html or step or glb):
            from brep_mae.viewer.outputs import Outputs, write_outputs

            title = f"{len(files)} files by {(folder or Path(model or '')).resolve().name}"
            written = write_outputs(said, classes, Outputs(html, step, glb), title, workers, deadline, memory)
            for file, reject in written.left_out:
                click.echo(f"{file} not written, {reject.reason}: {reject.detail}", err=True)
            click.echo(f"written: {len(written.paths)} files", err=True)
    except (ValueError, RuntimeError) as error:
        raise click.ClickException(str(error)) from None
    if not said:
        raise click.ClickException(f"none of {len(files)} files could be used; the reasons are listed")


def _of_model(named: str) -> "tuple[Answers, Sequence[str], int, bool]":
    """What answers; its classes; the samples of its UV-grids; True = it looks at all solids of a file at once."""
    from brep_mae.fitted.model import load_model
    from brep_mae.tracking.registry import model_folder

    model = load_model(model_folder(named))
    return model.answer, model.classes, model.grid, model.unit == "file"


def _of_task(folder: Path, name: str) -> "tuple[Answers, Sequence[str], int, bool]":
    from brep_mae.checkpoints.backbones import described
    from brep_mae.continual import task_folder
    from brep_mae.datasets.batch import Batch
    from brep_mae.datasets.from_graph import from_graph
    from brep_mae.schema import SURFACE_TYPES, FaceGraph

    model = task_folder.open_tasks(folder)
    number, reads = task_folder.task_number(folder, name), task_folder.reads(model)
    by_face = model.tasks[number].kind == "segmentation"

    def of_solid(path: Path, file: str, graph: FaceGraph) -> SolidAnswers:
        rows = task_folder.predict(model, Batch((graph.uid,), from_graph(graph, reads)), number)
        said = tuple(Answer(tuple(row), min(row.values(), default=0.0), tuple(row.values())) for row in rows)
        surfaces, names = tuple(SURFACE_TYPES[i] for i in graph.face_type), tuple(graph.face_name)
        return SolidAnswers(
            path, file, graph.solid, surfaces, said if by_face else (), None if by_face else said[0], names
        )

    def answers(path: Path, file: str, graphs: Sequence[FaceGraph]) -> list[SolidAnswers]:
        return [of_solid(path, file, graph) for graph in graphs]

    return answers, model.tasks[number].classes, described(folder)[2].grid, False


def _rows(one: SolidAnswers) -> list[dict[str, Any]]:
    """A row for every face, or for every class that is said of the solid."""
    if one.whole is not None:
        shares = one.whole.shares or (one.whole.share,) * len(one.whole.classes)
        named = zip(one.whole.classes, shares, strict=True)
        return [{"class": each, "share": round(share, 4)} for each, share in named]
    return [
        {"face": face, "name": one.face_names[face], "class": answer.name, "share": round(answer.share, 4)}
        for face, answer in enumerate(one.faces)
    ]


def _about(one: SolidAnswers | LeftOut) -> dict[str, Any]:
    about: dict[str, Any] = {"file": one.file, "solid": one.solid}
    if isinstance(one, LeftOut):
        return about | {"reject": one.reason, "detail": one.detail}
    return about | {"rows": _rows(one)}


def _line(one: SolidAnswers | LeftOut) -> str:
    if isinstance(one, LeftOut):
        text = f"left out, {one.reason}: {one.detail}"
    elif one.whole is None:
        text = ", ".join(f"{n} {name}" for name, n in Counter(answer.name for answer in one.faces).most_common())
    else:
        text = ", ".join(f"{row['class']} ({row['share']:.2f})" for row in _rows(one)) or "none of its classes"
    return f"{one.file} solid {one.solid}  {text}"


def _write_table(path: Path, said: list[SolidAnswers]) -> None:
    """The columns of labels.csv, and the share."""
    import csv
    import io

    from brep_mae.output.files import write_whole, written

    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("file", "solid", "face", "class", "share"))
    for one in said:
        for row in _rows(one):
            writer.writerow((one.file, one.solid, row.get("face", ""), row["class"], row["share"]))
    with written(path):
        write_whole(path, text.getvalue())


@contextmanager
def _printed(asked: dict[str, Any], as_json: bool) -> Iterator[Any]:
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

    click.echo(json.dumps(asked)[:-1] + ', "each": [', nl=False)
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
