"""Solids into files: with the class of every face as its name and its colour."""
