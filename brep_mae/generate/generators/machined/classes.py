"""Names of the face and part classes of the generated data; imports nothing, so that any package may read it."""

# The first fifteen have the order of MFCAD's labels (as corrected in its repository's issue 2), so that index i means
# the same feature in both data sets; curved features follow, stock comes last.
FACE_CLASSES: tuple[str, ...] = (
    "chamfer",
    "triangular_passage",
    "rectangular_passage",
    "six_sided_passage",
    "triangular_through_slot",
    "rectangular_through_slot",
    "rectangular_through_step",
    "two_sided_through_step",
    "slanted_through_step",
    "triangular_pocket",
    "rectangular_pocket",
    "six_sided_pocket",
    "rectangular_blind_slot",
    "triangular_blind_step",
    "rectangular_blind_step",
    "through_hole",
    "blind_hole",
    "counterbore",
    "countersink",
    "circular_pocket",
    "round_slot",
    "keyway",
    "fillet",
    "boss",
    "o_ring_groove",
    "stock",
)

VERSION = 1

PART_CLASSES: tuple[str, ...] = ("plate", "bracket", "flange", "shaft", "block", "ring", "housing")
