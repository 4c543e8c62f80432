"""The bounding box of every face, all faces of a solid together and in all its places."""

import numpy as np

from brep_mae.brep.faces.topology import Topology
from brep_mae.brep.faces.trimming import Trimming
from brep_mae.brep.geometry.curves import Curves
from brep_mae.brep.geometry.motions import Motions
from brep_mae.brep.geometry.surfaces import SPHERE, TORUS, Surfaces
from brep_mae.brep.ragged import owners, span

WAYS = np.concatenate([np.eye(3), -np.eye(3)])
"""In which a box has its faces."""
SEEDS, SUMMITS = 12, 2
"""Points along each side of a free-form face among which summits are sought, and how many of them are climbed."""
CLIMBS, SHRINK, STENCIL = 3, 4, np.array([-1.0, 0.0, 1.0])
"""Steps uphill, by how much each is shorter than the one before, and where heights are asked for, in steps."""


def boxes(topology: Topology, surfaces: Surfaces, trimming: Trimming, edges: Curves, motions: Motions) -> np.ndarray:
    """Low and high corner of each face's bounding box under each of K motions, mm.

    Shapes: -> (F, K, 6)

    Closed forms between lines, circles and ellipses; on free-form curves and surfaces the highest of some points in
    each direction are followed uphill, since OCCT's exact box of one free-form face can take longer than reading
    the file.
    """
    faces = len(topology.faces)
    edge_low, edge_high = _edge_boxes(edges, motions)
    used = edges.exists[topology.coedge_edge]
    owner, edge = topology.coedge_face[used], topology.coedge_edge[used]
    low, _ = span(edge_low[edge], owner, faces)
    _, high = span(edge_high[edge], owner, faces)
    if edges.free.any():
        low, high = _with_bends(edges, owner, edge, motions, low, high)
    if surfaces.free:
        low, high = _with_summits(surfaces, trimming, motions, low, high)
    members = np.flatnonzero((surfaces.kind == SPHERE) | (surfaces.kind == TORUS))
    if len(members):
        extremes = _extremes(surfaces, trimming, members, motions)
        unit = np.full((faces, 12 * len(motions), 2), -1.0)
        unit[members] = extremes.reshape(len(members), -1, 2)
        inside = trimming.locate(unit)[0][members].reshape(-1, len(motions), 1)
        index = np.repeat(members, 12 * len(motions))
        points = surfaces.evaluate(index, trimming.parameters(index, extremes.reshape(-1, 2)))[0]
        points, owner = motions.each(points.reshape(-1, len(motions), 3)), np.repeat(members, 12)
        low = np.minimum(low, span(np.where(inside, points, np.inf), owner, faces)[0])
        high = np.maximum(high, span(np.where(inside, points, -np.inf), owner, faces)[1])
    return np.concatenate([low, high], axis=-1)


def _edge_boxes(edges: Curves, motions: Motions) -> tuple[np.ndarray, np.ndarray]:
    """Those of free-form edges hold their samples alone. Shapes: twice (E, K, 3)"""
    owner, points = edges.polylines()
    low, high = span(motions.points(points), owner, len(edges))
    rows = np.flatnonzero(edges.turns)
    if len(rows):
        # lead + cos(tau) spoke + sin(tau) along has its extremes in one coordinate at tau0 and tau0 + pi
        lead, spoke, along = edges.lead[rows], motions.vectors(edges.spoke[rows]), motions.vectors(edges.along[rows])
        lead, angle = motions.points(lead), np.arctan2(along, spoke)
        sweep = (edges.last - edges.first)[rows, None, None]
        radius = np.hypot(along, spoke)
        top, bottom = angle % (2 * np.pi) <= sweep, (angle + np.pi) % (2 * np.pi) <= sweep
        high[rows] = np.where(top, lead + radius, high[rows])
        low[rows] = np.where(bottom, lead - radius, low[rows])
    return low, high


def _extremes(surfaces: Surfaces, trimming: Trimming, members: np.ndarray, motions: Motions) -> np.ndarray:
    """Where a sphere's or torus's normal runs along a coordinate axis once it is moved: rescaled (u, v), shapes
    (k, 12, K, 2)."""
    frame = np.stack([surfaces.x, surfaces.y, surfaces.z], axis=1)[members] / surfaces.scale[members, None, None]
    ways = motions.back(WAYS)
    d = np.einsum("nij,wkj->nwki", frame, ways)  # each axis, both ways, in the surface's own frame
    turn, across = np.arctan2(d[..., 1], d[..., 0]), np.hypot(d[..., 0], d[..., 1])
    near = np.stack([turn, np.arctan2(d[..., 2], across)], axis=-1)
    far = np.stack([turn + np.pi, np.arctan2(d[..., 2], -across)], axis=-1)
    torus = (surfaces.kind[members] == TORUS)[:, None, None, None, None]
    uv = np.where(torus, np.stack([near, far], 2), near[:, :, None]).reshape(len(members), -1, 2)
    low, period = trimming.low[members, None], surfaces.period[members, None]
    turns = np.floor((uv - low) / np.where(period > 0, period, np.inf) + 1e-12)
    uv = uv - turns * period
    index = np.repeat(members, uv.shape[1])
    return trimming.unit(index, uv.reshape(-1, 2)).reshape(len(members), 12, -1, 2)


def _with_bends(
    edges: Curves, face: np.ndarray, edge_of: np.ndarray, motions: Motions, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Boxes of faces, grown to where their free-form edges turn back between two samples.

    Shapes: of each coedge its face and its edge (C,); boxes (F, K, 3) each
    """
    ways, rows = motions.back(WAYS).reshape(-1, 3), np.flatnonzero(edges.free)
    owner, points, slopes = edges.polylines_with_slopes()
    heights = np.where(edges.free[owner, None], points @ ways.T, -np.inf)
    first, count = np.searchsorted(owner, np.arange(len(edges))), edges.segments + 1
    best = np.stack([first[e] + heights[first[e] : first[e] + count[e]].argmax(axis=0) for e in rows.tolist()])
    place, onward = best - first[rows, None], (slopes[best] * ways).sum(axis=-1)
    step = (edges.last - edges.first) / edges.segments
    turning = ((place > 0) | (onward > 0)) & ((place < edges.segments[rows, None]) | (onward < 0))
    reach = np.full((len(edges), len(ways)), -np.inf)  # along the tangent as far as the next sample, and no higher
    reach[rows] = np.where(turning, heights[best, np.arange(len(ways))] + np.abs(onward) * step[rows, None], -np.inf)
    coedge, way = np.nonzero(reach[edge_of] > _reached(low, high, motions)[face])
    if not len(coedge):
        return low, high
    pairs, pair = np.unique(edge_of[coedge] * len(ways) + way, return_inverse=True)
    edge, toward = np.divmod(pairs, len(ways))
    begin, end, step = edges.first[edge], edges.last[edge], step[edge]
    t = begin + step * place[np.searchsorted(rows, edge), toward]
    for _ in range(CLIMBS):
        t = t.clip(begin + step, end - step)
        at = t[:, None] + step[:, None] * STENCIL
        points = edges.evaluate(np.repeat(edge, 3), at.ravel())[0].reshape(-1, 3, 3)
        height = (points * ways[toward, None]).sum(axis=-1)
        slope, bend = (height[:, 2] - height[:, 0]) / 2, height[:, 2] - 2 * height[:, 1] + height[:, 0]
        vertex = np.where(bend < 0, -slope / np.where(bend < 0, bend, 1.0), np.sign(slope)).clip(-1.0, 1.0)
        t, step = t + step * vertex, step / SHRINK
    top = (edges.evaluate(edge, t)[0] * ways[toward]).sum(axis=-1)
    return _grown(low, high, motions, face[coedge], way, top[pair])


def _reached(low: np.ndarray, high: np.ndarray, motions: Motions) -> np.ndarray:
    """How high boxes reach in each of the directions WAYS, before the motions. Shapes: twice (F, K, 3) -> (F, 6 K)"""
    bound = np.concatenate([high - motions.offset, motions.offset - low], axis=-1)
    return np.where(np.isfinite(bound), bound, -np.inf).transpose(0, 2, 1).reshape(len(low), -1)


def _with_summits(
    surfaces: Surfaces, trimming: Trimming, motions: Motions, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Boxes of the faces' edges, grown to the summits of free-form faces in each direction. Shapes: (F, K, 3) each"""
    members = np.array([number for number, surface in surfaces.free.items() if not surface.ruled], np.int64)
    if not len(members):
        return low, high
    ways = motions.back(WAYS).reshape(-1, 3)
    bound = _reached(low, high, motions)[members]
    corner, sides = trimming.low[members], trimming.extent[members]
    share = np.linspace(0.0, 1.0, SEEDS)
    u, v = (corner[:, axis, None] + sides[:, axis, None] * share for axis in (0, 1))
    heights = np.einsum("fuvc,wc->fwuv", surfaces.points(members, u, v), ways)
    padded = np.pad(heights, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    summit = heights + _gain(heights, 2) + _gain(heights, 3) > bound[:, :, None, None]
    for i, j in np.ndindex(3, 3):
        summit &= heights >= padded[:, :, i : i + SEEDS, j : j + SEEDS]
    flat = np.where(summit, heights, -np.inf).reshape(*heights.shape[:2], -1)
    most = np.argsort(-flat, axis=-1)[..., :SUMMITS]
    row, way, rank = np.nonzero(np.isfinite(np.take_along_axis(flat, most, axis=-1)))
    if not len(row):
        return low, high
    at = np.stack(np.divmod(most[row, way, rank], SEEDS), axis=1) / (SEEDS - 1)
    at, step = corner[row] + at * sides[row], sides[row] / (SEEDS - 1)
    for _ in range(CLIMBS):
        at = at.clip(corner[row] + step, corner[row] + sides[row] - step)
        around = at[:, :, None] + step[:, :, None] * STENCIL
        points = surfaces.points(members[row], around[:, 0], around[:, 1])
        at, step = at + step * _uphill((points * ways[way, None, None]).sum(axis=-1)), step / SHRINK
    top = (surfaces.points(members[row], at[:, :1], at[:, 1:])[:, 0, 0] * ways[way]).sum(axis=-1)
    higher = np.flatnonzero(top > bound[row, way])
    if not len(higher):
        return low, high
    row, way, top = row[higher], way[higher], top[higher]
    place = owners(np.bincount(row, minlength=len(members)))[1]
    unit = np.full((len(low), int(place.max()) + 1, 2), -1.0)
    unit[members[row], place] = trimming.unit(members[row], at[higher])
    inside = trimming.locate(unit)[0][members[row], place]
    return _grown(low, high, motions, members[row[inside]], way[inside], top[inside])


def _gain(heights: np.ndarray, axis: int) -> np.ndarray:
    """Bound on how much higher a parabola along an axis of a grid rises beside its points, zero outside the grid."""
    slope, bend = np.gradient(heights, axis=axis, edge_order=2), np.zeros_like(heights)
    along, curved, rise = np.moveaxis(heights, axis, -1), np.moveaxis(bend, axis, -1), np.moveaxis(slope, axis, -1)
    curved[..., 1:-1] = along[..., 2:] - 2 * along[..., 1:-1] + along[..., :-2]
    curved[..., 0], curved[..., -1] = curved[..., 1], curved[..., -2]
    rise[..., 0], rise[..., -1] = np.maximum(rise[..., 0], 0.0), np.minimum(rise[..., -1], 0.0)
    size = np.abs(slope)
    return np.asarray(np.minimum(size, size * size / np.maximum(-bend, 1e-300)))


def _uphill(height: np.ndarray) -> np.ndarray:
    """Way in steps to the summit of the parabola through heights around a point, at most one step along each axis.

    Shapes: (N, 3, 3) -> (N, 2)
    """
    slope_u, slope_v = (height[:, 2, 1] - height[:, 0, 1]) / 2, (height[:, 1, 2] - height[:, 1, 0]) / 2
    bend_u, bend_v = (
        height[:, 2, 1] - 2 * height[:, 1, 1] + height[:, 0, 1],
        height[:, 1, 2] - 2 * height[:, 1, 1] + height[:, 1, 0],
    )
    twist = (height[:, 2, 2] - height[:, 2, 0] - height[:, 0, 2] + height[:, 0, 0]) / 4
    size = bend_u * bend_v - twist**2
    round_top = (bend_u < 0) & (size > 1e-9 * bend_u * bend_v)
    size = np.where(round_top, size, 1.0)
    summit = np.stack([twist * slope_v - bend_v * slope_u, twist * slope_u - bend_u * slope_v], axis=1) / size[:, None]
    best = np.stack(np.divmod(height.reshape(-1, 9).argmax(axis=1), 3), axis=1) - 1.0
    return np.asarray(np.where(round_top[:, None], summit.clip(-1.0, 1.0), best))


def _grown(
    low: np.ndarray, high: np.ndarray, motions: Motions, row: np.ndarray, way: np.ndarray, top: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Boxes with points `top` high in direction `way` of a part before its motions.

    Shapes: twice (R, K, 3), three times (N,) -> twice (R, K, 3)
    """
    axis, motion = np.divmod(way, len(motions))
    up = np.stack([high, -low], axis=-2).reshape(len(low), len(motions), 6)
    offset = np.concatenate([motions.offset, -motions.offset], axis=-1)
    np.maximum.at(up, (row, motion, axis), top + offset[motion, axis])
    return -up[..., 3:], up[..., :3]
