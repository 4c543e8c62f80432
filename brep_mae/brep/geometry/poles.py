"""Knots and poles of the kernel's B-splines and Bezier forms.

They leave the kernel through its binary writer, many at once: it takes microseconds where asking pole by pole takes
more than a microsecond each. Nothing here is placed: coordinates are those of the geometry.
"""

import io
import struct
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from OCP.BinTools import BinTools_Curve2dSet, BinTools_CurveSet, BinTools_SurfaceSet
from OCP.Geom import Geom_BezierCurve, Geom_BezierSurface, Geom_BSplineCurve, Geom_BSplineSurface
from OCP.Geom2d import Geom2d_BezierCurve, Geom2d_BSplineCurve

SPLINE_CURVES = (Geom_BSplineCurve, Geom_BezierCurve, Geom2d_BSplineCurve, Geom2d_BezierCurve)
SPLINE_SURFACES = (Geom_BSplineSurface, Geom_BezierSurface)

_KNOT = np.dtype([("value", "<f8"), ("count", "<i4")])
_CURVE, _BEZIER_CURVE = struct.Struct("<x??hii"), struct.Struct("<x?h")
_SURFACE, _BEZIER_SURFACE = struct.Struct("<x????hhiiii"), struct.Struct("<x??hh")
"""The byte of the kind, flags (1 byte), degrees (2) and counts (4); reals (8 bytes) follow, a rational pole's weight
after the pole and a knot's multiplicity after the knot."""


class Axis(NamedTuple):
    """One parameter of a spline.

    Args:
        knots: flat, with as many copies as their multiplicity; those of a periodic axis go on beyond both ends, and
            so do its poles.
        periodic: True where parameters outside the knots are to be wrapped.
    """

    degree: int
    knots: np.ndarray
    periodic: bool

    def breaks(self) -> np.ndarray:
        """The knots of the domain, both ends included, each once."""
        knots = self.knots[self.degree : len(self.knots) - self.degree]
        return knots[np.concatenate([[True], knots[1:] > knots[:-1]])]


class Spline(NamedTuple):
    """A curve has one axis, a surface two.

    Args:
        poles: (P, D) or (P, Q, D), D + 1 if rational, with weights last and the rest multiplied by them.
    """

    axes: tuple[Axis, ...]
    poles: np.ndarray
    rational: bool


def read_curves(curves: list[Any], dimension: int) -> list[Spline]:
    """Each of SPLINE_CURVES; dimension 3 or 2."""
    writer = BinTools_CurveSet() if dimension == 3 else BinTools_Curve2dSet()

    def read(data: bytes, at: int, is_bezier: bool) -> tuple[Spline, int]:
        if is_bezier:
            rational, degree = _BEZIER_CURVE.unpack_from(data, at)
            poles, at = _poles(data, at + _BEZIER_CURVE.size, (degree + 1,), dimension, rational)
            return Spline((_bezier(degree),), poles, rational), at
        rational, periodic, degree, count, knots = _CURVE.unpack_from(data, at)
        poles, at = _poles(data, at + _CURVE.size, (count,), dimension, rational)
        axis, chosen = _axis(degree, np.frombuffer(data, _KNOT, knots, at), periodic)
        return Spline((axis,), poles if chosen is None else poles[chosen], rational), at + knots * _KNOT.itemsize

    return _read(writer, curves, read)


def read_surfaces(surfaces: list[Any]) -> list[Spline]:
    """Each of SPLINE_SURFACES."""

    def read(data: bytes, at: int, is_bezier: bool) -> tuple[Spline, int]:
        if is_bezier:
            u_rational, v_rational, u_degree, v_degree = _BEZIER_SURFACE.unpack_from(data, at)
            rational, shape = u_rational or v_rational, (u_degree + 1, v_degree + 1)
            poles, at = _poles(data, at + _BEZIER_SURFACE.size, shape, 3, rational)
            return Spline((_bezier(u_degree), _bezier(v_degree)), poles, rational), at
        u_rational, v_rational, *periodic, u_degree, v_degree, rows, columns, u_knots, v_knots = _SURFACE.unpack_from(
            data, at
        )
        rational = u_rational or v_rational
        poles, at = _poles(data, at + _SURFACE.size, (rows, columns), 3, rational)
        knots = np.frombuffer(data, _KNOT, u_knots + v_knots, at)
        u, chosen = _axis(u_degree, knots[:u_knots], periodic[0])
        poles = poles if chosen is None else poles[chosen]
        v, chosen = _axis(v_degree, knots[u_knots:], periodic[1])
        poles = poles if chosen is None else poles[:, chosen]
        return Spline((u, v), poles, rational), at + knots.nbytes

    return _read(BinTools_SurfaceSet(), surfaces, read)


def _read(writer: Any, geometries: list[Any], read: Callable[[bytes, int, bool], tuple[Spline, int]]) -> list[Spline]:
    """The writer numbers geometries from 1 as they first come and holds each once."""
    numbers: list[int] = []
    beziers: list[bool] = []
    for geometry in geometries:
        numbers.append(writer.Add(geometry) - 1)
        if numbers[-1] == len(beziers):
            beziers.append("Bezier" in type(geometry).__name__)
    stream = io.BytesIO()
    writer.Write(stream)
    data = stream.getvalue()
    found = list(_each(data, data.index(b"\n") + 1, beziers, read))
    return [found[number] for number in numbers]


def _each(
    data: bytes, at: int, beziers: list[bool], read: Callable[[bytes, int, bool], tuple[Spline, int]]
) -> Iterator[Spline]:
    for is_bezier in beziers:
        spline, at = read(data, at, is_bezier)
        yield spline
    assert at == len(data), "the kernel writes another layout than this reader's"


def _poles(data: bytes, at: int, shape: tuple[int, ...], dimension: int, rational: bool) -> tuple[np.ndarray, int]:
    """Poles and where they end."""
    width, count = dimension + rational, shape[0] * shape[-1] if len(shape) == 2 else shape[0]
    poles = np.frombuffer(data, "<f8", count * width, at).reshape(*shape, width)
    if rational:
        poles = poles.copy()
        poles[..., :-1] *= poles[..., -1:]
    return poles, at + count * width * 8


def _bezier(degree: int) -> Axis:
    return Axis(degree, np.repeat([0.0, 1.0], degree + 1), False)


def _axis(degree: int, knots: np.ndarray, periodic: bool) -> tuple[Axis, np.ndarray | None]:
    """The axis, and which pole stands in each place if not each in its own."""
    counts = knots["count"]
    if not periodic:
        return Axis(degree, knots["value"].repeat(counts), False), None
    # the endless sequence of knots, cut so that the base range starts at place `degree`
    turn = knots["value"][:-1].repeat(counts[:-1])
    start = counts[0] - 1 - degree
    places = np.arange(start, len(turn) + degree + 1)
    wraps, within = np.divmod(places, len(turn))
    flat = turn[within] + wraps * (knots["value"][-1] - knots["value"][0])
    return Axis(degree, flat, True), np.arange(len(turn) - start) % len(turn)
