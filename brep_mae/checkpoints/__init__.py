"""What is kept of a training."""
