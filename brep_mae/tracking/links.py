"""Where on MLflow's pages the runs are, and the comparison to begin with."""

import json
from typing import Any
from urllib.parse import quote

from brep_mae.tracking.experiments import PARENT, experiment_name
from brep_mae.tracking.tracking import open_mlflow

MOST = 30
"""Runs in the comparison: an address can only be so long."""


def links(uri: str, port: int) -> dict[str, str]:
    """What is seen -> its address, once the pages of the store are served at that port of this machine."""
    pages = f"http://127.0.0.1:{port}/#"
    found = {"runs": f"{pages}/experiments"}
    if (compared := _pretrainings(uri)) is not None:
        experiment, runs = compared
        found["compare pretrainings"] = f"{pages}/compare-runs?runs={_listed(runs)}&experiments={_listed([experiment])}"
    return found


def _pretrainings(uri: str) -> tuple[str, list[str]] | None:
    """The experiment, and of every name its latest finished run, by name; None where there are not two to compare."""
    mlflow = open_mlflow()
    if mlflow is None:
        return None
    client: Any = mlflow.MlflowClient(uri)
    experiment = client.get_experiment_by_name(experiment_name("pretrain"))
    if experiment is None:
        return None
    runs = client.search_runs([experiment.experiment_id], "attributes.status = 'FINISHED'")  # the latest come first
    latest: dict[str, str] = {}
    for run in runs:
        if PARENT not in run.data.tags:
            latest.setdefault(run.info.run_name, run.info.run_id)
    named = sorted(list(latest.items())[:MOST])
    return (experiment.experiment_id, [run for _, run in named]) if len(named) > 1 else None


def _listed(ids: list[str]) -> str:
    return quote(json.dumps(ids, separators=(",", ":")), safe="[],")
