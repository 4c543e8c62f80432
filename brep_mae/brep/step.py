"""CAD file -> located solids in millimetres, with the names, colours and places the file gives to them.

What becomes of what a file holds:

- every solid is one entry, also those of compounds, of several roots and of assemblies, which are flattened: a part
  placed five times gives five solids where the placements put them;
- a closed shell outside a solid becomes a solid; void shells stay in theirs; solids whose faces point inward
  are turned;
- open shells, loose faces, curves and points give a Reject each (curves and points of one root together);
- a root or a solid that the kernel could not make, a solid that lost faces and is open for it, and a placement that
  changes sizes give a Reject each;
- a file that is not what its suffix says, is broken, or in which nothing could be made is rejected as a whole.
"""

import functools
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from OCP.BRep import BRep_Tool
from OCP.IFSelect import IFSelect_RetDone
from OCP.Interface import Interface_Static
from OCP.Message import Message, Message_Gravity
from OCP.Resource import Resource_DataMapOfAsciiStringAsciiString
from OCP.STEPControl import STEPControl_Reader
from OCP.StepShape import StepShape_ManifoldSolidBrep
from OCP.TCollection import TCollection_AsciiString
from OCP.TopAbs import TopAbs_SHELL
from OCP.TopoDS import TopoDS_Shape, TopoDS_Solid

from brep_mae.brep.colors import Colors, no_color
from brep_mae.brep.entities import Entities, FaceEntities, name_of, no_name, of_type, placed_parts, product_name
from brep_mae.brep.formats import kind_of, read_bytes
from brep_mae.brep.kernel_errors import as_reject
from brep_mae.brep.other_formats import read_brep, read_iges
from brep_mae.brep.parts import ReadSolid, count_faces, found, leftovers, misplaced, solids_of
from brep_mae.brep.reject import Reject
from brep_mae.brep.units import step_unit_mm
from brep_mae.cad_files import BREP, IGES, PACKED_STEP, SUFFIXES, suffix_of

__all__ = ["ReadSolid", "read_solids", "silence"]

FACES = (b"ADVANCED_FACE", b"FACE_SURFACE")
SOLIDS = (b"MANIFOLD_SOLID_BREP", b"BREP_WITH_VOIDS", b"FACETED_BREP")

NOT_NEEDED = (
    *("FreeShell", "FreeFace", "FreeWire", "SameParameter", "FaceOrientation", "SmallAreaWire", "SplitFace", "Small"),
    *("Connected", "Lacking", "RemovePCurve", "RemoveCurve3d", "AddCurve3d", "EdgeSameParameter"),
    *("NotchedEdges", "SelfIntersectingEdge", "NonAdjacentIntersectingEdges", "VertexPosition", "VertexTolerance"),
)
"""Repairs of the kernel that take a fifth of the time of reading. Left out, faces, their order and orientation,
surfaces, curves and parameter ranges come out the same; tolerances of edges and vertices may not."""


REPAIRS = (
    *NOT_NEEDED,
    *("Solid", "ShellOrientation", "CreateOpenSolid", "Shell", "Face", "Orientation", "AddNaturalBound"),
    *("MissingSeam", "RemoveSmallAreaFace", "IntersectingWires", "LoopWires", "AutoCorrectPrecision"),
    *("PeriodicDegenerated", "Wire", "Reorder", "EdgeCurves", "Degenerated", "SelfIntersection", "Gaps3d", "Gaps2d"),
    *("ReversedPCurves", "ReversedPCurve", "AddPCurve", "Seam", "Shifted", "IntersectingEdges", "Tail", "ClosedWire"),
)
"""All of them, half of the time of reading. Most prepare curves in the parameters of curved surfaces, some mend."""
TURNING = ("ShellOrientation", "Orientation")
"""Those that turn faces and loops round, a sixth of the time of reading, most of it to see that nothing is to turn."""
REGULARITY = "read.encoderegularity.angle"
"""By which angle, in rad, faces may meet for the kernel to note that their edge is smooth; at 0 it does not look, which
takes time and answers what nobody here asks: arcs have their own angles."""
NOT_PLANAR = (b"_SURFACE", b"SURFACE_OF_")
"""Words of files with other surfaces than planes."""
VOIDS = b"BREP_WITH_VOIDS"
"""Word of files with several shells in a solid, which the kernel must tell apart."""


@functools.cache
def _left_out(names: tuple[str, ...]) -> Resource_DataMapOfAsciiStringAsciiString:
    repairs = Resource_DataMapOfAsciiStringAsciiString()
    for name in names:
        repairs.Bind(TCollection_AsciiString(f"FixShape.Fix{name}Mode"), TCollection_AsciiString("0"))
    return repairs


@functools.cache  # the loop over printers takes half a millisecond
def silence() -> None:
    """OCCT prints on every transfer; keep failures only."""
    for printer in Message.DefaultMessenger_s().Printers():
        printer.SetTraceLevel(Message_Gravity.Message_Fail)


def read_solids(path: Path, trusting: bool = False) -> list[ReadSolid | Reject]:
    """What the file holds, as the head of this module says: by roots the solids in the kernel's order, then the rest.

    Args:
        trusting: True = a STEP file of planes alone is read without the kernel's repairs, in half the time, others
            without those that turn things round. Whoever uses solids that are not `repaired` must see that they are
            sound (see `soundness`), and otherwise read the file again.

    Where a solid is rejected, its Reject stands in its place, so that entry i has index i as long as there are solids.

    Raises:
        Reject: missing, unreadable, too_large or no_solid.
    """
    if not path.is_file():
        raise Reject("missing", f"{path.name}: no such file")
    suffix = suffix_of(path)
    if not suffix:
        raise Reject("unreadable", f"{path.name}: suffix {path.suffix or 'none'}, known are {', '.join(SUFFIXES)}")
    silence()
    Interface_Static.SetCVal_s("xstep.cascade.unit", "MM")
    with as_reject(path.name):
        if suffix in BREP:
            entries = read_brep(path)
        elif suffix in IGES:
            entries = read_iges(path)
        else:
            entries = _read_step(path, read_bytes(path), trusting)
    if not entries:
        raise Reject("no_solid", f"{path.name}: nothing in it could be made into a shape")
    return entries


def _read_step(path: Path, data: bytes, trusting: bool) -> list[ReadSolid | Reject]:
    if b"ISO-10303-21" not in data[:4096]:
        raise Reject("unreadable", f"{path.name}: not a STEP file but {kind_of(data)}")
    reader = STEPControl_Reader()
    Interface_Static.SetRVal_s(REGULARITY, 0.0)  # no such name before there is a reader, no effect after it has read
    if suffix_of(path) in PACKED_STEP:
        status = reader.ReadStream(path.name, io.BytesIO(data))
    else:
        status = reader.ReadFile(str(path))
    if status != IFSelect_RetDone:  # a transfer after a failed read ends the process
        raise Reject("unreadable", f"{path.name}: a broken STEP file")
    unit_mm = step_unit_mm(reader)
    repaired = not trusting or VOIDS in data
    planar = not any(word in data for word in NOT_PLANAR)
    left_out = NOT_NEEDED if repaired else REPAIRS if planar else NOT_NEEDED + TURNING
    reader.SetShapeFixParameters(_left_out(left_out))  # has no effect before ReadFile
    reader.TransferRoots()
    rejects: list[Reject] = []
    roots = _roots(reader, path.name, rejects)
    entities = Entities(reader)
    colors = Colors(reader) if b"STYLED_ITEM" in data else None
    named = any(data.count(word) > data.count(word + b"(''") for word in FACES)
    entries: list[ReadSolid | Reject] = []
    made: dict[int, Any] = {}
    for root, shape in roots:
        product = product_name(root)
        parts: Iterable[tuple[TopoDS_Shape, str, tuple[str, ...]]] = [(shape, product, ())]
        if b"NEXT_ASSEMBLY_USAGE_OCCURRENCE" in data:
            parts = placed_parts(shape, root, entities, (product.replace("/", "_"),))
        for part, name, way in parts:
            at = "/".join(way) if len(way) > 1 else ""
            for solid in solids_of(part):
                entity = entities.of(solid)
                if isinstance(entity, StepShape_ManifoldSolidBrep):
                    made[id(entity)] = entity  # an entity keeps its id as long as it is held
                if flaw := _flaw(solid, entity, f"{path.name}: solid {len(entries)}"):
                    entries.append(flaw)
                    continue
                faces = FaceEntities(entities, solid, entity)
                color = colors.of_faces(faces, entity) if colors is not None else no_color
                called = faces.name if named else no_name
                entries.append(
                    ReadSolid(solid, len(entries), name_of(entity), unit_mm, called, name, at, color, repaired)
                )
        rejects += leftovers(shape, f"{path.name}: ")
    if sum(data.count(keyword) for keyword in SOLIDS) > len(made):  # may count too many, which only costs time
        rejects += _lost(reader, made, path.name)
    return entries + rejects


def _roots(reader: Any, file: str, rejects: list[Reject]) -> list[tuple[Any, TopoDS_Shape]]:
    """Root entities with their shapes; those without a shape go to the rejects."""
    count = reader.NbRootsForTransfer()
    if reader.NbShapes() != count:  # a second transfer of a root only hands out what the first has made
        shapes = {}
        for i in range(1, count + 1):
            reader.ClearShapes()
            if reader.TransferOneRoot(i) and reader.NbShapes():
                shapes[i] = reader.Shape(1)
    else:
        shapes = {i: reader.Shape(i) for i in range(1, count + 1)}
    for i in range(1, count + 1) if shapes else ():
        if i not in shapes:
            what = product_name(reader.RootForTransfer(i)) or type(reader.RootForTransfer(i)).__name__
            rejects.append(Reject("not_transferred", f"{file}: root {i}, {what}, gave no shape"))
    return [(reader.RootForTransfer(i), shape) for i, shape in shapes.items()]


def _flaw(solid: TopoDS_Solid, entity: Any, where: str) -> Reject | None:
    if misplaced(solid):
        return Reject("scaled_placement", f"{where} is placed with a change of size")
    if isinstance(entity, StepShape_ManifoldSolidBrep) and entity.Outer() is not None:
        stated, faces = entity.Outer().NbCfsFaces(), count_faces(solid)
        if faces < stated and not all(BRep_Tool.IsClosed_s(shell) for shell in found(solid, TopAbs_SHELL)):
            return Reject("open_shell", f"{where} is open, {stated - faces} of its {stated} faces could not be made")
    return None


def _lost(reader: Any, made: dict[int, Any], file: str) -> list[Reject]:
    """Solids of the text that no shape was made from."""
    solids = of_type(reader.Model(), StepShape_ManifoldSolidBrep)
    return [
        Reject("not_transferred", f"{file}: solid {name_of(entity)!r} gave no shape")
        for entity in solids
        if id(entity) not in made
    ]
