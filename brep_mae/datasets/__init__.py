"""Data sets and their plumbing; no CAD kernel here."""
