"""Closed faces (full cylinders, spheres, tori) cut in two along their seams, and which face each part came from."""

import numpy as np
from OCP.ShapeUpgrade import ShapeUpgrade_ShapeDivideClosed
from OCP.Standard import Standard_Failure, Standard_OutOfMemory
from OCP.TopAbs import TopAbs_FACE, TopAbs_SOLID
from OCP.TopExp import TopExp, TopExp_Explorer
from OCP.TopoDS import TopoDS, TopoDS_Shape
from OCP.TopTools import TopTools_IndexedMapOfShape

from brep_mae.brep.reject import Reject


def faces_of(shape: TopoDS_Shape) -> TopTools_IndexedMapOfShape:
    """The faces of a shape, numbered from 1 in OCCT's order."""
    found = TopTools_IndexedMapOfShape()
    TopExp.MapShapes_s(shape, TopAbs_FACE, found)
    return found


def split_closed(solid: TopoDS_Shape) -> tuple[TopoDS_Shape, np.ndarray]:
    """The solid with every closed face cut in two.

    Returns: the new solid; for each of its faces the number (F,) of the face it came from.

    Raises:
        Reject: degenerate, where the kernel cannot cut or loses track of a face.
    """
    cut = ShapeUpgrade_ShapeDivideClosed(solid)
    cut.SetNbSplitPoints(1)
    try:
        cut.Perform(True)
    except Standard_OutOfMemory:
        raise
    except Standard_Failure as error:
        raise Reject("degenerate", f"its closed faces cannot be split: {type(error).__name__}") from None
    found = TopExp_Explorer(cut.Result(), TopAbs_SOLID)
    if not found.More():
        raise Reject("degenerate", "its closed faces cannot be split")
    whole = TopoDS.Solid_s(found.Current())
    old, new = faces_of(solid), faces_of(whole)
    parent = np.full(new.Extent(), -1)
    context = cut.GetContext()
    for number in range(old.Extent()):
        for i in range((parts := faces_of(context.Apply(old.FindKey(number + 1)))).Extent()):
            place = new.FindIndex(parts.FindKey(i + 1))
            if place:
                parent[place - 1] = number
    if (parent < 0).any():
        raise Reject("degenerate", f"{int((parent < 0).sum())} split faces have no known parent")
    return whole, parent
