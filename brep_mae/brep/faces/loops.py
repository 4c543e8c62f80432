"""The coedges of all faces as curves in the (u, v) domains of their surfaces."""

import numpy as np

from brep_mae.brep.faces.topology import Topology
from brep_mae.brep.geometry.curves import Curves, parameter_curves
from brep_mae.brep.geometry.surfaces import PLANE, Surfaces
from brep_mae.brep.ragged import take, totals

CURVED_PIECES = 4
"""Quadrature pieces of a straight side of a closed form."""
OPEN = 1e-4
"""A loop whose ends are farther apart, as a share of the face's box, is open."""
FAR_OPEN = 1e-2
"""And it is so open that its direction says nothing."""


class Loops:
    """On a plane a coedge is its edge in space, projected; elsewhere it is the kernel's curve in the parameters.

    Attributes:
        face (C,) of each coedge.
        sign (C,) +1 where the face lies left of the curve in (u, v), -1 where it lies right.
        straight (C,) True where the coedge is a straight line in (u, v).
        exists (C,) False where the kernel holds no curve.
    """

    def __init__(self, topology: Topology, surfaces: Surfaces, edges: Curves) -> None:
        self._edges, self._surfaces = edges, surfaces
        self.face, self._edge = topology.coedge_face, topology.coedge_edge
        self._projected = (surfaces.kind[self.face] == PLANE) & edges.exists[self._edge]
        self._rest = np.flatnonzero(~self._projected)
        self._own_row = np.cumsum(~self._projected) - 1
        rest = self._rest.tolist()
        self._own = parameter_curves(
            [topology.coedges[i] for i in rest], [topology.faces[f] for f in self.face[rest].tolist()]
        )
        self.straight, self.free, self.exists = (x[self._edge] for x in (edges.straight, edges.free, edges.exists))
        own = self._own
        self.straight[rest], self.free[rest], self.exists[rest] = own.straight, own.free, own.exists
        self.sign = np.where(topology.forward != topology.reversed[self.face], 1.0, -1.0)

    def _project(self, coedge: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        """Vectors in space (N, 3) -> in the plane of their face (N, 2)."""
        face, s = self.face[coedge], self._surfaces
        axes = np.stack([s.x, s.y], axis=1) / (s.scale**2)[:, None, None]
        return np.einsum("nij,nj->ni", axes[face], vectors)

    def _of_edges(self, owner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values that belong to edges, for every projected coedge: coedge, place among the values."""
        counts = np.bincount(owner, minlength=len(self._edges))
        rows = np.flatnonzero(self._projected)
        place, element = take(counts, self._edge[rows])
        return rows[place], element

    def polylines(self) -> tuple[np.ndarray, np.ndarray]:
        """Points that follow each coedge along its curve (see Curves.polylines). -> coedge (N,), uv (N, 2)"""
        edge, points = self._edges.polylines()
        coedge, element = self._of_edges(edge)
        flat = self._project(coedge, points[element] - self._surfaces.origin[self.face[coedge]])
        own, uv = self._own.polylines()
        return _merged(coedge, self._rest[own], (flat, uv))

    def quadrature(self, pieces: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Nodes for integrals round the faces. -> face (N,), uv (N, 2), weight x d(u, v) (N, 2), face by face

        Args:
            pieces: (F,) of a straight side of a free-form face, 0 for other faces.

        The sum over the nodes of a face of f(uv) times the last is the integral of f d(u, v) round the face, with the
        face on the left. On a plane f is a polynomial of low degree; elsewhere straight sides get more nodes.
        """
        edge, points, steps = self._edges.nodes
        coedge, element = self._of_edges(edge)
        flat = self._project(coedge, points[element] - self._surfaces.origin[self.face[coedge]])
        flat_steps = self._project(coedge, steps[element])
        pieces = np.where(pieces > 0, pieces, CURVED_PIECES)
        own, uv, own_steps = self._own.quadrature(pieces[self.face[self._rest]])
        coedge, both = _merged(coedge, self._rest[own], (np.hstack([flat, flat_steps]), np.hstack([uv, own_steps])))
        return self.face[coedge], both[:, :2], both[:, 2:] * self.sign[coedge, None]

    def at(self, coedge: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(u, v) at a share of each coedge's parameter range, and its derivative by that share. -> twice (N, 2)"""
        uv, slope = np.empty((2, len(coedge), 2))
        flat = self._projected[coedge]
        for chosen, curves, rows in ((flat, self._edges, self._edge), (~flat, self._own, self._own_row)):
            if chosen.any():
                row = rows[coedge[chosen]]
                extent = curves.last[row] - curves.first[row]
                points, along = curves.evaluate(row, curves.first[row] + share[chosen] * extent)
                along = along * extent[:, None]
                if curves is self._edges:
                    points = self._project(coedge[chosen], points - self._surfaces.origin[self.face[coedge[chosen]]])
                    along = self._project(coedge[chosen], along)
                uv[chosen], slope[chosen] = points, along
        return uv, slope

    def middles(self) -> np.ndarray:
        """(u, v) half way along each coedge's parameter, zero where there is no curve. Shapes: (C, 2)"""
        points = self._edges.middles()[0][self._edge]
        middles = self._project(np.arange(len(self.face)), points - self._surfaces.origin[self.face])
        middles[self._rest] = self._own.middles()[0]
        return middles

    def sound(self, coedge: np.ndarray, unit: np.ndarray, rows: int) -> tuple[np.ndarray, np.ndarray]:
        """(F,) True where the loops are closed and have the face on their left as a whole, and where they have it on
        their left and are not far from closed.

        Where the first holds, counting crossings tells inside from outside. Args: polylines in the rescaled box of
        their faces.
        """
        first, last = (
            np.searchsorted(coedge, np.arange(len(self.face)), "left"),
            np.searchsorted(coedge, np.arange(len(self.face)), "right"),
        )
        filled = last > first
        start, end = unit[first[filled]], unit[last[filled] - 1]
        face, sign = self.face[filled], self.sign[filled]
        # Every corner is the end of one coedge and the start of another, so any function of the corners cancels.
        probe = np.array([[0.83, 1.31, -0.72, 2.1], [0.47, -1.13, 1.91, 1.7]])
        left_over = (np.sin(end @ probe) - np.sin(start @ probe)) * sign[:, None]
        gap = np.abs(totals(left_over, face, rows)).max(axis=1)
        complete = totals((~self.exists).astype(float), self.face, rows) == 0
        same = coedge[1:] == coedge[:-1]
        cross = (unit[:-1, 0] * unit[1:, 1] - unit[:-1, 1] * unit[1:, 0]) * self.sign[coedge[1:]] * same
        on_left = complete & (np.bincount(self.face[coedge[1:]], cross, rows) > 0)
        return on_left & (gap < OPEN), on_left & (gap < FAR_OPEN)


def _merged(a: np.ndarray, b: np.ndarray, values: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Values of two sets of coedges in the order of the coedges."""
    if not len(b):
        return a, values[0]
    owner = np.concatenate([a, b])
    order = np.argsort(owner, kind="stable")
    return owner[order], np.concatenate(values)[order]
