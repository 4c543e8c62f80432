"""Which parts resemble one another, and which are the same."""
