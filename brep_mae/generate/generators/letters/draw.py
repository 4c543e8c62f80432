"""Draws one random letter: its proportions, depth and place, and whether it tapers or has rounded or bevelled rims."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import inf, pi

import numpy as np
from OCP.BRepAdaptor import BRepAdaptor_Curve
from OCP.BRepGProp import BRepGProp
from OCP.BRepTools import BRepTools_WireExplorer
from OCP.GeomAbs import GeomAbs_CurveType
from OCP.gp import gp_Pnt, gp_Quaternion, gp_Trsf, gp_Vec
from OCP.GProp import GProp_GProps
from OCP.ShapeAnalysis import ShapeAnalysis_ShapeTolerance
from OCP.TopAbs import TopAbs_REVERSED, TopAbs_WIRE
from OCP.TopExp import TopExp_Explorer
from OCP.TopoDS import TopoDS, TopoDS_Edge, TopoDS_Face

from brep_mae.generate.generated_part import GeneratedPart, first_accepted
from brep_mae.generate.generators.letters.glyphs import Glyph, base, glyph_of
from brep_mae.generate.generators.letters.solids import extruded, placed, tapered
from brep_mae.generate.labelled import LabelledSolid, Rejected, chamfer, check, edges, fillet
from brep_mae.generate.trial import survives

FORMS: dict[str, float] = {"plain": 0.3, "tapered": 0.2, "fillet": 0.25, "chamfer": 0.25}
"""How an attempt is finished, and how often."""

NOTCH_RAD = pi / 3
"""The sharpest inner corner where a curve ends that is bevelled: from 1.65 rad on, OCCT's chamfers have crashed the
process often enough not to be tried at all. Rounding has never."""

CUSP_RAD = 0.99 * pi  # what turns all the way back has no side to turn to
FINE = 0.7  # of the shortest edge: nor does OCCT take larger sizes well
LOOSE_MM = 0.01  # a fillet that OCCT holds together only by a wide tolerance; readers of STEP may search it for ever
LARGEST = 1  # ShapeAnalysis_ShapeTolerance's word for it
LEAST = 0.004  # em; a smaller rim would be a strip of slivers


def draw_part(seed: int, index: int) -> GeneratedPart:
    """Part `index` of the set with this seed; `glyph_of` tells its font and case."""
    glyph = glyph_of(seed, index)
    return first_accepted(lambda rng: (glyph.letter, build(rng, glyph)), seed, index)


def build(rng: np.random.Generator, glyph: Glyph, form: str | None = None) -> LabelledSolid:
    """One attempt at a part.

    Args:
        form: one of FORMS; None draws one.

    Raises:
        Rejected: the attempt has to be drawn again.
    """
    form = form or str(rng.choice(list(FORMS), p=list(FORMS.values())))
    em_mm, aspect, slant = rng.uniform(30, 120), np.exp(rng.uniform(-0.25, 0.25)), rng.uniform(-0.2, 0.2)
    outline = base(glyph, em_mm * np.array([[aspect, slant], [0.0, 1.0]]))
    depth_mm = em_mm * np.exp(rng.uniform(np.log(0.08), np.log(0.5)))
    if form == "tapered":
        BRepGProp.SurfaceProperties_s(outline, size := GProp_GProps())
        middle = size.CentreOfMass()
        part = tapered(outline, depth_mm, rng.uniform(0.75, 0.97), middle.X(), middle.Y())
    else:
        part, ends = extruded(outline, depth_mm)
        if form != "plain":
            shortest_mm, notch_rad = _finest(outline)
            if form == "chamfer" and notch_rad > NOTCH_RAD:
                raise Rejected("notch too sharp for a chamfer")
            size_mm = min(em_mm * rng.uniform(0.008, 0.03), FINE * shortest_mm)
            if size_mm < LEAST * em_mm:
                raise Rejected("outline too fine for a rim")
            rims = [edge for end in ends[: rng.integers(1, 3)] for edge in edges(end)]
            part = (fillet if form == "fillet" else _bevelled)(part, rims, size_mm)
    part = placed(part, _pose(rng))
    check(part)
    if ShapeAnalysis_ShapeTolerance().Tolerance(part.solid, LARGEST) > LOOSE_MM:
        raise Rejected("edge far from its faces")
    return part


def _bevelled(part: LabelledSolid, rims: Sequence[TopoDS_Edge], size_mm: float) -> LabelledSolid:
    """Chamfered; Rejected where that ends the process, as it does at rare corners that are not sharp."""
    bevel = partial(chamfer, part, rims, size_mm)
    if not survives(bevel):
        raise Rejected("chamfer crashes the kernel")
    return bevel()


def _finest(outline: TopoDS_Face) -> tuple[float, float]:
    """Shortest edge, and the sharpest turn into the letter where a curve ends, of a face looking up."""
    shortest_mm, notch_rad = inf, 0.0
    wires = TopExp_Explorer(outline, TopAbs_WIRE)
    while wires.More():
        walk, passed = BRepTools_WireExplorer(TopoDS.Wire_s(wires.Current()), outline), []
        while walk.More():
            passed.append(_Passed.along(walk.Current()))
            walk.Next()
        for one, other in zip(passed, passed[1:] + passed[:1], strict=True):
            shortest_mm = min(shortest_mm, one.length_mm)
            if not (one.straight and other.straight):
                turn_rad = -one.last.AngleWithRef(other.first, gp_Vec(0, 0, 1))
                notch_rad = max(notch_rad, abs(turn_rad) if abs(turn_rad) > CUSP_RAD else turn_rad)
        wires.Next()
    return shortest_mm, notch_rad


@dataclass(frozen=True)
class _Passed:
    """An edge as a wire passes it: its length, whether it is straight, its first and last tangent."""

    length_mm: float
    straight: bool
    first: gp_Vec
    last: gp_Vec

    @classmethod
    def along(cls, edge: TopoDS_Edge) -> "_Passed":
        curve = BRepAdaptor_Curve(edge)
        BRepGProp.LinearProperties_s(edge, length := GProp_GProps())
        curve.D1(curve.FirstParameter(), gp_Pnt(), first := gp_Vec())
        curve.D1(curve.LastParameter(), gp_Pnt(), last := gp_Vec())
        if edge.Orientation() == TopAbs_REVERSED:
            first, last = last.Reversed(), first.Reversed()
        return cls(length.Mass(), curve.GetType() == GeomAbs_CurveType.GeomAbs_Line, first, last)


def _pose(rng: np.random.Generator) -> gp_Trsf:
    """Anywhere within 100 mm, turned anyhow: uniform over all rotations."""
    where = gp_Trsf()
    where.SetTransformation(gp_Quaternion(*rng.normal(size=4)), gp_Vec(*rng.uniform(-100, 100, 3)))
    return where
