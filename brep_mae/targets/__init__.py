"""What a pretext predicts: truth, head and error per token."""
