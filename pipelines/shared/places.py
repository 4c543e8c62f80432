"""Where the stages of the default graph put things."""

from pathlib import Path

SOURCE, PARSED, LABELS, FRAMES = (Path("data") / name for name in ("source", "parsed", "labels", "frames"))
MODELS, RESULTS = Path("models"), Path("results")
BEST_WEIGHTS = "best.json"
"""What the search for a method's weights found, in RESULTS / evolve / METHOD."""
