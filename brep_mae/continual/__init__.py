"""Tasks that are never forgotten."""
