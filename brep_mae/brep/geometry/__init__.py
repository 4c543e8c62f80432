"""Many parameters at once -> points and derivatives of curves and surfaces."""
