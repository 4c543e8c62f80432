"""File -> its solids with their face graphs."""

from pathlib import Path

from brep_mae.brep.graph.graph import face_graph
from brep_mae.brep.read.solids import ReadSolid
from brep_mae.brep.read.step import Reading, read_solids
from brep_mae.brep.reject import Reject
from brep_mae.brep.sampling import Sampling
from brep_mae.brep.solid.placing import MeasuredSolids
from brep_mae.brep.solid.soundness import NeedsRepair
from brep_mae.cad_files import PACKED_STEP, STEP, suffix_of
from brep_mae.schema import FaceGraph

Measured = tuple[ReadSolid, FaceGraph]
"""A solid as it was read, and the graph whose faces have the numbers of that solid's faces."""


def file_graphs(path: Path, key: str, name: str, sampling: Sampling) -> list[FaceGraph | Reject]:
    """The graphs of `file_solids`."""
    return [entry if isinstance(entry, Reject) else entry[1] for entry in file_solids(path, key, name, sampling)]


def file_solids(path: Path, key: str, name: str, sampling: Sampling) -> list[Measured | Reject]:
    """All solids of the file, each with what it became, in the file's order.

    A STEP file is first read without some of the kernel's repairs, one of planes without any, which costs half as much;
    whatever is not perfect then is read again with all of them. Solids with faces that cannot be are read in two more
    ways, see `Reading`.

    Args:
        key: of the file; with a solid's number it makes the uid.
        name: of the file in the records.

    Raises:
        Reject: where the file as a whole cannot be used.
    """
    if suffix_of(path) not in STEP + PACKED_STEP:
        return _measured(read_solids(path), key, name, MeasuredSolids(sampling))
    try:
        found = _measured(read_solids(path, Reading.TRUSTING), key, name, MeasuredSolids(sampling), trusting=True)
    except (NeedsRepair, Reject):
        found = _measured(read_solids(path), key, name, MeasuredSolids(sampling))
    for reading in (Reading.ANEW, Reading.BOUNDED):
        if not any(map(_degenerate, found)):
            break
        again = _measured(read_solids(path, reading), key, name, MeasuredSolids(sampling))
        if len(again) == len(found):
            found = [
                new if _degenerate(old) and not _degenerate(new) else old for old, new in zip(found, again, strict=True)
            ]
        elif not any(isinstance(entry, Reject) for entry in again):
            found = again
    return found


def _degenerate(entry: Measured | Reject) -> bool:
    return isinstance(entry, Reject) and entry.reason == "degenerate"


def _measured(
    entries: list[ReadSolid | Reject], key: str, name: str, parts: MeasuredSolids, trusting: bool = False
) -> list[Measured | Reject]:
    """Raises NeedsRepair where `trusting` and a solid that must be sound, or anything beside it, is flawed."""
    found: list[Measured | Reject] = []
    trusting &= any(isinstance(entry, ReadSolid) and not entry.by_default for entry in entries)
    if trusting and any(isinstance(entry, Reject) for entry in entries):
        raise NeedsRepair
    parts.gather([(entry.shape, f"{key}#{entry.index}") for entry in entries if isinstance(entry, ReadSolid)])
    for entry in entries:
        if isinstance(entry, Reject):
            found.append(entry)
            continue
        try:
            found.append((entry, face_graph(entry, f"{key}#{entry.index}", name, parts)))
        except Reject as reject:
            if trusting:
                raise NeedsRepair from reject
            found.append(Reject(reject.reason, f"solid {entry.index}: {reject.detail}"))
        except NeedsRepair:
            if trusting:
                raise
            found.append(Reject("degenerate", f"solid {entry.index}: the kernel makes no sound solid of it"))
    return found
