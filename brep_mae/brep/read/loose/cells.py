"""Bodies that touch one another: which of their faces belong together.

Faces that were sewn to one another cut space into cells. Of these some are material: outside is none, and a face lies
between material and none, but where two bodies touch in a face, which is then there twice.
"""

from OCP.BOPAlgo import BOPAlgo_MakerVolume
from OCP.BRepBuilderAPI import BRepBuilderAPI_MakeVertex
from OCP.BRepExtrema import BRepExtrema_DistShapeShape
from OCP.TopAbs import TopAbs_EDGE, TopAbs_FACE, TopAbs_SOLID
from OCP.TopoDS import TopoDS_Face
from OCP.TopTools import TopTools_IndexedMapOfShape, TopTools_ListOfShape

from brep_mae.brep.read.solids import middle, subshapes

OUTSIDE = -1


def cells(faces: list[TopoDS_Face], gap_mm: float) -> list[list[int]]:
    """The faces of each body, by number; nothing where they make no sense as bodies."""
    twins = _twins(faces, gap_mm)
    if all(len(copies) == 2 for copies in twins.values()):  # a body that fills the void of another, and the void
        return [[copies[i] for copies in twins.values()] for i in (0, 1)]
    maker, different = BOPAlgo_MakerVolume(), TopTools_ListOfShape()
    for number in twins:
        different.Append(faces[number])
    maker.SetArguments(different)
    maker.SetIntersect(False)  # they share their edges already
    maker.Perform()
    if maker.HasErrors():
        return []
    numbers, first = TopTools_IndexedMapOfShape(), list(twins)
    for number in twins:
        numbers.Add(faces[number])
    bounds = [
        [first[numbers.FindIndex(face) - 1] for face in subshapes(cell, TopAbs_FACE)]
        for cell in subshapes(maker.Shape(), TopAbs_SOLID)
    ]
    material = _material(bounds, twins)
    taken = {number: list(copies) for number, copies in twins.items()}
    return [[taken[number].pop() for number in bound] for cell, bound in enumerate(bounds) if cell in material]


def _twins(faces: list[TopoDS_Face], gap_mm: float) -> dict[int, list[int]]:
    """The first of the faces that lie on one another -> all of them, by number. They have the same edges."""
    edges = TopTools_IndexedMapOfShape()
    alike: dict[frozenset[int], list[int]] = {}
    twins: dict[int, list[int]] = {}
    for number, face in enumerate(faces):
        around = frozenset(edges.Add(edge) for edge in subshapes(face, TopAbs_EDGE))
        rivals = alike.setdefault(around, [])
        first = next((rival for rival in rivals if _meet(face, faces[rival], gap_mm)), None)
        if first is None:
            rivals.append(number)
            twins[number] = []
        twins[number if first is None else first].append(number)
    return twins


def _meet(face: TopoDS_Face, other: TopoDS_Face, gap_mm: float) -> bool:
    """True where a point in the middle of one lies on the other."""
    vertex = BRepBuilderAPI_MakeVertex(middle(face)).Vertex()
    return bool(BRepExtrema_DistShapeShape(vertex, other).Value() <= gap_mm)


def _material(bounds: list[list[int]], twins: dict[int, list[int]]) -> set[int]:
    """The cells that are material; none where it cannot be told."""
    sides: dict[int, list[int]] = {}
    for cell, bound in enumerate(bounds):
        for number in bound:
            sides.setdefault(number, []).append(cell)
    beside: dict[int, list[tuple[int, bool]]] = {}
    for number, found_cells in sides.items():
        one, other = (*found_cells, OUTSIDE)[:2]
        double = len(twins[number]) > 1
        beside.setdefault(one, []).append((other, double))
        beside.setdefault(other, []).append((one, double))
    material, todo = {OUTSIDE: False}, [OUTSIDE]
    while todo:
        cell = todo.pop()
        for other, double in beside.get(cell, []):
            filled = material[cell] if double else not material[cell]
            if material.get(other, filled) != filled or (double and not filled):
                return set()
            if other not in material:
                material[other] = filled
                todo.append(other)
    return {cell for cell, filled in material.items() if filled}
