"""A plate with as many round holes as wanted: two faces of very many loops."""

from pathlib import Path

import numpy as np
from OCP.BRepBuilderAPI import BRepBuilderAPI_MakeEdge, BRepBuilderAPI_MakeFace, BRepBuilderAPI_MakeWire
from OCP.BRepPrimAPI import BRepPrimAPI_MakePrism
from OCP.gp import gp_Ax2, gp_Circ, gp_Dir, gp_Pln, gp_Pnt, gp_Vec
from OCP.STEPControl import STEPControl_AsIs, STEPControl_Writer
from OCP.TopoDS import TopoDS, TopoDS_Solid

ROWS = 24
"""Of holes, each way: 582 faces."""


def plate_of_holes(rows: int, shift_mm: float = 0.0) -> TopoDS_Solid:
    """1 mm thick, a hole of radius 0.3 mm in the middle of each of rows x rows squares of 1 mm, but for the first one,
    which is moved by `shift_mm` towards the second: from 0.4 on they touch and cross."""
    face = BRepBuilderAPI_MakeFace(gp_Pln(), 0.0, float(rows), 0.0, float(rows))
    for x, y in np.ndindex(rows, rows):
        circle = gp_Circ(
            gp_Ax2(gp_Pnt(x + 0.5, y + 0.5 + (shift_mm if x == y == 0 else 0.0), 0.0), gp_Dir(0.0, 0.0, 1.0)), 0.3
        )
        hole = BRepBuilderAPI_MakeWire(BRepBuilderAPI_MakeEdge(circle).Edge()).Wire()
        hole.Reverse()
        face.Add(hole)
    return TopoDS.Solid_s(BRepPrimAPI_MakePrism(face.Face(), gp_Vec(0.0, 0.0, 1.0)).Shape())


def write_plate(folder: Path, rows: int = ROWS) -> Path:
    """The kernel takes minutes to write one of 12,800 faces."""
    path = folder / f"plate_{rows}.step"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        writer = STEPControl_Writer()
        writer.Transfer(plate_of_holes(rows), STEPControl_AsIs)
        writer.Write(str(path))
    return path
