"""Sizes of shapes as the kernel measures them."""

from OCP.Bnd import Bnd_Box
from OCP.BRepBndLib import BRepBndLib
from OCP.BRepGProp import BRepGProp
from OCP.GProp import GProp_GProps
from OCP.TopoDS import TopoDS_Shape


def longest_side(shape) -> float:
    bounds = Bnd_Box()
    BRepBndLib.AddOptimal_s(shape, bounds, False, False)
    x0, y0, z0, x1, y1, z1 = bounds.Get()
    return max(x1 - x0, y1 - y0, z1 - z0)


def properties(shape: TopoDS_Shape) -> GProp_GProps:
    found = GProp_GProps()
    BRepGProp.VolumeProperties_s(shape, found)
    return found


def volume(shape: TopoDS_Shape) -> float:
    return properties(shape).Mass()


def middle_x(shape: TopoDS_Shape) -> float:
    return properties(shape).CentreOfMass().X()
