"""The one loop, its checkpoints and its tracking."""
