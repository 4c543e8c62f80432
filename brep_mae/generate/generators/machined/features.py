"""The table of features: for each face class its tool, and what a site must offer for it."""

from collections.abc import Callable
from dataclasses import dataclass

from OCP.TopoDS import TopoDS_Solid

from brep_mae.generate.generators.machined import milled, turned
from brep_mae.generate.generators.machined.fitting import Rng
from brep_mae.generate.generators.machined.sites import CLOSED, Sides, Site

SLOT: Sides = (False, True, False, True)
STEP: Sides = (True, True, False, True)
BLIND_SLOT: Sides = (True, False, False, False)
CORNER: Sides = (True, True, False, False)


@dataclass(frozen=True)
class Feature:
    """How one face class is made, and what its site must offer.

    Args:
        make: (site, rng) -> tool in local coordinates.
        open: sides of the site that must be open, in the canonical direction.
        through: True = the tool must get to the far side.
        round_hole: True = may be repeated over a pattern of sites.
        on_mantle: True = also fits a cylinder's mantle; False = flat sites only.
        bored: True = also fits a round face with a bore in its middle.
    """

    make: Callable[[Site, Rng], TopoDS_Solid]
    open: Sides = CLOSED
    through: bool = False
    round_hole: bool = False
    on_mantle: bool = False
    bored: bool = False

    def fits(self, site: Site) -> bool:
        """Whether the feature can be made at the site as it is turned."""
        return (
            all(offered or not needed for needed, offered in zip(self.open, site.open, strict=True))
            and (site.corners or self.open != CORNER)
            and (site.through_mm is not None or not self.through)
            and (site.radius_mm is None or self.on_mantle)
            and (min(site.half_x_mm, site.half_y_mm) > 0 or self.bored)
        )


FEATURES: dict[str, Feature] = {
    "triangular_passage": Feature(milled.closed("triangle", True), through=True, on_mantle=True),
    "rectangular_passage": Feature(milled.closed("rectangle", True), through=True, on_mantle=True),
    "six_sided_passage": Feature(milled.closed("hexagon", True), through=True, on_mantle=True),
    "triangular_through_slot": Feature(milled.triangular_through_slot, SLOT, bored=True),
    "rectangular_through_slot": Feature(milled.rectangular_through_slot, SLOT, bored=True),
    "rectangular_through_step": Feature(milled.step("straight"), STEP, bored=True),
    "two_sided_through_step": Feature(milled.step("bent"), STEP, bored=True),
    "slanted_through_step": Feature(milled.step("slanted"), STEP, bored=True),
    "triangular_pocket": Feature(milled.closed("triangle", False), on_mantle=True),
    "rectangular_pocket": Feature(milled.closed("rectangle", False), on_mantle=True),
    "six_sided_pocket": Feature(milled.closed("hexagon", False), on_mantle=True),
    "rectangular_blind_slot": Feature(milled.rectangular_blind_slot, BLIND_SLOT),
    "triangular_blind_step": Feature(milled.triangular_blind_step, CORNER),
    "rectangular_blind_step": Feature(milled.rectangular_blind_step, CORNER),
    "through_hole": Feature(turned.through_hole, through=True, round_hole=True, on_mantle=True),
    "blind_hole": Feature(turned.blind_hole, round_hole=True, on_mantle=True),
    "counterbore": Feature(turned.counterbore, through=True, round_hole=True, on_mantle=True),
    "countersink": Feature(turned.countersink, through=True, round_hole=True, on_mantle=True),
    "circular_pocket": Feature(turned.circular_pocket, on_mantle=True),
    "round_slot": Feature(milled.round_slot, SLOT, bored=True),
    "keyway": Feature(milled.keyway, on_mantle=True),
    "boss": Feature(turned.boss),
    "o_ring_groove": Feature(turned.o_ring_groove, on_mantle=True, bored=True),
}
