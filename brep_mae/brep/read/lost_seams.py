"""Whether the kernel's repairs took a solid for another, as happens where they lose the seam of a closed surface.

A loop that runs along a seam and back is laid on one side of it by the kernel, which then cuts both ways off: of a
free-form sphere with a hole the hole is left, and all other faces are turned to fit.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from OCP.BRep import BRep_Tool
from OCP.StepShape import StepShape_EdgeLoop, StepShape_ManifoldSolidBrep
from OCP.TopAbs import TopAbs_EDGE, TopAbs_FACE, TopAbs_FORWARD
from OCP.TopoDS import TopoDS, TopoDS_Shape
from OCP.TopTools import TopTools_IndexedMapOfShape

from brep_mae.brep.read.entities import FaceEntities, of_type
from brep_mae.brep.read.solids import subshapes

APART = 1e-6
"""Distance in a surface's parameters from which on two places are not one; a period is far more."""


def lost_seam(solid: TopoDS_Shape, entity: Any, entity_of: FaceEntities, model: Any) -> bool:
    """True where a face of the outer shell has no seam though it has one in the file, and faces were turned though in
    the file each edge of the shell is used twice and in opposite directions.

    Args:
        entity: the solid's, None where the kernel made it from a piece of one.
    """
    made = [(face, entity_of(face)) for face in subshapes(solid, TopAbs_FACE)]
    origins = [entity] if entity is not None else list(of_type(model, StepShape_ManifoldSolidBrep))
    return any(isinstance(origin, StepShape_ManifoldSolidBrep) and _loses(origin.Outer(), made) for origin in origins)


def _loses(shell: Any, made: list[tuple[TopoDS_Shape, Any]]) -> bool:
    if shell is None:
        return False
    faces = [shell.CfsFacesValue(i + 1) for i in range(shell.NbCfsFaces())]  # held, for an entity then keeps its id
    known = {id(face) for face in faces}
    own_faces = [(face, entity) for face, entity in made if id(entity) in known]
    if not any((face.Orientation() == TopAbs_FORWARD) != entity.SameSense() for face, entity in own_faces):
        return False
    seamed = {id(entity) for face, entity in own_faces if _has_seam(face)}
    uses = [list(_uses(face)) for face in faces]
    names = [[id(edge) for edge, _ in each] for each in uses]
    lost = any(len(set(n)) < len(n) and id(face) not in seamed for n, face in zip(names, faces, strict=True))
    directions = Counter((id(edge), ahead) for each in uses for edge, ahead in each)
    return lost and set(directions.values()) == {1} and set(Counter(edge for edge, _ in directions).values()) == {2}


def _uses(face: Any) -> Iterator[tuple[Any, bool]]:
    """Edges of a face of the file, with the direction in which they are gone along."""
    for i in range(1, face.NbBounds() + 1):
        bound = face.BoundsValue(i)
        loop = bound.Bound()
        if isinstance(loop, StepShape_EdgeLoop):
            for j in range(1, loop.NbEdgeList() + 1):
                edge = loop.EdgeListValue(j)
                yield edge.EdgeElement(), edge.Orientation() == bound.Orientation()


def _has_seam(face: TopoDS_Shape) -> bool:
    """True where an edge is used twice, in two places of the surface's parameters: in one place it is a slit."""
    here, edges, places = TopoDS.Face_s(face), TopTools_IndexedMapOfShape(), dict[int, np.ndarray]()
    for edge in subshapes(face, TopAbs_EDGE):
        curve = BRep_Tool.CurveOnSurface_s(TopoDS.Edge_s(edge), here, 0.0, 0.0)
        if curve is None:
            continue
        middle = np.array(curve.Value(sum(BRep_Tool.Range_s(TopoDS.Edge_s(edge), here)) / 2).Coord())
        other = places.setdefault(edges.Add(edge), middle)
        if np.abs(middle - other).max() > APART:
            return True
    return False
