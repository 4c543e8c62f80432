"""One solid, measured."""
