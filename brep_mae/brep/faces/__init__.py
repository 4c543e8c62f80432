"""The faces of a solid and the loops that bound them."""
