"""Names of the face and part classes of the milled parts; imports nothing, so that any package may read it."""

# MFCAD's names in MFCAD's order (datasets/mfcad.py), so that class numbers mean the same in both data sets.
FACE_CLASSES: tuple[str, ...] = (
    "chamfer",
    "triangular_passage",
    "rectangular_passage",
    "6sides_passage",
    "triangular_through_slot",
    "rectangular_through_slot",
    "rectangular_through_step",
    "2sides_through_step",
    "slanted_through_step",
    "triangular_pocket",
    "rectangular_pocket",
    "6sides_pocket",
    "rectangular_blind_slot",
    "triangular_blind_step",
    "rectangular_blind_step",
    "stock",
)

VERSION = 1

PART_CLASSES: tuple[str, ...] = ("block",)
