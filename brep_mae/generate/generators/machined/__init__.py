"""Machined parts: families of stock, and the features that are cut into them."""
