"""Names of the face and part classes of the letters; imports nothing, so that any package may read it."""

# The words of the modelled parts, in their order, without those that no letter needs.
FACE_CLASSES: tuple[str, ...] = ("extrude_side", "extrude_end", "fillet", "chamfer")

VERSION = 1

PART_CLASSES: tuple[str, ...] = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
