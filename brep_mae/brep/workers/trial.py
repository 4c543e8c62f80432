"""Whether the CAD kernel works here: a box that is written, and read again as any file is."""

from pathlib import Path

from brep_mae.brep.workers.worker import Limits


def write_and_read_box(path: Path, options: Limits) -> int:
    """Writes a box as STEP to `path` and returns the number of faces that are read from it: 6. To be run in a worker.
    Raises Reject where the file cannot be read."""
    from OCP.BRepPrimAPI import BRepPrimAPI_MakeBox
    from OCP.STEPControl import STEPControl_AsIs, STEPControl_Writer
    from OCP.TopAbs import TopAbs_FACE
    from OCP.TopExp import TopExp
    from OCP.TopTools import TopTools_IndexedMapOfShape

    from brep_mae.brep.read.step import ReadSolid, read_solids

    writer = STEPControl_Writer()
    writer.Transfer(BRepPrimAPI_MakeBox(1.0, 2.0, 3.0).Solid(), STEPControl_AsIs)
    writer.Write(str(path))
    (box,) = (solid for solid in read_solids(path) if isinstance(solid, ReadSolid))
    faces = TopTools_IndexedMapOfShape()
    TopExp.MapShapes_s(box.shape, TopAbs_FACE, faces)
    return int(faces.Extent())
