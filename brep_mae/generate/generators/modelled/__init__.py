"""Modelled parts: sketches extruded, cut, revolved, filleted and chamfered, each face named after its operation."""
