"""Extractors of features that are no network of their own: plain numbers, ablated and joined ones."""
