"""What `generate` draws: one package a kind of part, each with its `classes` and its `draw`."""
