"""Stages of the studies, which go beyond the default graph."""
