"""`brep-mae task`: label sets added one by one."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from brep_mae.cli.commands import Commands
from brep_mae.cli.shared import existing, print_values, told

if TYPE_CHECKING:
    from brep_mae.continual.knowledge_transfer import Transfer
    from brep_mae.continual.supermask import Kind

TASKS = click.option("--tasks", "folder", required=True, type=click.Path(path_type=Path), help="Folder of the tasks.")
KINDS = ("segmentation", "classification", "multilabel")


@click.group(cls=Commands)
def task() -> None:
    """Label sets that one network learns one after another, without losing any (supermasks)."""


@task.command("add")
@click.argument("name")
@TASKS
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder of labelled shards.")
@click.option("--encoder", "named", help="Pretrained encoder, as `models` lists it, or a folder; first task only.")
@click.option(
    "--kind",
    default=KINDS[0],
    show_default=True,
    type=click.Choice(KINDS),
    help="What has a class: faces; solids; or all classes that a solid's faces show.",
)
@click.option("--classes", default="", help="Comma-separated; all that training solids show where left out.")
@click.option("--steps", default=150, show_default=True, type=click.IntRange(1), help="For the mask, and for weights.")
@click.option("--density", default=0.2, show_default=True, help="Share of the weights a task uses; first task only.")
@click.option("--max-classes", default=64, show_default=True, help="Of any task to come; first task only.")
@click.option(
    "--transfer",
    default="best",
    show_default=True,
    type=click.Choice(["none", "best", "all", "always"]),
    help="Which earlier mask the search starts from.",
)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def task_add(
    name: str,
    folder: Path,
    data: Path,
    named: str | None,
    kind: "Kind",
    classes: str,
    steps: int,
    density: float,
    max_classes: int,
    transfer: "Transfer",
    as_json: bool,
) -> None:
    """Learn the task NAME from labelled shards and keep it; earlier tasks answer as before, bit for bit."""
    from brep_mae.checkpoints.backbones import require_grid
    from brep_mae.checkpoints.listed import encoder_in
    from brep_mae.continual import task_folder
    from brep_mae.continual.class_tasks import solids_in, stored_task
    from brep_mae.output.folder import growing_folder
    from brep_mae.settings import TaskParams
    from brep_mae.tracking.registry import model_folder

    params = TaskParams(mask_steps=steps, weight_steps=steps, transfer=transfer, margin=2.0)
    try:
        encoder = None if named is None else encoder_in(model_folder(named))
        click.get_current_context().with_resource(growing_folder(folder, task_folder.room(folder, encoder)))
        if any(folder.glob("task_*")):
            if encoder is not None:
                raise ValueError(f"{folder}: its tasks have their encoder; leave --encoder out, or name a new folder")
            model = task_folder.open_tasks(folder)
        elif encoder is None:
            raise ValueError(f"{folder}: no tasks yet; name a pretrained encoder with --encoder")
        else:
            model = task_folder.new_tasks(encoder, max_classes, density, "pretrained")
        reads = task_folder.reads(model)
        if "frames" in reads:
            raise ValueError(f"{encoder or folder}: the encoder reads renders; name one that reads faces alone")
        wanted = [each.strip() for each in classes.split(",") if each.strip()]
        require_grid(encoder or folder, existing(data))
        learned = stored_task(data, kind, wanted, params.batch, name, reads)
        added = task_folder.add_task(model, learned, params, folder, encoder or folder, _echo_step)
    except (ValueError, RuntimeError, OSError, FloatingPointError) as error:
        raise click.ClickException(str(error)) from None
    if added.full:
        click.echo("the network is full: from now on tasks own no weights, their masks alone answer", err=True)
    elif not added.report.own:
        click.echo("the task owns no weights, for earlier ones use all of its mask: the mask alone answers", err=True)
    scores = {"validation": added.report.val_accuracy, "test": added.test}
    solids = {"train": solids_in(learned.train), "validation": solids_in(learned.val), "test": solids_in(learned.test)}
    values: dict[str, Any] = {"task": name, "classes": list(learned.classes), "solids": solids, **scores}
    if not as_json:
        values |= {side: _told(side, score, solids[side]) for side, score in scores.items()}
    values |= {
        "weights_owned": added.report.own,
        "earlier_unmoved": added.unmoved,
        "file": str(added.path),
        "bytes": added.size,
    }
    print_values(values, as_json)


def _told(side: str, score: float | None, solids: int) -> str:
    if score is None:
        return f"no {side}: too few labelled solids"
    return f"{score:.2f} on {solids} solid{'s' if solids > 1 else ''}"


def _echo_step(name: str, step: int, steps: int, metrics: dict[str, float]) -> None:
    text = f"validation {metrics['val_accuracy']:.3f}" if "val_accuracy" in metrics else f"loss {metrics['loss']:.3f}"
    click.echo(f"{name} {step}/{steps}, {text}", err=True)


@task.command("remove")
@click.argument("name")
@TASKS
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def task_remove(name: str, folder: Path, as_json: bool) -> None:
    """Forget the task NAME and free what it alone holds; all other tasks answer as before, bit for bit."""
    from brep_mae.continual import task_folder
    from brep_mae.output.folder import growing_folder

    with told(), growing_folder(existing(folder)):
        freed, kept = task_folder.remove(folder, name)
    print_values({"removed": name, "weights_freed": freed, "weights_others_read": kept}, as_json)


@task.command("export")
@click.argument("name")
@TASKS
@click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="New folder with this task alone."
)
def task_export(name: str, folder: Path, out: Path) -> None:
    """Copy the task NAME into a folder of its own, for `predict --tasks` there; it answers the same, bit for bit."""
    from brep_mae.continual import task_folder
    from brep_mae.output.folder import output_folder

    with told(), output_folder(out, task_folder.room(existing(folder), None)) as claim, claim.filled() as new:
        task_folder.export(folder, name, new)
    click.echo(f"{out}: task {name}")


@task.command("list")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def task_list(folder: Path, as_json: bool) -> None:
    """The tasks of a folder, each file checked against its checksum."""
    from brep_mae.continual.supermask_store import list_tasks

    try:
        headers = list_tasks(existing(folder))
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    print_values({header.name: f"{header.kind} of {', '.join(header.classes)}" for header in headers}, as_json)
