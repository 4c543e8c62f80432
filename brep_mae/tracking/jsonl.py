"""What a tracker is, and the one that needs no tracking library: a folder per run with one JSON line per event."""

import json
import logging
import math
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

from matplotlib.figure import Figure

from brep_mae.settings import flat

log = logging.getLogger(__name__)

Scalar = bool | int | float | str
LINES = "run.jsonl"


class Tracker(Protocol):
    """One run, open while its `with` block lasts."""

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Settings, logged flat under dotted keys; a number stays a number, so runs compare along an axis."""

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Values at a step. A value that is not finite is left out, with one warning per name."""

    def log_figure(self, figure: Figure, name: str) -> None:
        """A picture under `name`, a relative path such as `figures/masked_faces.png`."""

    def log_file(self, path: Path, folder: str = "") -> None:
        """A copy of a file, below `folder` of the run."""

    def log_model(self, folder: Path, name: str, metrics: Mapping[str, float]) -> None:
        """A checkpoint folder (config.json, model.safetensors) with the metrics that belong to it."""

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Words to find the run by."""

    def child(self, name: str, tags: Mapping[str, str] = {}) -> AbstractContextManager["Tracker"]:
        """A run below this one, for instance one seed of a study."""


def plain(params: Mapping[str, Any]) -> dict[str, Scalar]:
    """Nested settings as flat scalars; lists become their JSON text, anything else its `str`."""
    result: dict[str, Scalar] = {}
    for key, value in flat(dict(params)).items():
        if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:  # a NumPy or torch scalar
            value = value.item()
        if isinstance(value, list | tuple):
            value = json.dumps(list(value), default=str)
        result[re.sub(r"[^\w\-. :/]", "_", key)] = value if isinstance(value, bool | int | float | str) else str(value)
    return result


class Finite:
    """Keeps the finite metrics, and warns once for each name that had another value."""

    def __init__(self) -> None:
        self._warned: set[str] = set()

    def __call__(self, metrics: Mapping[str, float]) -> dict[str, float]:
        values = {re.sub(r"[^\w\-. :/]", "_", key): float(value) for key, value in metrics.items()}
        for key, value in values.items():
            if not math.isfinite(value) and key not in self._warned:
                self._warned.add(key)
                log.warning("metric %s is %s: such values are not logged", key, value)
        return {key: value for key, value in values.items() if math.isfinite(value)}


@contextmanager
def closing(tracker: Any) -> Iterator[Any]:
    """Closes the tracker FINISHED, or FAILED when the body raises; the body's own exception goes on."""
    try:
        yield tracker
    except BaseException:
        try:
            tracker.close("FAILED")
        except Exception:
            log.exception("the failed run could not be closed")
        raise
    tracker.close("FINISHED")


class JsonLinesTracker:
    """Writes `run.jsonl` (events start, params, tags, metrics, model, end) and copies of files below one folder; one
    that is there is gone on with."""

    def __init__(self, folder: Path, name: str, tags: Mapping[str, str], finite: Finite) -> None:
        self._again = folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.run_id = folder, str(folder)
        self._finite = finite
        self._lines = (folder / LINES).open("a", buffering=1)
        self._write("start", name=name, tags=dict(tags))

    def _write(self, event: str, **values: Any) -> None:
        self._lines.write(json.dumps({"event": event, "time": time.time(), **values}) + "\n")

    def log_params(self, params: Mapping[str, Any]) -> None:
        self._write("params", params=plain(params))

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        if kept := self._finite(metrics):
            self._write("metrics", step=step, metrics=kept)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        self._write("tags", tags=dict(tags))

    def log_figure(self, figure: Figure, name: str) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(self.folder / name)

    def log_file(self, path: Path, folder: str = "") -> None:
        (self.folder / folder).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, self.folder / folder / path.name)

    def log_model(self, folder: Path, name: str, metrics: Mapping[str, float]) -> None:
        shutil.copytree(folder, self.folder / "models" / name, dirs_exist_ok=True)
        self._write("model", name=name, metrics=self._finite(metrics))

    @contextmanager
    def child(self, name: str, tags: Mapping[str, str] = {}) -> Iterator["Tracker"]:
        folder = self.folder / "children" / slug(name)
        with closing(JsonLinesTracker(folder if self._again else unique(folder), name, tags, self._finite)) as tracker:
            yield tracker

    def close(self, status: str) -> None:
        self._write("end", status=status)
        self._lines.close()


def open_folder(parent: Path, stage: str, name: str, tags: Mapping[str, str], begun: str = "") -> JsonLinesTracker:
    """A run in a folder of its own below `parent`, and a line that says where it is; the one that was begun, if it is
    there."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    folder = unique(parent / f"{stamp}-{os.getpid()}-{slug(stage)}-{slug(name)}")
    folder = Path(begun) if begun and Path(begun, LINES).is_file() else folder
    log.warning("mlflow is not installed: this run is written to %s", folder)
    return JsonLinesTracker(folder, name, tags, Finite())


class Silent:
    """Tracks nothing: all ranks of a distributed run but the first."""

    def log_params(self, params: Mapping[str, Any]) -> None: ...

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None: ...

    def log_figure(self, figure: Figure, name: str) -> None: ...

    def log_file(self, path: Path, folder: str = "") -> None: ...

    def log_model(self, folder: Path, name: str, metrics: Mapping[str, float]) -> None: ...

    def set_tags(self, tags: Mapping[str, str]) -> None: ...

    @contextmanager
    def child(self, name: str, tags: Mapping[str, str] = {}) -> Iterator["Tracker"]:
        yield self


def slug(name: str) -> str:
    """A name as one safe part of a path."""
    return re.sub(r"[^\w\-.]", "_", name).lstrip(".") or "run"


def unique(folder: Path) -> Path:
    """`folder`, or the first of folder-2, folder-3, ... that does not exist."""
    number, result = 1, folder
    while result.exists():
        number += 1
        result = folder.with_name(f"{folder.name}-{number}")
    return result
