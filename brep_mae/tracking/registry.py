"""Models of MLflow's registry: which there are, and the folder of one that is named as MLflow names it.

Of what was registered only a folder of ours is read, weights and JSON; code that MLflow keeps beside it never runs.
"""

import atexit
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brep_mae.checkpoints.listed import find, listed
from brep_mae.checkpoints.weights import CheckpointError
from brep_mae.tracking import tracking

SCHEME = "models:/"


@dataclass(frozen=True)
class Registered:
    """One version of a registered model: models:/NAME/VERSION, and for each of its aliases models:/NAME@ALIAS."""

    name: str
    aliases: tuple[str, ...]
    description: str


def model_folder(name: str) -> Path:
    """The folder of an encoder or a fitted model. Raises CheckpointError with the reason and the remedy.

    Args:
        name: `models:/NAME@ALIAS` or `models:/NAME/VERSION` of MLflow's registry, which is copied to a folder that goes
            when this process ends; else the name of a model that comes with this package, or a folder.
    """
    return _copied(name) if name.startswith(SCHEME) else find(name)


def registered() -> list[Registered]:
    """All versions of all registered models, by name; none where there is no store yet.

    Raises CheckpointError where the store cannot be read.
    """
    uri = tracking.tracking_uri()
    if uri.startswith("sqlite:") and not Path(uri.partition(":///")[2].partition("?")[0]).is_file():
        return []
    with _mlflow(uri) as mlflow:
        client = mlflow.MlflowClient(uri)
        aliases = {model.name: model.aliases for model in client.search_registered_models()}
        versions = sorted(client.search_model_versions(), key=lambda one: (one.name, int(one.version)))
    found = []
    for one in versions:
        ours = sorted(alias for alias, version in aliases[one.name].items() if int(version) == int(one.version))
        names = tuple(f"{SCHEME}{one.name}@{alias}" for alias in ours)
        found.append(Registered(f"{SCHEME}{one.name}/{one.version}", names, one.description or ""))
    return found


def _copied(name: str) -> Path:
    uri, holder = tracking.tracking_uri(), tempfile.TemporaryDirectory(prefix="brep_mae-model-")
    atexit.register(holder.cleanup)
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    with _mlflow(uri, f"{name}: ") as mlflow:
        mlflow.artifacts.download_artifacts(artifact_uri=name, dst_path=holder.name, tracking_uri=uri)
    root = Path(holder.name)
    # MLflow keeps the folder that a run logged below `artifacts`, and one that was registered as it is at the top.
    models = listed(root) or listed(root / "artifacts")
    if len(models) != 1:
        raise CheckpointError(f"{name}: holds {len(models)} models of this package, not 1; register a model's folder")
    return models[0].folder


@contextmanager
def _mlflow(uri: str, name: str = "") -> Iterator[Any]:
    """MLflow; what it refuses becomes a CheckpointError."""
    mlflow = tracking.open_mlflow()
    if mlflow is None:
        raise CheckpointError(f"{name}the registry needs MLflow; install it with pip install mlflow, or name a folder")
    try:
        yield mlflow
    except (mlflow.exceptions.MlflowException, OSError) as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise CheckpointError(
            f"{name}{reason}, in the store {uri}; `brep-mae models` lists what is registered, and MLFLOW_TRACKING_URI "
            "names another store"
        ) from None
