"""A curve or surface without the bounds that a file gave it."""

from typing import Any

from OCP.Geom import Geom_RectangularTrimmedSurface, Geom_TrimmedCurve
from OCP.Geom2d import Geom2d_TrimmedCurve


def untrimmed(shape: Any) -> Any:
    """What lies under any number of trimmed curves or surfaces; anything else is returned as it is."""
    while isinstance(shape, Geom_RectangularTrimmedSurface | Geom_TrimmedCurve | Geom2d_TrimmedCurve):
        shape = shape.BasisSurface() if isinstance(shape, Geom_RectangularTrimmedSurface) else shape.BasisCurve()
    return shape
