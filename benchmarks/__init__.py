"""Scripts that measure every claim about speed, memory or quality again; run from the repository root."""

import brep_mae  # noqa: F401 - before any script imports torch: how its threads wait
