"""Ways to turn a backbone and a few labels into a predictor: one file each, whose name is the mode's."""
