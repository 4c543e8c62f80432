"""Solid -> frames."""
