"""Experiment tracking: one MLflow run per pipeline stage, with child runs inside it, in an experiment for each kind.

The only module that imports MLflow, and only once a run starts; where MLflow is not installed the same calls write
JSON lines below `runs/`. The store is MLFLOW_TRACKING_URI, else `mlflow.db` in the repository; its artifacts lie in
`mlartifacts` beside it. MLflow keeps that folder as an absolute path: after a move of the repository, start a new
store or serve the old one from its old place.
"""

import importlib.metadata
import logging
import os
import re
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock
from matplotlib.figure import Figure

from brep_mae.output.files import write_whole
from brep_mae.tracking.experiments import DESCRIPTION, KINDS, PARENT, experiment_name
from brep_mae.tracking.jsonl import Finite, JsonLinesTracker, Silent, Tracker, closing, open_folder, plain
from brep_mae.tracking.provenance import environment, provenance, root

__all__ = ["Tracker", "run", "tracking_uri"]

MODEL_CODE = Path(__file__).with_name("mlflow_model.py")
QUIET_MODELS = {"MLFLOW_SKIP_PIP_REQUIREMENTS_CHECK": "true", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}
MODEL_NEEDS = ("torch", "torch-geometric", "safetensors", "pyarrow", "numpy")
FLUSH_METRICS, FLUSH_S = 500, 5.0  # one transaction per batch: SQLite spends milliseconds on each
MAX_CHILDREN = 5000
MAX_PARAMS, MAX_METRICS, MAX_TEXT = 100, 900, 6000  # what MLflow takes in one batch, and in one value


def tracking_uri() -> str:
    """Where runs are kept. Never a relative path, so that every stage finds the same store."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(root() / 'mlflow.db').as_posix()}"


def open_mlflow() -> Any:
    """MLflow, quiet and without telemetry, or None where it cannot be imported."""
    for key in ("MLFLOW_DISABLE_TELEMETRY", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"):
        os.environ.setdefault(key, "true")
    try:
        import mlflow
    except ImportError:
        return None
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return mlflow


@dataclass(frozen=True)
class _Store:
    """What all runs of a process share: the MLflow module, a client, the experiment's id, the filter of metrics."""

    mlflow: Any
    client: Any
    experiment: str
    finite: Finite


def _open_store(mlflow: Any, kind: str) -> _Store:
    """Opens the store, or makes it, and the experiment of that kind in it. That happens under a lock: two migrations at
    once break each other."""
    uri = tracking_uri()
    home = root()
    if uri.startswith("sqlite:"):
        home = Path(uri.partition(":///")[2].partition("?")[0]).absolute().parent
    home.mkdir(parents=True, exist_ok=True)
    artifacts = None if uri.startswith(("http:", "https:", "databricks")) else (home / "mlartifacts").as_uri()
    with FileLock(home / "mlflow.db.lock", timeout=300):
        client = mlflow.MlflowClient(uri)
        name = experiment_name(kind)
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            tags = {DESCRIPTION: KINDS[kind]} if kind in KINDS else {}
            made = client.create_experiment(name, artifact_location=artifacts, tags=tags)
            return _Store(mlflow, client, made, Finite())
        if experiment.lifecycle_stage == "deleted":
            client.restore_experiment(experiment.experiment_id)
        return _Store(mlflow, client, experiment.experiment_id, Finite())


class MlflowTracker:
    """One MLflow run; settings and metrics are gathered and written in batches.

    Args:
        inherited: tags that its children have as well.
        run_id: of the run that is gone on with. Its settings stay as they were logged at first, and a child of a name
            that it has is gone on with too.
    """

    def __init__(
        self, store: _Store, name: str, tags: Mapping[str, str], inherited: Mapping[str, str], run_id: str | None = None
    ) -> None:
        self._store, self._mlflow, self._client, self._inherited = store, store.mlflow, store.client, dict(inherited)
        all_tags = {**inherited, **{key: str(value) for key, value in tags.items()}}
        self._known: set[str] = set()
        self._children: dict[str, str] = {}
        if run_id is None:
            self.run_id: str = self._client.create_run(store.experiment, tags=all_tags, run_name=name).info.run_id
        else:
            self.run_id = run_id
            self._client.update_run(run_id, status="RUNNING")
            run = self._client.get_run(run_id)
            self._known = set(run.data.params)
            inside = f"tags.`{PARENT}` = '{run_id}'"
            for child in self._client.search_runs([run.info.experiment_id], inside, max_results=MAX_CHILDREN):
                self._children[child.info.run_name] = child.info.run_id
        self._params: list[Any] = []
        self._metrics: list[Any] = []
        self._tags: list[Any] = []
        self._flushed = time.monotonic()

    def log_params(self, params: Mapping[str, Any]) -> None:
        make = self._mlflow.entities.Param
        new = {key: str(value)[:MAX_TEXT] for key, value in plain(params).items() if key not in self._known}
        self._params += [make(key, value) for key, value in new.items()]

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        make, now_ms = self._mlflow.entities.Metric, int(time.time() * 1000)
        self._metrics += [make(key, value, now_ms, step) for key, value in self._store.finite(metrics).items()]
        if len(self._metrics) >= FLUSH_METRICS or time.monotonic() - self._flushed > FLUSH_S:
            self.flush()

    def set_tags(self, tags: Mapping[str, str]) -> None:
        self._tags += [self._mlflow.entities.RunTag(key, str(value)) for key, value in tags.items()]

    def flush(self) -> None:
        """Writes what was gathered."""
        while self._params or self._metrics or self._tags:
            self._client.log_batch(
                self.run_id, self._metrics[:MAX_METRICS], self._params[:MAX_PARAMS], self._tags[:MAX_PARAMS]
            )
            del self._metrics[:MAX_METRICS], self._params[:MAX_PARAMS], self._tags[:MAX_PARAMS]
        self._flushed = time.monotonic()

    def log_figure(self, figure: Figure, name: str) -> None:
        self._client.log_figure(self.run_id, figure, name)

    def log_file(self, path: Path, folder: str = "") -> None:
        self._client.log_artifact(self.run_id, str(path), folder or None)

    def log_model(self, folder: Path, name: str, metrics: Mapping[str, float]) -> None:
        with _current(self._mlflow, self._client, self.run_id):
            model = self._mlflow.pyfunc.log_model(
                name=re.sub(r"[/:.%\"']", "_", name),  # what MLflow forbids in a model's name
                python_model=str(MODEL_CODE),
                artifacts={"checkpoint": str(folder)},
                pip_requirements=[f"{need}=={importlib.metadata.version(need)}" for need in MODEL_NEEDS],
                signature=_signature(self._mlflow),
            )
        for key, value in self._store.finite(metrics).items():
            self._client.log_metric(self.run_id, key, value, model_id=model.model_id)

    @contextmanager
    def child(self, name: str, tags: Mapping[str, str] = {}) -> Iterator[Tracker]:
        inherited = {**self._inherited, PARENT: self.run_id}
        known = self._children.get(name)
        with closing(MlflowTracker(self._store, name, tags, inherited, known)) as tracker:
            yield tracker

    def close(self, status: str) -> None:
        try:
            self.flush()
        finally:
            self._client.set_terminated(self.run_id, status)


@contextmanager
def _current(mlflow: Any, client: Any, run_id: str) -> Iterator[None]:
    """Makes the run MLflow's process-wide current one, which model logging needs, and undoes it after."""
    before = {key: os.environ.get(key) for key in ("MLFLOW_TRACKING_URI", *QUIET_MODELS)}
    os.environ.update(QUIET_MODELS)
    mlflow.set_tracking_uri(client.tracking_uri)
    try:
        with warnings.catch_warnings(), mlflow.start_run(run_id=run_id, nested=True):
            warnings.simplefilter("ignore")  # "no input example": the signature is stated
            yield
        client.update_run(run_id, status="RUNNING")  # leaving the block above had marked it finished
    finally:
        mlflow.set_tracking_uri(None)
        for key, value in before.items():
            os.environ.pop(key, None)
            if value is not None:
                os.environ[key] = value


def _signature(mlflow: Any) -> Any:
    """Columns of `mlflow_model.SolidEmbedder`; stated, because guessing them would run the model."""
    columns = [mlflow.types.ColSpec("string", name) for name in ("shards", "frames", "uid")]
    return mlflow.models.ModelSignature(inputs=mlflow.types.Schema(columns))


def _there(store: _Store, run_id: str) -> str | None:
    """The run, if the store has it."""
    if not run_id:
        return None
    try:
        there = store.client.get_run(run_id).info.lifecycle_stage == "active"
    except store.mlflow.exceptions.MlflowException:
        return None
    return run_id if there else None


@contextmanager
def run(
    stage: str,
    name: str,
    params: Mapping[str, Any],
    tags: Mapping[str, str] = {},
    description: str | None = None,
    id_file: Path | None = None,
) -> Iterator[Tracker]:
    """Opens the run of a stage: FINISHED when the body ends, FAILED when it raises (the exception goes on).

    Args:
        stage: the kind of stage, for instance "pretrain", by which the experiment is called.
        name: what the run is called in lists.
        params: resolved settings, nested or flat.
        tags: further words; they win over the automatic ones of the same name.
        description: what a person reads of the run before anything else.
        id_file: says which run it is, for as long as the work is unfinished: work that was cut off and goes on does so
            in its own run.
    """
    if int(os.environ.get("RANK", "0")) > 0:  # set by torchrun: one process of a distributed run logs
        yield Silent()
        return
    tracker: MlflowTracker | JsonLinesTracker
    known, tags = provenance(stage), {**tags, **({DESCRIPTION: description} if description else {})}
    begun = id_file.read_text() if id_file is not None and id_file.exists() else ""
    mlflow = open_mlflow()
    if mlflow is None:
        tracker = open_folder(root() / "runs", stage, name, {**known, **tags}, begun)
    else:
        store = _open_store(mlflow, stage)
        tracker = MlflowTracker(store, name, tags, known, _there(store, begun))
    if id_file is not None:
        write_whole(id_file, tracker.run_id)
    with closing(tracker):
        tracker.log_params({**params, **environment()})
        if isinstance(tracker, MlflowTracker):
            tracker.flush()  # settings show up at once, while the run goes on
        yield tracker
