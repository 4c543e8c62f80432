"""Names of the face and part classes of the modelled parts; imports nothing, so that any package may read it."""

# The classes of the Fusion 360 Gallery segmentation task. A cut is an extrusion that removes; a revolution stays one,
# whether it adds or removes.
FACE_CLASSES: tuple[str, ...] = (
    "extrude_side",
    "extrude_end",
    "cut_side",
    "cut_end",
    "fillet",
    "chamfer",
    "revolve_side",
    "revolve_end",
)

VERSION = 3

PART_CLASSES: tuple[str, ...] = ("plate", "block", "bracket", "turned", "segment", "wheel", "housing", "lever")
