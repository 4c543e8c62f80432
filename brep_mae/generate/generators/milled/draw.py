"""Draws one random milled part, with the class of every face known by construction.

Every feature is an outline on one side of a cube, milled straight down, as far as the other side where it goes through.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from OCP.BRepPrimAPI import BRepPrimAPI_MakeBox
from OCP.gp import gp_Pnt
from OCP.TopoDS import TopoDS_Solid

from brep_mae.generate.generated_part import GeneratedPart, first_accepted
from brep_mae.generate.generators.machined.fitting import down, place
from brep_mae.generate.generators.machined.sites import Site, box_side
from brep_mae.generate.generators.milled import outlines
from brep_mae.generate.generators.milled.classes import FACE_CLASSES, PART_CLASSES
from brep_mae.generate.generators.milled.outlines import HALF_MM, Rng, extent_mm
from brep_mae.generate.labelled import LabelledSolid, Rejected, check, faces, subtract
from brep_mae.generate.primitives import cross, polygon

COUNT_SHARES = (0.0, 0.01, 0.04, 0.2, 0.75)  # of parts with one, two, ... features
TRIES = 100  # places drawn for a feature before the part is thrown away
GAP_MM = 0.4  # least distance of the boxes around two features
CORNER = gp_Pnt(HALF_MM, HALF_MM, HALF_MM)
SITES = tuple(
    box_side((2 * HALF_MM,) * 3, axis, sign).turned(quarters)
    for axis in range(3)
    for sign in (1, -1)
    for quarters in range(4)
)

FEATURES: dict[str, tuple[Callable[[Rng], np.ndarray], bool]] = {
    "chamfer": (outlines.bevel, True),
    "triangular_passage": (outlines.triangle, True),
    "rectangular_passage": (outlines.rectangle, True),
    "6sides_passage": (outlines.hexagon, True),
    "triangular_through_slot": (outlines.triangular_notch, True),
    "rectangular_through_slot": (outlines.rectangular_notch, True),
    "rectangular_through_step": (outlines.rectangular_corner, True),
    "2sides_through_step": (outlines.bent_strip, False),
    "slanted_through_step": (outlines.slanted_strip, False),
    "triangular_pocket": (outlines.triangle, False),
    "rectangular_pocket": (outlines.rectangle, False),
    "6sides_pocket": (outlines.hexagon, False),
    "rectangular_blind_slot": (outlines.rectangular_notch, False),
    "triangular_blind_step": (outlines.triangular_corner, False),
    "rectangular_blind_step": (outlines.rectangular_corner, False),
}
"""Maker of the outline, and True = milled through to the other side."""

CROSSING = {"chamfer", "triangular_passage", "rectangular_passage", "6sides_passage"}
"""What may run across each other; all others keep apart."""


@dataclass(frozen=True)
class Cutter:
    """What a feature takes away.

    Args:
        points: its outline, seen from above the site; (points, 2).
        low, high: its box within the cube, in the part's coordinates.
    """

    name: str
    site: Site
    points: np.ndarray
    depth_mm: float
    low: np.ndarray
    high: np.ndarray

    def keeps_clear(self, other: "Cutter") -> bool:
        """True = both can be milled and stay what they are."""
        if np.maximum(self.low - other.high, other.low - self.high).max() >= GAP_MM:
            return True
        across = np.dot(self.site.normal, other.site.normal) == 0
        return bool(across) and {self.name, other.name} <= CROSSING

    def tool(self) -> TopoDS_Solid:
        solid = down(lambda z: polygon([(x, y, z) for x, y in self.points.tolist()]), self.site, self.depth_mm)
        return place(solid, self.site)


def draw_part(seed: int, index: int) -> GeneratedPart:
    """Part `index` of the set with this seed."""
    return first_accepted(lambda rng: (PART_CLASSES[0], build(rng)), seed, index)


def build(rng: Rng, classes: Sequence[str] | None = None) -> LabelledSolid:
    """One attempt at a part.

    Args:
        classes: the features to make, in FACE_CLASSES' words; None draws them, every multiset of a size as likely.

    Raises:
        Rejected: the attempt has to be drawn again.
    """
    if classes is None:
        count = int(rng.choice(len(COUNT_SHARES), p=COUNT_SHARES)) + 1
        chosen = np.sort(rng.choice(len(FEATURES) + count - 1, count, replace=False)) - np.arange(count)
        classes = [FACE_CLASSES[i] for i in chosen]
    cutters: list[Cutter] = []
    for name in classes:
        cutters.append(_with_room(rng, name, cutters))
    stock = BRepPrimAPI_MakeBox(gp_Pnt(-HALF_MM, -HALF_MM, -HALF_MM), CORNER).Solid()
    tools = []
    for cutter in cutters:
        tool = cutter.tool()
        tools.append(LabelledSolid(tool, (cutter.name,) * len(faces(tool))))
    part = subtract(LabelledSolid(stock, ("stock",) * 6), tools)
    check(part)
    return part


def _with_room(rng: Rng, name: str, others: Sequence[Cutter]) -> Cutter:
    for _ in range(TRIES):
        cutter = _drawn(rng, name)
        if all(cutter.keeps_clear(other) for other in others):
            return cutter
    raise Rejected("no room left")


def _drawn(rng: Rng, name: str) -> Cutter:
    outline, through = FEATURES[name]
    points, site = outline(rng), SITES[rng.integers(len(SITES))]
    depth_mm = 2 * HALF_MM if through else extent_mm(rng, 0.05, 4.5)
    plan = np.clip([points.min(0), points.max(0)], -HALF_MM, HALF_MM)
    x, z = np.array(site.x_dir), np.array(site.normal)
    y = np.array(cross(site.normal, site.x_dir))
    ends = np.array(site.origin) + plan[:, :1] * x + plan[:, 1:] * y + np.array([[-depth_mm], [0.0]]) * z
    # A through tool starts and ends beyond the cube; how far is the site's to say.
    return Cutter(name, site, points, depth_mm + through * site.beyond_mm, ends.min(0), ends.max(0))
