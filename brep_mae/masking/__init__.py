"""Tokens -> Mask: what an encoder must not see."""
