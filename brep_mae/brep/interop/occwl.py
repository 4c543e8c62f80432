"""Optional: solids to and from occwl, and face graphs as the arrays that UV-Net's converter makes.

occwl stands on pythonocc, this package on OCP. Both wrap the same kernel, but neither knows the other's objects, so a
shape travels as a BREP file. It is written in the format's first version, which every release that occwl ran on reads.
"""

import importlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from OCP.BRep import BRep_Builder
from OCP.BRepTools import BRepTools
from OCP.Message import Message_ProgressRange
from OCP.ShapeUpgrade import ShapeUpgrade_RemoveLocations
from OCP.TopAbs import TopAbs_SOLID
from OCP.TopoDS import TopoDS, TopoDS_Shape, TopoDS_Solid
from OCP.TopTools import TopTools_FormatVersion

from brep_mae.brep.faces.topology import right_way_out
from brep_mae.brep.read.step import ReadSolid
from brep_mae.schema import POINT, FaceGraph

CONDA = "conda install -c lambouj -c conda-forge occwl"
MODULES = ("occwl.solid", "OCC.Core.BRepTools", "OCC.Core.BRep", "OCC.Core.TopoDS")


@dataclass(frozen=True)
class UVNetArrays:
    """What UV-Net stores for one solid; F faces, E directed edges between different faces.

    Args:
        faces: point (mm, where the file has it), outward unit normal, 1 where the sample is inside the trimming loops
            or on them. Samples include both ends of the (u, v) box, and run backwards in u on reversed faces.
            `ndata["x"]` there.
        edges: point (mm, as above) and unit tangent, with the source face on the left seen from outside; `edata["x"]`
            there.
        edge_index: source and target faces, sorted by source.

    Shapes: faces (F, U, V, 7) float64, edges (E, U, 6) float64, edge_index (2, E)
    """

    faces: np.ndarray
    edges: np.ndarray
    edge_index: np.ndarray


def uvnet_arrays(graph: FaceGraph) -> UVNetArrays:
    """The face graph as UV-Net's converter would give it, in its order.

    That converter drops seams, and keeps one edge for every pair of faces: the last of them, at the place of the
    first. Nothing is centred or rescaled, as there. Which labels belong to which row does not change: faces keep
    their numbers. Stored points are exact about the solid's centre, so they go back to the origin in double precision.
    """
    source, target = graph.arc_index
    last: dict[tuple[int, int], int] = {}
    for arc in np.lexsort((graph.arc_edge, source)).tolist():
        if not graph.arc_seam[arc]:
            last[int(source[arc]), int(target[arc])] = arc  # a dict keeps the place of the first
    kept = np.array(list(last.values()), np.int64)
    faces, edges = graph.face_grid.astype(np.float64), graph.arc_grid[kept].astype(np.float64)
    for grid in (faces, edges):
        grid[..., POINT] += graph.center_mm
    return UVNetArrays(faces, edges, graph.arc_index[:, kept])


def from_occwl(solid: Any, index: int = 0) -> ReadSolid:
    """An `occwl.solid.Solid`, ready for `graph.face_graph`; its faces keep their order. It brings no names or colours.

    Args:
        solid: lengths in mm, as occwl reads STEP.
        index: number that the solid gets.

    Raises:
        ImportError: occwl or pythonocc is not installed.
        ValueError: not one solid.
    """
    _, tools, _, _ = _occwl()
    shape = TopoDS_Shape()
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "solid.brep")
        tools.breptools.Write(solid.topods_shape(), path)
        read = BRepTools.Read_s(shape, path, BRep_Builder(), Message_ProgressRange())
    if not read or shape.IsNull() or shape.ShapeType() != TopAbs_SOLID:
        raise ValueError(f"{type(solid).__name__} does not hold one solid; pass an occwl.solid.Solid")
    return ReadSolid(TopoDS.Solid_s(shape), index, name="", unit_mm=1.0)


def to_occwl(solid: ReadSolid) -> Any:
    """The solid as an `occwl.solid.Solid` in mm, its faces in the same order.

    Placements are worked into the geometry, since occwl refuses to sample a face that has one.

    Raises:
        ImportError: occwl or pythonocc is not installed.
    """
    occwl, tools, brep, topology = _occwl()
    baked = _without_placements(solid.shape)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "solid.brep")
        version = TopTools_FormatVersion.TopTools_FormatVersion_VERSION_1
        if not BRepTools.Write_s(baked, path, False, False, version, Message_ProgressRange()):
            raise OSError(f"{path}: could not be written; check the free space of its disk")
        shape = topology.TopoDS_Shape()
        tools.breptools.Read(shape, path, brep.BRep_Builder())
    return occwl.Solid(topology.topods.Solid(shape))


def _without_placements(shape: TopoDS_Solid) -> TopoDS_Shape:
    remover = ShapeUpgrade_RemoveLocations()
    remover.SetRemoveLevel(TopAbs_SOLID)
    remover.Remove(right_way_out(shape))
    return remover.GetResult()


def _occwl() -> tuple[Any, ...]:
    try:
        return tuple(importlib.import_module(name) for name in MODULES)
    except ImportError as error:
        raise ImportError(
            f"occwl cannot be imported ({error}). It and the pythonocc under it are not on the package index; "
            f"install them with conda: {CONDA}"
        ) from error
