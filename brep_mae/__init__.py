"""Masked pretraining and few-shot learning on CAD boundary representations."""
