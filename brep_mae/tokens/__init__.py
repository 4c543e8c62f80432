"""Batch -> Tokens: what an encoder reads."""
