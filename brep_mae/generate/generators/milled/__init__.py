"""Milled parts: a cube with a few flat-walled features that keep apart, named as in MFCAD."""
