"""Solid -> record."""
