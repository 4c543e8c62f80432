"""Several labels a solid: what they are learned from, and how each is weighed and cut."""
