"""Few labels."""
