"""Closed outlines in a plane."""
