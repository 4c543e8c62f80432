"""Masked pretraining and few-shot learning on CAD boundary representations.

Threads of a matrix product sleep while they wait for one another. By default they spin, and beside another process that
uses the cores a training then takes ten times as long: the spinning threads hold the core that the last one needs. The
libraries read this when they are loaded, so `import torch` before this package keeps their default; what the
environment says already stays.

`read`, `load` and `fit` are those of brep_mae/api.py, which loads what they need when the first of them is asked for.
"""

import importlib
import os
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # torch's wheels for Linux carry GNU's OpenMP, scikit-learn's too
os.environ.setdefault("KMP_BLOCKTIME", "0")  # milliseconds, of LLVM's and Intel's OpenMP

API = ("fit", "load", "read")


def __getattr__(name: str) -> Any:
    if name in API:
        return getattr(importlib.import_module("brep_mae.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *API})
