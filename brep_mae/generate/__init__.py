"""Labelled parts out of nothing."""
