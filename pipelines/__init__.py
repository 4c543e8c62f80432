"""Stage scripts of `dvc.yaml`: read settings, call one function, write files."""

import warnings

import brep_mae  # noqa: F401 - before any script imports torch: how its threads wait

# torch-geometric still scripts functions while it is imported; a user can do nothing about it.
warnings.filterwarnings("ignore", message=r"`torch\.jit\.script`")
