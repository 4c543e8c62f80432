"""Draws one random machined part, with the class of every face known by construction."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from OCP.Bnd import Bnd_Box
from OCP.BRepAdaptor import BRepAdaptor_Curve
from OCP.BRepBndLib import BRepBndLib
from OCP.BRepGProp import BRepGProp
from OCP.BRepOffset import BRepOffset_Analyse
from OCP.ChFiDS import ChFiDS_TypeOfConcavity
from OCP.GeomAbs import GeomAbs_CurveType
from OCP.GProp import GProp_GProps
from OCP.TopoDS import TopoDS_Edge, TopoDS_Solid

from brep_mae.generate.generated_part import GeneratedPart, first_accepted
from brep_mae.generate.generators.machined.classes import FACE_CLASSES, PART_CLASSES
from brep_mae.generate.generators.machined.features import FEATURES
from brep_mae.generate.generators.machined.fitting import place
from brep_mae.generate.generators.machined.sites import Site
from brep_mae.generate.generators.machined.stocks import FAMILIES, Stock
from brep_mae.generate.labelled import (
    LabelledSolid,
    Rejected,
    chamfer,
    check,
    cut,
    edges,
    faces,
    fillet,
    fuse,
    members,
)

MAX_FEATURES = 6
SMOOTH_RAD = 0.05  # edges that turn less than this need no rounding
DRESSED = ("chamfer", "fillet")


def draw_part(seed: int, index: int) -> GeneratedPart:
    """Part `index` of the set with this seed."""

    def attempt(rng: np.random.Generator) -> tuple[str, LabelledSolid]:
        family = str(rng.choice(PART_CLASSES))
        return family, build(rng, family)

    return first_accepted(attempt, seed, index)


def build(rng: np.random.Generator, family: str, classes: Sequence[str] | None = None) -> LabelledSolid:
    """One attempt at a part.

    Args:
        family: one of PART_CLASSES.
        classes: the features to make, in FACE_CLASSES' words; None draws 1 to MAX_FEATURES of those that fit.

    Raises:
        Rejected: the attempt has to be drawn again.
    """
    stock = FAMILIES[family](rng)
    if classes is None:
        fitting = [name for name in FACE_CLASSES if name in DRESSED or _places(stock, name)]
        classes = [str(c) for c in rng.choice(fitting, rng.integers(1, MAX_FEATURES + 1))]
    part = LabelledSolid(stock.solid, ("stock",) * len(faces(stock.solid)))
    # Bosses first, so that tools can start above them; edges last, so that they are the final part's edges.
    for name in sorted(classes, key=lambda c: (c in DRESSED) - (c == "boss")):
        if name in DRESSED:
            part = _dress(rng, part, name)
        else:
            part, stock = _add(rng, part, stock, name)
    check(part)
    return part


def _places(stock: Stock, name: str) -> list[Site]:
    """Sites, as they have to be turned, where the feature fits."""
    feature = FEATURES.get(name)
    if feature is None:
        return []
    return [site for site in stock.turns if feature.fits(site) and (name != "boss" or site.headroom_mm > 0)]


def _add(rng: np.random.Generator, part: LabelledSolid, stock: Stock, name: str) -> tuple[LabelledSolid, Stock]:
    feature = FEATURES[name]
    if feature.round_hole and stock.patterns and rng.random() < 0.4:
        sites = stock.patterns[rng.integers(len(stock.patterns))]
        tool = feature.make(sites[0], rng)
        return cut(part, [place(tool, site) for site in sites], name), stock
    places = _places(stock, name)
    site = places[rng.integers(len(places))]
    tool = place(feature.make(site, rng), site)
    if name != "boss":
        return cut(part, [tool], name), stock
    return fuse(part, [tool], name), _above_boss(stock, site.headroom_mm)


def _above_boss(stock: Stock, height_mm: float) -> Stock:
    """The stock with sites whose tools start above, and end beyond, a boss of up to this height."""

    def raised(site: Site) -> Site:
        clear = max(site.clear_mm, height_mm + 1) if site.headroom_mm > 0 else site.clear_mm
        beyond = max(site.beyond_mm, height_mm + 1) if site.far_open else site.beyond_mm
        return replace(site, clear_mm=clear, beyond_mm=beyond)

    patterns = tuple(tuple(raised(site) for site in pattern) for pattern in stock.patterns)
    return Stock(stock.solid, tuple(raised(site) for site in stock.sites), patterns)


def _dress(rng: np.random.Generator, part: LabelledSolid, name: str) -> LabelledSolid:
    box = Bnd_Box()
    BRepBndLib.AddOptimal_s(part.solid, box)
    low, high = box.CornerMin(), box.CornerMax()
    size_mm = rng.uniform(0.03, 0.1) * min(high.X() - low.X(), high.Y() - low.Y(), high.Z() - low.Z())
    candidates = _edges_for(part.solid, size_mm, name)
    if not candidates:
        raise Rejected(f"no edge for a {name}")
    chosen = rng.choice(len(candidates), min(len(candidates), int(rng.integers(1, 4))), replace=False)
    dress = fillet if name == "fillet" else chamfer
    return dress(part, [candidates[i] for i in sorted(chosen)], size_mm)


def _edges_for(solid: TopoDS_Solid, size_mm: float, name: str) -> list[TopoDS_Edge]:
    """Straight and circular edges long enough for the size: convex ones, for a fillet concave ones too."""
    analysis = BRepOffset_Analyse(solid, SMOOTH_RAD)
    wanted = {ChFiDS_TypeOfConcavity.ChFiDS_Convex}
    if name == "fillet":
        wanted.add(ChFiDS_TypeOfConcavity.ChFiDS_Concave)
    found = []
    for edge in edges(solid):
        kinds = {interval.Type() for interval in members(analysis.Type(edge))}
        if not kinds or not kinds <= wanted:
            continue
        curve = BRepAdaptor_Curve(edge)
        if curve.GetType() not in (GeomAbs_CurveType.GeomAbs_Line, GeomAbs_CurveType.GeomAbs_Circle):
            continue
        BRepGProp.LinearProperties_s(edge, length := GProp_GProps())
        if length.Mass() > 5 * size_mm:
            found.append(edge)
    return found
