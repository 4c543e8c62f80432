"""Everything that touches the CAD kernel and the renderer; no other package imports them."""
