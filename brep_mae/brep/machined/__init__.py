"""What `generate` draws: part families, feature cutters, and the labels that follow the boolean operations."""
