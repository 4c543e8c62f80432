"""Loose faces, as most IGES files hold them -> the solids they bound.

Each group of a file is sewn by itself first: exporters write a group per body, and bodies may touch. What stays open
goes up to the group around it. The gap that is sewn shut grows step by step, and faces that close at a small one take
no part in the next. Where bodies touch within a group, `cells` tells them apart.
"""

import itertools

from OCP.Bnd import Bnd_Box
from OCP.BRep import BRep_Tool
from OCP.BRepAdaptor import BRepAdaptor_Curve
from OCP.BRepBndLib import BRepBndLib
from OCP.BRepBuilderAPI import BRepBuilderAPI_Sewing
from OCP.BRepGProp import BRepGProp
from OCP.GProp import GProp_GProps
from OCP.TopAbs import TopAbs_COMPOUND, TopAbs_EDGE, TopAbs_FACE, TopAbs_SHELL
from OCP.TopoDS import TopoDS, TopoDS_Face, TopoDS_Iterator, TopoDS_Shape, TopoDS_Shell, TopoDS_Solid
from OCP.TopTools import TopTools_DataMapOfShapeInteger, TopTools_MapOfShape

from brep_mae.brep.read.loose.cells import cells
from brep_mae.brep.read.loose.nesting import nested
from brep_mae.brep.read.solids import edge_uses, shell_of, solid_from, subshapes

LEAST_MM, GREATEST_MM = 1e-6, 1e-2
"""Gaps that are sewn shut in any file, between them the file's own resolution."""
GROWTH = 4.0
"""From one gap to the next."""
NARROWEST, WIDEST = 0.25, 1e-3
"""The greatest gap, as a share of the mean width of the narrowest face and of the diagonal: features must survive."""
THINNEST = 0.25
"""The greatest gap, as a share of the mean thickness of the solid it closes: two sheets close together are no plate."""


def solids_and_rest(shape: TopoDS_Shape, gap_mm: float) -> tuple[list[TopoDS_Solid], list[TopoDS_Shape]]:
    """The solids that the loose faces of a shape bound, with their voids, and the faces that bound none, sewn together
    as far as they go. Faces of shells are not loose.

    Args:
        gap_mm: distance at which the file takes places for one.
    """
    group, done = _Group(shape), TopTools_MapOfShape()
    gap = first = min(max(gap_mm, LEAST_MM), GREATEST_MM)
    rest = group.close(gap, done, first)
    limit = _greatest_gap(rest)
    while rest and gap < limit:
        gap = min(gap * GROWTH, limit)
        rest = group.close(gap, done, first)
    pieces: list[TopoDS_Shape] = []
    for piece, sources in _pieces(rest, first):
        piece.Closed(False)  # also where several bodies could not be told apart
        pieces.append(piece if len(sources) > 1 else sources[0])
    return group.all_solids(), pieces


class _Group:
    """Loose faces that a file keeps together, and the groups within."""

    def __init__(self, shape: TopoDS_Shape) -> None:
        self._solids: list[TopoDS_Solid] = []  # of one shell each
        self._groups: list[_Group] = []
        self._faces: list[TopoDS_Face] = []
        if shape.ShapeType() == TopAbs_FACE:
            self._faces.append(TopoDS.Face_s(shape))
        parts = TopoDS_Iterator(shape)
        while shape.ShapeType() == TopAbs_COMPOUND and parts.More():
            if parts.Value().ShapeType() == TopAbs_FACE:
                self._faces.append(TopoDS.Face_s(parts.Value()))
            else:
                self._groups.append(_Group(parts.Value()))
            parts.Next()

    def close(self, gap_mm: float, done: TopTools_MapOfShape, first_mm: float) -> list[TopoDS_Face]:
        """Makes solids of what closes at this gap. Returns the faces that stay open.

        Args:
            done: faces that were used already, and those that are now.
            first_mm: the smallest gap, at which any solid will do.
        """
        faces = [face for face in self._faces if not done.Contains(face)]
        for group in self._groups:
            faces += group.close(gap_mm, done, first_mm)
        alone = [_meets_itself(face, gap_mm) for face in faces]
        pieces = _pieces([face for face, lone in zip(faces, alone, strict=True) if not lone], gap_mm)
        for face in itertools.compress(faces, alone):
            pieces += _pieces([face], gap_mm)
        open_faces = []
        for piece, sources in pieces:
            solids = _solids(piece, sources, gap_mm)
            if solids and (gap_mm == first_mm or all(gap_mm <= THINNEST * _thickness(solid) for solid in solids)):
                self._solids += solids
                for face in sources:
                    done.Add(face)
            else:
                open_faces += sources
        return open_faces

    def all_solids(self) -> list[TopoDS_Solid]:
        inner = [solid for group in self._groups for solid in group.all_solids()]
        return nested(inner + self._solids)


def _pieces(
    faces: list[TopoDS_Face], gap_mm: float, several: bool = True
) -> list[tuple[TopoDS_Shell, list[TopoDS_Face]]]:
    """Shells of what hangs together once edges closer than the gap are one, and the faces that those of each are from,
    both in the order of the file.

    Args:
        several: True where more than two faces may meet in an edge.
    """
    if not faces:
        return []
    became, free = faces, len(faces) ** 2
    while True:
        sewing = BRepBuilderAPI_Sewing(gap_mm)
        sewing.SetNonManifoldMode(several)
        for face in became:
            sewing.Add(face)
        sewing.Perform()
        changed = [sewing.Modified(face) for face in became]
        became = [face if now.IsNull() else TopoDS.Face_s(now) for face, now in zip(became, changed, strict=True)]
        if not sewing.NbMultipleEdges() or not 0 < sewing.NbFreeEdges() < free:
            break
        free = sewing.NbFreeEdges()  # of more than two edges at one place, one may be left out the first time
    source = TopTools_DataMapOfShapeInteger()
    for number, face in enumerate(became):
        source.Bind(face, number)
    whole, pieces = sewing.SewedShape(), list[list[TopoDS_Shape]]()
    for part in (*subshapes(whole, TopAbs_SHELL), *subshapes(whole, TopAbs_FACE, TopAbs_SHELL)):
        pieces.append(sorted(subshapes(part, TopAbs_FACE), key=source.Find))
    there = {source.Find(face) for parts in pieces for face in parts}
    pieces += [[face] for number, face in enumerate(became) if number not in there]  # it shrank to nothing
    pieces.sort(key=lambda parts: source.Find(parts[0]))
    return [(shell_of(parts), [faces[source.Find(face)] for face in parts]) for parts in pieces]


def _meets_itself(face: TopoDS_Face, gap_mm: float) -> bool:
    """True for a full sphere or torus: each side of the face has the place of another."""
    places = []
    for edge in map(TopoDS.Edge_s, subshapes(face, TopAbs_EDGE)):
        if not BRep_Tool.Degenerated_s(edge):
            curve = BRepAdaptor_Curve(edge)
            places.append(curve.Value((curve.FirstParameter() + curve.LastParameter()) / 2))
    return all(any(one is not other and one.Distance(other) <= gap_mm for other in places) for one in places)


def _solids(piece: TopoDS_Shell, sources: list[TopoDS_Face], gap_mm: float) -> list[TopoDS_Solid]:
    """What the piece bounds; nothing where it is open. Bodies that touch are sewn again, each by itself."""
    uses = edge_uses(piece)
    if min(uses, default=0) < 2:
        return []
    if max(uses) == 2:
        return [solid_from(piece)]
    solids = []
    for numbers in cells([TopoDS.Face_s(face) for face in subshapes(piece, TopAbs_FACE)], gap_mm):
        for shell, _ in _pieces([sources[number] for number in sorted(numbers)], gap_mm, several=False):
            if min(edge_uses(shell), default=0) < 2:
                return []
            solids.append(solid_from(shell))
    return solids


def _greatest_gap(faces: list[TopoDS_Face]) -> float:
    box, narrowest = Bnd_Box(), float("inf")
    for face in faces:
        BRepBndLib.Add_s(face, box)
        area, length = GProp_GProps(), GProp_GProps()
        BRepGProp.SurfaceProperties_s(face, area)
        BRepGProp.LinearProperties_s(face, length)
        narrowest = min(narrowest, 2 * abs(float(area.Mass())) / max(float(length.Mass()), 1e-300))
    return min(NARROWEST * narrowest, WIDEST * float(box.SquareExtent()) ** 0.5) if faces else 0.0


def _thickness(solid: TopoDS_Solid) -> float:
    """Twice the volume through the area: of a plate its thickness."""
    volume, area = GProp_GProps(), GProp_GProps()
    BRepGProp.VolumeProperties_s(solid, volume)
    BRepGProp.SurfaceProperties_s(solid, area)
    return 2 * abs(float(volume.Mass())) / max(float(area.Mass()), 1e-300)
