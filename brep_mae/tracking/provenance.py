"""Where a run comes from: code, parameters, pipeline, machine."""

import hashlib
import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any


def root() -> Path:
    """The repository: where DVC says it is (also inside `dvc exp run --temp`), else the working folder."""
    return Path(os.environ.get("DVC_ROOT") or Path.cwd()).absolute()


def _git(*arguments: str) -> str | None:
    try:
        answer = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def provenance(stage: str) -> dict[str, str]:
    """Tags that tell where a run comes from; `pipeline_id` is shared by the stages of one code and parameter state."""
    tags = {"stage": stage, "mlflow.source.name": stage, "mlflow.source.type": "LOCAL"}
    for key, variable in (("stage", "DVC_STAGE"), ("exp", "DVC_EXP_NAME"), ("rev", "DVC_EXP_BASELINE_REV")):
        if value := os.environ.get(variable):
            tags[f"dvc.{key}"] = value
    if commit := _git("rev-parse", "HEAD"):
        tags["git.commit"] = tags["mlflow.source.git.commit"] = commit
        # DVC rewrites its lock file while the pipeline runs; that is no change of the code
        tags["git.dirty"] = str(bool(_git("status", "--porcelain", "--", ":/", ":(top,exclude)dvc.lock"))).lower()
    params = Path("params.yaml")
    digest = hashlib.sha256(params.read_bytes() if params.exists() else b"").hexdigest()
    tags["pipeline_id"] = os.environ.get("DVC_EXP_NAME") or f"{(commit or 'nogit')[:8]}-{digest[:8]}"
    return tags


def environment() -> dict[str, Any]:
    """What the run ran on, under `env.*`."""
    torch = sys.modules.get("torch")
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    values = {
        "python": platform.python_version(),
        "torch": importlib.metadata.version("torch"),
        "platform": platform.platform(),
        "cpus": cpus,
        "gpu": torch.cuda.get_device_name() if torch and torch.cuda.is_available() else "none",
    }
    return {f"env.{key}": value for key, value in values.items()}
