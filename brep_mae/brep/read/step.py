"""CAD file -> located solids in millimetres, with the names, colours and places the file gives to them.

What becomes of what a file holds:

- every solid is one entry, also those of compounds, of several roots and of assemblies, which are flattened: a part
  placed five times gives five solids where the placements put them;
- a closed shell outside a solid becomes a solid; void shells stay in theirs; solids whose faces point inward
  are turned;
- open shells, loose faces, curves and points give a Reject each (curves and points of one root together);
- a root or a solid that the kernel could not make, a solid that lost faces and is open for it, and a placement that
  changes sizes give a Reject each;
- parts that are other files give a Reject that names these;
- a file that is not what its suffix says, is broken, or in which nothing could be made is rejected as a whole.
"""

import enum
import functools
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from OCP.BRep import BRep_Tool
from OCP.IFSelect import IFSelect_RetDone
from OCP.Interface import Interface_Static
from OCP.Message import Message, Message_Gravity
from OCP.Resource import Resource_DataMapOfAsciiStringAsciiString
from OCP.STEPConstruct import STEPConstruct_ExternRefs
from OCP.STEPControl import STEPControl_Reader
from OCP.StepShape import StepShape_ManifoldSolidBrep
from OCP.TCollection import TCollection_AsciiString
from OCP.TopAbs import TopAbs_SHELL
from OCP.TopoDS import TopoDS_Shape, TopoDS_Solid

from brep_mae.brep.kernel_errors import as_reject
from brep_mae.brep.read.colors import Colors, no_color
from brep_mae.brep.read.entities import Entities, FaceEntities, name_of, no_name, of_type, placed_parts, product_name
from brep_mae.brep.read.formats import read_bytes
from brep_mae.brep.read.lost_seams import lost_seam
from brep_mae.brep.read.many_loops import has_many_loops
from brep_mae.brep.read.other_formats import read_brep, read_iges
from brep_mae.brep.read.outer_bounds import bounded
from brep_mae.brep.read.solids import ReadSolid, count_faces, leftovers, misplaced, solids_of, subshapes
from brep_mae.brep.read.step_text import step_text
from brep_mae.brep.read.units import Units
from brep_mae.brep.reject import Reject
from brep_mae.cad_files import BREP, IGES, PACKED_STEP, SUFFIXES, suffix_of

__all__ = ["ReadSolid", "Reading", "read_solids", "silence"]

FACES = (b"ADVANCED_FACE", b"FACE_SURFACE")
SOLIDS = (b"MANIFOLD_SOLID_BREP", b"BREP_WITH_VOIDS", b"FACETED_BREP")

TURNING = (
    *("FreeShell", "FreeFace", "FreeWire", "SameParameter", "FaceOrientation", "SmallAreaWire", "SplitFace", "Small"),
    *("Connected", "Lacking", "RemovePCurve", "RemoveCurve3d", "AddCurve3d", "EdgeSameParameter"),
    *("NotchedEdges", "SelfIntersectingEdge", "NonAdjacentIntersectingEdges", "VertexPosition", "VertexTolerance"),
    *("ShellOrientation", "Orientation"),
)
"""Repairs of the kernel that turn, cut off or put in another order what is wrong. They take half of the time of
reading, most of it to see that nothing is; the faces of solids where nothing was come out the same without them."""
BUT_SLITS = tuple(name for name in TURNING if name != "NotchedEdges")
REPAIRS = (
    *TURNING,
    *("Solid", "CreateOpenSolid", "Shell", "Face", "AddNaturalBound"),
    *("MissingSeam", "RemoveSmallAreaFace", "IntersectingWires", "LoopWires", "AutoCorrectPrecision"),
    *("PeriodicDegenerated", "Wire", "Reorder", "EdgeCurves", "Degenerated", "SelfIntersection", "Gaps3d", "Gaps2d"),
    *("ReversedPCurves", "ReversedPCurve", "AddPCurve", "Seam", "Shifted", "IntersectingEdges", "Tail", "ClosedWire"),
)
"""All of them. The others prepare curves in the parameters of curved surfaces, which planes do not need."""
CROSSINGS = ("IntersectingWires",)
"""The repair that compares every loop of a face with every other one."""
CURVES = "read.surfacecurve.mode"
OF_THE_FILE, FROM_SPACE = 0, 3
"""Where curves in the parameters of surfaces come from, if the file has them: from it, or made from those in space."""
TOLERANCE = "read.maxprecision.val"
BY_DEFAULT_MM, EXACT_MM = 1.0, 1e-3
"""The largest tolerance. With the default of 1 mm the kernel takes small circles of surfaces of revolution for points,
and does not join the sides of such a ring: it is covered twice, loses a piece, or is lost. Only flawed files need so
much."""
REGULARITY = "read.encoderegularity.angle"
"""By which angle, in rad, faces may meet for the kernel to note that their edge is smooth; at 0 it does not look, which
takes time and answers what nobody here asks: arcs have their own angles."""
NOT_PLANAR = (b"_SURFACE", b"SURFACE_OF_")
"""Words of files with other surfaces than planes."""
REFERENCES = b"DOCUMENT_FILE"
"""Word of files whose parts are other files."""
VOIDS = b"BREP_WITH_VOIDS"
"""Word of files with several shells in a solid, which the kernel must tell apart."""


class Reading(enum.Enum):
    """How the kernel reads a STEP file; others are always read in the same way."""

    TRUSTING = "without all repairs where there are planes alone, without those that turn things round elsewhere"
    REPAIRED = "as the kernel does by default: what other programs on it see, faces in the same order"
    ANEW = "the same with a small tolerance, and the curves in the parameters of surfaces made anew from those in space"
    BOUNDED = "with nothing turned round, but slits cut off and faces that are holes alone bounded from outside"


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


def read_solids(path: Path, reading: Reading = Reading.REPAIRED) -> list[ReadSolid | Reject]:
    """What the file holds, as the head of this module says: by roots the solids in the kernel's order, then the rest.

    Args:
        reading: TRUSTING takes half the time; the last two are for what the others make wrong. Whoever uses solids
            that are not read `by_default` must see that they are sound (see `soundness`), or read in another way.

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
            entries = _read_step(path, read_bytes(path), reading)
    if not entries:
        raise Reject("no_solid", f"{path.name}: nothing in it could be made into a shape")
    return entries


def _read_step(path: Path, stored: bytes, reading: Reading) -> list[ReadSolid | Reject]:
    data = step_text(stored, path.name)
    reader = STEPControl_Reader()
    Interface_Static.SetRVal_s(REGULARITY, 0.0)  # no such name before there is a reader, no effect after it has read
    repaired = reading in (Reading.REPAIRED, Reading.ANEW) or (reading is Reading.TRUSTING and VOIDS in data)
    with _settings(anew=reading is Reading.ANEW, exact=reading is Reading.ANEW or not repaired):
        if suffix_of(path) in PACKED_STEP or data is not stored:
            status = reader.ReadStream(path.name, io.BytesIO(data))
        else:
            status = reader.ReadFile(str(path))
    if status != IFSelect_RetDone:  # a transfer after a failed read ends the process
        raise Reject("unreadable", f"{path.name}: a broken STEP file")
    planar = not any(word in data for word in NOT_PLANAR)
    if not repaired:
        left_out = BUT_SLITS if reading is Reading.BOUNDED else REPAIRS if planar else TURNING
        if reading is Reading.TRUSTING and has_many_loops(data):
            left_out += CROSSINGS  # which is left to whoever sees that solids are sound
        reader.SetShapeFixParameters(_left_out(left_out))  # has no effect before ReadFile
    reader.TransferRoots()
    units = Units(reader.Model())
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
                faces = FaceEntities(entities, solid, entity, repaired)
                if repaired and not planar and lost_seam(solid, entity, faces, reader.Model()):
                    detail = f"{path.name}: solid {len(entries)} is not what the kernel makes of it: it loses a seam"
                    entries.append(Reject("degenerate", detail))
                    continue
                color = colors.of_faces(faces, entity) if colors is not None else no_color
                if reading is Reading.BOUNDED:
                    solid = bounded(solid)
                called = faces.name if named else no_name
                unit_mm = units.of(
                    entity or entities.of(next(subshapes(solid, TopAbs_SHELL)))
                )  # a shell made into a solid
                by_default = repaired and reading is not Reading.ANEW
                entries.append(
                    ReadSolid(solid, len(entries), name_of(entity), unit_mm, called, name, at, color, by_default)
                )
        rejects += leftovers(shape, f"{path.name}: ")
    if sum(data.count(keyword) for keyword in SOLIDS) > len(made):  # may count too many, which only costs time
        rejects += _lost(reader, made, path.name)
    if REFERENCES in data:
        rejects += _elsewhere(reader, path.name, alone=not entries)
    return entries + rejects


@contextmanager
def _settings(anew: bool, exact: bool) -> Iterator[None]:
    """What the kernel keeps with a file as it reads it; it is the default again for other readers."""
    Interface_Static.SetIVal_s(CURVES, FROM_SPACE if anew else OF_THE_FILE)
    Interface_Static.SetRVal_s(TOLERANCE, EXACT_MM if exact else BY_DEFAULT_MM)
    try:
        yield
    finally:
        Interface_Static.SetIVal_s(CURVES, OF_THE_FILE)
        Interface_Static.SetRVal_s(TOLERANCE, BY_DEFAULT_MM)


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
        if faces < stated and not all(BRep_Tool.IsClosed_s(shell) for shell in subshapes(solid, TopAbs_SHELL)):
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


def _elsewhere(reader: Any, file: str, alone: bool) -> list[Reject]:
    """Parts of an assembly that are files of their own. Args: alone: the file holds no solid but these."""
    references = STEPConstruct_ExternRefs(reader.WS())
    references.LoadExternRefs()
    names = dict.fromkeys(references.FileName(i) for i in range(1, references.NbExternRefs() + 1))
    return [
        Reject("other_file", f"{file}: a part of it is the file {name!r}; read that one, or export all as one file")
        for name in names
        if alone or suffix_of(Path(name))
    ]
