"""Whether the text of a BREP file is whole. Loads no CAD kernel.

The kernel's reader trusts its text: where a number is missing or a count is wrong it loops for ever, or ends the
process. So the text is walked first, piece by piece as the reader would, after the reader's sources
(`TopTools_ShapeSet`, `GeomTools`, `BRepTools_ShapeSet` of OCCT 7.9).
"""

import itertools
import math
import re
from collections.abc import Callable

from brep_mae.brep.read.formats import kind_of
from brep_mae.brep.reject import Reject

_HEAD = re.compile(rb"^CASCADE Topology V([123]), \(c\) [\w -]+?\s*?$", re.MULTILINE)
_ROOTED = b"DBRep_DrawableShape"
"""First word of files that the kernel writes itself. These name their root behind the table of shapes; a set of shapes
may go without."""
_CURVE_REALS = {2: {1: 4, 2: 7, 3: 8, 4: 7, 5: 8}, 3: {1: 6, 2: 13, 3: 14, 4: 13, 5: 14}}
"""Dimension -> type -> numbers of a line, circle, ellipse, parabola and hyperbola."""
_SURFACE_REALS = {1: 12, 2: 13, 3: 14, 4: 13, 5: 14}
"""Of a plane, cylinder, cone, sphere and torus."""
_PLAIN = (b"Wi", b"Sh", b"So", b"CS", b"Co")
"""Shapes without geometry of their own."""
_VERTEX_TABLES = {1: ("Curves",), 2: ("Curve2ds", "Surfaces"), 3: ("Surfaces",)}
_EDGE_TABLES = {
    1: ("Curves",),
    2: ("Curve2ds", "Surfaces"),
    3: ("Surfaces",),
    4: ("Surfaces", "Locations", "Surfaces"),
    5: ("Polygon3D",),
    6: ("PolygonOnTriangulations", "Triangulations"),
    7: ("PolygonOnTriangulations", "PolygonOnTriangulations", "Triangulations"),
}
"""What a piece of an edge's geometry refers to; of 3, a seam, what comes behind its two curves."""
_FLAGS = re.compile(rb"[01]{7}")
_SUB_SHAPE = re.compile(rb"[-+ie][0-9]+")


def whole_text(data: bytes, file: str) -> tuple[bytes, list[int]]:
    """The text from its own head on, and the shapes that are not part of another, by their number from 1 in the order
    of the text; none where the text itself names the root.

    Raises:
        Reject: unreadable, where something is missing or out of place.
    """
    head = _HEAD.search(data, 0, 4096)
    if head is None:
        raise Reject("unreadable", f"{file}: not a BREP file but {kind_of(data)}")
    words = data[head.end() :].replace(b"C", b" C").replace(b"G", b" G").split()  # smoothness, CN or G1, is glued on
    walk = _Walk(words, int(head[1]))
    try:
        roots = walk.all(rooted=_ROOTED in data[: head.start()])
    except IndexError:
        raise Reject("unreadable", f"{file}: ends in its {walk.part}, it is cut off; copy or export it again") from None
    except (ValueError, KeyError):
        word = b" ".join(walk.words[max(walk.at - 1, 0) : walk.at + 1]).decode("ascii", "replace")[:40]
        raise Reject("unreadable", f"{file}: damaged in its {walk.part} near {word!r}; export it again") from None
    return b"\n" + data[head.start() :], roots


class _Walk:
    """Steps over the words. Raises IndexError where they end too early, ValueError or KeyError at a wrong one."""

    def __init__(self, words: list[bytes], version: int) -> None:
        self.words, self.at, self.part = words, 0, "head"
        self._version = version
        self._counts: dict[str, int] = {}  # of what was read of each table so far
        self._total = 0  # of the table at hand, as stated

    def all(self, rooted: bool) -> list[int]:
        self._table("Locations", self._location)
        self._table("Curve2ds", lambda: self._curve(2))
        self._table("Curves", lambda: self._curve(3))
        self._table("Polygon3D", self._polygon)
        self._table("PolygonOnTriangulations", self._polygon_on_triangulation)
        self._table("Surfaces", self._surface)
        self._table("Triangulations", self._triangulation)
        parts: set[int] = set()
        self._table("TShapes", lambda: self._shape(parts))
        if rooted or self.at < len(self.words):
            self.part = "root"
            self._sub_shape(self._word(), self._counts["TShapes"])
            return []
        return [number for number in range(1, self._counts["TShapes"] + 1) if number not in parts]

    def _table(self, name: str, step: Callable[[], None]) -> None:
        self.part = name
        if self._word() != name.encode():
            raise ValueError
        self._total, self._counts[name] = self._whole(), 0
        for _ in range(self._total):
            step()
            self._counts[name] += 1

    def _word(self) -> bytes:
        self.at += 1
        return self.words[self.at - 1]

    def _whole(self, low: int = 0, high: float = math.inf) -> int:
        value = int(self._word())
        if not low <= value <= high:
            raise ValueError
        return value

    def _wholes(self, count: int) -> None:
        for _ in range(count):
            self._whole()

    def _reals(self, count: int) -> None:
        words = self.words[self.at : self.at + count]
        self.at += len(words)
        if not math.isfinite(sum(map(float, words))):
            raise ValueError
        if len(words) < count:
            raise IndexError

    def _of(self, *tables: str) -> None:
        """A reference to each of the tables, 0 for none."""
        for table in tables:
            self._whole(0, self._counts[table])

    def _location(self) -> None:
        if self._whole(1, 2) == 1:
            self._reals(12)
            return
        while self._whole(0, self._counts["Locations"]):
            int(self._word())

    def _curve(self, dimension: int) -> None:
        while (kind := self._whole(1, 9)) > 7:  # trimmed or offset, the curve itself follows
            self._reals(2 if kind == 8 else 1 if dimension == 2 else 4)
        if kind < 6:
            self._reals(_CURVE_REALS[dimension][kind])
            return
        rational = self._whole(0, 1)
        if kind == 6:
            self._reals((self._whole() + 1) * (dimension + rational))
            return
        periodic = self._whole(0, 1)
        degree, poles, knots = self._whole(1), self._whole(2), self._whole(2)
        self._reals(poles * (dimension + rational))
        self._knots(knots, degree, poles, periodic)

    def _knots(self, count: int, degree: int, poles: int, periodic: int) -> None:
        words = self.words[self.at : self.at + 2 * count]
        self._reals(2 * count)
        knots, uses = list(map(float, words[::2])), list(map(int, words[1::2]))
        total = sum(uses[:-1]) - poles if periodic else sum(uses) - poles - degree - 1
        if total != 0 or min(uses) < 1 or any(a >= b for a, b in itertools.pairwise(knots)):
            raise ValueError

    def _surface(self) -> None:
        while (kind := self._whole(1, 11)) > 9:  # trimmed or offset
            self._reals(4 if kind == 10 else 1)
        if kind < 6:
            self._reals(_SURFACE_REALS[kind])
        elif kind < 8:
            self._reals(3 if kind == 6 else 6)
            self._curve(3)
        else:
            rational = max(self._whole(0, 1), self._whole(0, 1))
            if kind == 8:
                self._reals((self._whole() + 1) * (self._whole() + 1) * (3 + rational))
                return
            u_periodic, v_periodic = self._whole(0, 1), self._whole(0, 1)
            u_degree, v_degree, u_poles, v_poles = (self._whole(1) for _ in range(4))
            u_knots, v_knots = self._whole(2), self._whole(2)
            self._reals(u_poles * v_poles * (3 + rational))
            self._knots(u_knots, u_degree, u_poles, u_periodic)
            self._knots(v_knots, v_degree, v_poles, v_periodic)

    def _polygon(self) -> None:
        nodes, parameters = self._whole(), self._whole(0, 1)
        self._reals(1 + (3 + parameters) * nodes)

    def _polygon_on_triangulation(self) -> None:
        nodes = self._whole()
        self._wholes(nodes)
        if self._word() != b"p":
            raise ValueError
        self._reals(1)
        self._reals(nodes * self._whole(0, 1))

    def _triangulation(self) -> None:
        nodes, triangles, uv = self._whole(), self._whole(), self._whole(0, 1)
        normals = self._whole(0, 1) if self._version == 3 else 0
        self._reals(1 + (3 + 2 * uv) * nodes)
        self._wholes(3 * triangles)
        self._reals(3 * normals * nodes)

    def _shape(self, parts: set[int]) -> None:
        kind = self._word()
        if kind not in _PLAIN:
            {b"Ve": self._vertex, b"Ed": self._edge, b"Fa": self._face}[kind]()
        if not _FLAGS.fullmatch(self._word()):
            raise ValueError
        while (word := self._word()) != b"*":
            parts.add(self._sub_shape(word, self._counts["TShapes"]))

    def _sub_shape(self, word: bytes, before: int) -> int:
        """The number of the shape that is referred to: the file counts from the last one backwards."""
        if not _SUB_SHAPE.fullmatch(word):
            raise ValueError
        number = self._total - int(word[1:]) + 1
        if not 1 <= number <= before:
            raise ValueError
        self._of("Locations")
        return number

    def _vertex(self) -> None:
        self._reals(5)
        while kind := self._whole(0, 3):
            if kind == 3:
                self._reals(1)
            self._of(*_VERTEX_TABLES[kind], "Locations")
            self._reals(1)

    def _edge(self) -> None:
        self._reals(1)
        for _ in range(3):
            self._whole(0, 1)
        while kind := self._whole(0, 7):
            if kind == 3:
                self._of("Curve2ds", "Curve2ds")
            if kind in (3, 4):
                self._word()  # how smooth it is
            self._of(*_EDGE_TABLES[kind], "Locations")
            if kind < 4:
                self._reals(6 if kind > 1 and self._version == 2 else 2)

    def _face(self) -> None:
        if self._whole(0, 2) == 2:
            self._of("Triangulations")
            return
        self._reals(1)
        self._of("Surfaces", "Locations")
        if self.words[self.at] == b"2":
            self._word()
            self._of("Triangulations")
