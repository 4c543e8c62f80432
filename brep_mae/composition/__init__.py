"""The contract of a pretext method, and what most methods are composed from."""
