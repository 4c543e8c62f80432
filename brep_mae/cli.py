"""`brep-mae`: the same functions as the pipeline, for one's own files."""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import click


@click.group()
def main() -> None:
    """Masked pretraining and few-shot learning on CAD boundary representations."""


def _print(values: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(values, indent=1))
        return
    for key, value in values.items():
        text = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
        click.echo(f"{key:>16}  {text}")


@main.command()
@click.argument("inputs", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="New folder for shards.")
@click.option("--workers", default=os.cpu_count() or 1, show_default=True, help="Processes.")
@click.option("--grid", default=10, show_default=True, help="Samples per side of a UV-grid.")
@click.option("--field-pool", default=1000, show_default=True, help="Field points drawn per face.")
@click.option("--field-samples", default=100, show_default=True, help="Field points kept per face.")
@click.option("--deadline", default=60.0, show_default=True, help="Seconds for one file.")
@click.option("--memory", default=4096, show_default=True, help="MB for one file.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def parse(
    inputs: tuple[Path, ...],
    out: Path,
    workers: int,
    grid: int,
    field_pool: int,
    field_samples: int,
    deadline: float,
    memory: int,
    as_json: bool,
) -> None:
    """STEP files or folders of them -> shards of face graphs."""
    from dataclasses import asdict

    from brep_mae.datasets.source import Source, SourceError, step_files
    from brep_mae.ingest import parse_dataset
    from brep_mae.settings import ParseParams, SplitParams

    if out.exists() and any(out.iterdir()) and not (out / "report.json").is_file():
        raise click.ClickException(f"{out}: holds something else than parsed solids; name a new folder")
    try:
        files = sorted({f.resolve() for p in inputs for f in (step_files(p, 0) if p.is_dir() else [p])})
        root = Path(os.path.commonpath([file.parent for file in files]))
        source = Source("solids", "unknown", root, files, (), (), label=lambda graph: graph)
        settings = ParseParams(
            grid=grid, field_pool=field_pool, field_samples=field_samples, deadline_s=deadline, memory_mb=memory
        )
        work = out.resolve().parent / f".{out.name}.work"
        report = parse_dataset(source, out, settings, SplitParams(validation=0.1, test=0.1), workers, work)
        work.rmdir()
    except (SourceError, ValueError, RuntimeError) as error:
        raise click.ClickException(str(error)) from None
    values = asdict(report)
    if not as_json:
        values["rejects"] = f"{len(report.rejects)}, listed in {out / 'report.json'}"
    _print(values, as_json)


@main.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def inspect(path: Path, as_json: bool) -> None:
    """Counts and types of one STEP file, or of a folder of shards."""
    from brep_mae.schema import CONVEXITY, CURVE_TYPES, SURFACE_TYPES

    try:
        graphs = _graphs(path)
    except (ValueError, RuntimeError) as error:
        raise click.ClickException(str(error)) from None
    counts: dict[str, Counter[str]] = {"surfaces": Counter(), "curves": Counter(), "convexity": Counter()}
    totals: Counter[str] = Counter()
    for graph in graphs:
        counts["surfaces"].update(SURFACE_TYPES[i] for i in graph.face_type)
        counts["curves"].update(CURVE_TYPES[i] for i in graph.arc_type)
        counts["convexity"].update(CONVEXITY[i] for i in graph.arc_convexity)
        totals.update(solids=1, faces=graph.n_faces, arcs=graph.arc_index.shape[1], seam_arcs=int(graph.arc_seam.sum()))
    _print({"path": str(path), **totals, **{k: dict(c.most_common()) for k, c in counts.items()}}, as_json)


def _graphs(path: Path) -> Any:
    if path.is_dir():
        from brep_mae.datasets.shards import open_shards

        return open_shards(path)
    from brep_mae.brep.pool import ParseOptions, parse_files
    from brep_mae.brep.reject import Reject

    options = ParseOptions(path.parent, grid=10, field_pool=16, field_samples=16, deadline_s=600, memory_mb=8192)
    _, found = next(parse_files([path], options, workers=1))
    solids = [found] if isinstance(found, Reject) else found
    if bad := [solid for solid in solids if isinstance(solid, Reject)]:
        raise ValueError(f"{bad[0].reason}: {bad[0].detail}")
    return solids


@main.command()
@click.option("--port", default=5000, show_default=True)
def ui(port: int) -> None:
    """MLflow's pages on the runs of this folder, on this machine only."""
    store = Path("mlflow.db").resolve()
    if not store.exists():
        raise click.ClickException(f"{store}: no runs yet; run `make repro` first")
    # MLflow opens on its page for language models; this address opens on the runs.
    click.echo(f"runs: http://127.0.0.1:{port}/#/experiments/1/runs?workflowType=machine_learning", err=True)
    command = ["mlflow", "ui", "--host", "127.0.0.1", "--port", str(port), "--backend-store-uri", f"sqlite:///{store}"]
    os.execvpe("mlflow", command, os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"})
