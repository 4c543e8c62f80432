"""What a batch can hold, by name. Whoever reads a batch says which of these it `reads`, and no more is made or read.

faces        how many faces a solid has; type, size and class of each, class of the solid
uvgrid       samples of every face in (u, v)
arcs         which faces meet, how, and in what kind of curve
ugrid        samples along every arc, angle and length
walks        place of a face in the graph, free of geometry
invariants   scalars of faces and arcs that stay when the solid is turned, moved, scaled or mirrored
analytic     exact parameters of surfaces, curves and points
field        samples of position and signed trimming distance in (u, v)
record       the stored solid itself, for what has to be computed anew in every step
frames       renders of the solid, with the face of every pixel; a natural image is a frame of a solid without faces

A batch of any content but frames holds `faces` as well.
"""

FACES = frozenset({"faces", "uvgrid", "arcs", "ugrid", "walks", "invariants", "analytic", "field", "record"})
"""All that can be known of a solid besides its renders."""
CONTENT = FACES | {"frames"}


def kinds(reads: frozenset[str]) -> frozenset[str]:
    """The fields of a Batch in which that content lies, "faces" and "frames". ValueError names unknown content."""
    if unknown := reads - CONTENT:
        raise ValueError(f"no content {', '.join(sorted(unknown))}; known are {', '.join(sorted(CONTENT))}")
    return frozenset("frames" if name == "frames" else "faces" for name in reads)
