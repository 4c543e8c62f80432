"""A part while it is being modelled: operations change it, or are refused and leave it as it was."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from OCP.BRep import BRep_Tool
from OCP.BRepCheck import BRepCheck_Analyzer
from OCP.BRepGProp import BRepGProp
from OCP.GProp import GProp_GProps
from OCP.TopAbs import TopAbs_EDGE, TopAbs_FACE
from OCP.TopExp import TopExp
from OCP.TopoDS import TopoDS_Edge, TopoDS_Shape, TopoDS_Solid
from OCP.TopTools import TopTools_IndexedMapOfShape

from brep_mae.generate.generators.modelled.bounds import bounds_mm
from brep_mae.generate.generators.modelled.operations import Mirror, extrude, free_form, merged, mirrored, revolve
from brep_mae.generate.generators.modelled.sketches.sketch import Frame, Profile
from brep_mae.generate.labelled import (
    LabelledSolid,
    Rejected,
    chamfer,
    edges,
    faces,
    fillet,
    shell,
    subtract,
    unite,
)
from brep_mae.generate.trial import survives

THINNEST = 2e-3  # least length of an edge and width of a face as shares of the part's size; less is an accident
MAX_FACES = 400


def _known(solid: TopoDS_Solid, kind: int) -> TopTools_IndexedMapOfShape:
    found = TopTools_IndexedMapOfShape()
    TopExp.MapShapes_s(solid, kind, found)
    return found


def width_mm(face: TopoDS_Shape, area_mm2: float) -> float:
    """Of the strip with the face's area and rim."""
    BRepGProp.LinearProperties_s(face, rim := GProp_GProps())
    return 2 * area_mm2 / max(rim.Mass(), 1e-9)


class Model:
    """One part in the making.

    Args:
        size_mm: rough size of the part, for what counts as too thin.
        turned: True = the part is round about z.
        free_form: True = splines are swept to B-spline surfaces, False = to surfaces of extrusion and revolution.
    """

    def __init__(self, rng: np.random.Generator, size_mm: float, turned: bool, free_form: bool) -> None:
        self.rng, self.size_mm, self.turned = rng, size_mm, turned
        self.operations = 0
        self.mirror: Mirror | None = None  # in which what is added or cut from now on is seen as well
        self._free_form = free_form
        self._part: LabelledSolid | None = None
        self.areas_mm2: list[float] = []  # of the part's faces, in their order

    @property
    def part(self) -> LabelledSolid:
        assert self._part is not None, "the first operation is an extrusion or a revolution"
        return self._part

    @property
    def solid(self) -> TopoDS_Solid:
        return self.part.solid

    def known_faces(self) -> TopTools_IndexedMapOfShape:
        """The faces that the part has now."""
        return _known(self.solid, TopAbs_FACE)

    def extruded(self, profile: Profile, frame: Frame, length_mm: float, word: str = "extrude") -> LabelledSolid:
        return self._formed(extrude(profile, frame, length_mm, word))

    def revolved(self, profile: Profile, frame: Frame, angle_rad: float = 2 * np.pi) -> LabelledSolid:
        return self._formed(revolve(profile, frame, angle_rad))

    def _formed(self, tool: LabelledSolid) -> LabelledSolid:
        return free_form(tool) if self._free_form else tool

    def add(self, tools: Sequence[LabelledSolid]) -> None:
        """Joins the tools to the part; the first tool is the part itself."""
        if self._part is None:
            self._accept(tools[0])
            tools = tools[1:]
        if tools:
            self._accept(merged(unite(self.part, self._both_sides(tools))))

    def cut(self, tools: Sequence[LabelledSolid]) -> None:
        self._accept(subtract(self.part, self._both_sides(tools)))

    def _both_sides(self, tools: Sequence[LabelledSolid]) -> list[LabelledSolid]:
        """The tools, and images of those that lie on one side of the mirror."""
        if self.mirror is None:
            return list(tools)
        images = [mirrored(tool, self.mirror) for tool in tools if self._beside_mirror(tool.solid)]
        return [*tools, *images]

    def _beside_mirror(self, solid: TopoDS_Solid) -> bool:
        assert self.mirror is not None, "only what has a mirror lies beside it"
        low, high = bounds_mm(solid)
        ends = np.array([low, high])[:, self.mirror.axis] - self.mirror.at_mm
        return bool(ends.min() > 0 or ends.max() < 0)

    def dress(self, word: str, chosen: Sequence[TopoDS_Edge], size_mm: float) -> None:
        """Args: word: fillet or chamfer."""
        blend = partial(fillet if word == "fillet" else chamfer, self.part, chosen, size_mm)
        if not survives(blend):
            raise Rejected(f"{word} crashes the kernel")
        changed = blend()
        if not BRepCheck_Analyzer(changed.solid).IsValid():
            raise Rejected(f"{word} is not valid")
        self._accept(changed)

    def _accept(self, changed: LabelledSolid) -> None:
        """Takes over what is one shell, differs from the part before, and has no new sliver."""
        if len(changed.labels) > MAX_FACES:
            raise Rejected("too many faces")
        shell(changed.solid)
        before = self._part.solid if self._part else TopoDS_Solid()
        old_faces, old_edges = _known(before, TopAbs_FACE), _known(before, TopAbs_EDGE)
        for edge in edges(changed.solid):
            if not old_edges.Contains(edge) and not BRep_Tool.Degenerated_s(edge):  # a pole is no accident
                BRepGProp.LinearProperties_s(edge, size := GProp_GProps())
                if size.Mass() < THINNEST * self.size_mm:
                    raise Rejected("sliver edge")
        areas = []
        for face in faces(changed.solid):
            at = old_faces.FindIndex(face)
            if not at:
                BRepGProp.SurfaceProperties_s(face, size := GProp_GProps())
                if width_mm(face, size.Mass()) < THINNEST * self.size_mm:
                    raise Rejected("sliver face")
            areas.append(self.areas_mm2[at - 1] if at else size.Mass())
        if areas == self.areas_mm2:
            raise Rejected("nothing changed")
        self._part, self.areas_mm2 = changed, areas
        self.operations += 1
