"""Tables of labels: filled in, checked against the parts, read off the parts; and which part to label first."""
