"""Faces of so many loops that the kernel must not compare each with every other one."""

import re

from brep_mae.brep.faces.topology import MANY_LOOPS

BOUND = b"FACE_BOUND"
"""Word of a hole, and in some files of what bounds a face from outside."""
FACES = re.compile(rb"(?:ADVANCED_FACE|FACE_SURFACE)\s*\(\s*'(?:[^']|'')*'\s*,\s*\(([^)]*)\)")
"""Finds the bounds of a face."""


def has_many_loops(data: bytes) -> bool:
    """Whether some face of a STEP file has MANY_LOOPS or more. Args: data: its text."""
    if data.count(BOUND) < MANY_LOOPS - 1:
        return False
    return any(face[1].count(b"#") >= MANY_LOOPS for face in FACES.finditer(data))
