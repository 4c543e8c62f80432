"""Loose faces -> the bodies that they bound."""
