"""Drilled plates of any number of faces, made of numbers alone: as a kernel would give them, but at once."""

import numpy as np

from brep_mae import schema
from brep_mae.schema import CONVEXITY, CURVE_TYPES, SURFACE_TYPES

SIDES = 4
PLANE, CYLINDER = (SURFACE_TYPES.index(name) for name in ("plane", "cylinder"))
LINE, CIRCLE = (CURVE_TYPES.index(name) for name in ("line", "circle"))


def plate(n_faces: int, grid: int = 10, samples: int = 8, deep: float = 2.0, seed: int = 0) -> schema.FaceGraph:
    """A square plate, `deep` mm thick, with through holes of radius 1 mm in rows 4 mm apart.

    Faces: bottom, top, four sides, then the holes; `n_faces` is at least 7.
    """
    n, across = n_faces - 6, int(np.ceil(np.sqrt(n_faces - 6)))
    long = 4.0 * across
    spot = np.stack(np.divmod(np.arange(n), across), 1) * 4.0 + 2.0
    t = np.linspace(0, 1, grid)
    u, v = np.meshgrid(t, t, indexing="ij")
    zero = np.zeros_like(u)
    corner = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * long
    ring = np.stack([np.cos(2 * np.pi * u), np.sin(2 * np.pi * u)], -1)

    flat = np.stack([long * u, long * v, zero], -1)
    at, to = corner[:, None, None], np.roll(corner, -1, 0)[:, None, None]
    high = deep * v[..., None]
    wall = np.concatenate([at + (to - at) * u[..., None], np.broadcast_to(high, (SIDES, grid, grid, 1))], -1)
    hole = np.concatenate([spot[:, None, None] + ring, np.broadcast_to(high, (n, grid, grid, 1))], -1)
    points = np.concatenate([flat[None], flat[None] + [0, 0, deep], wall, hole])
    outward = np.array([[0, 0, -1], [0, 0, 1], [0, -1, 0], [1, 0, 0], [0, 1, 0], [-1, 0, 0]], float)
    normals = np.concatenate(
        [
            np.broadcast_to(outward[:, None, None], (6, grid, grid, 3)),
            np.broadcast_to(np.concatenate([-ring, zero[..., None]], -1), (n, grid, grid, 3)),
        ]
    )
    row, column = np.floor(np.moveaxis(flat[..., :2], -1, 0) / 4).astype(int)
    drilled = (np.linalg.norm(flat[..., :2] % 4 - 2, axis=-1) <= 1) & (row * across + column < n)
    inside = np.ones((n_faces, grid, grid, 1))
    inside[:2, ..., 0] = ~drilled

    side = 2 + np.arange(SIDES)
    pairs = np.concatenate(
        [
            np.stack([np.zeros(SIDES, int), side], 1),
            np.stack([np.ones(SIDES, int), side], 1),
            np.stack([side, np.roll(side, -1)], 1),
            np.stack([np.zeros(n, int), 6 + np.arange(n)], 1),
            np.stack([np.ones(n, int), 6 + np.arange(n)], 1),
        ]
    )
    foot = np.concatenate([at + (to - at) * t[:, None], np.zeros((SIDES, 1, grid, 1))], -1)[:, 0]
    post = np.stack([np.broadcast_to(c[:, None], (2, grid)) for c in np.roll(corner, -1, 0)])
    post = np.concatenate([post.transpose(0, 2, 1), np.broadcast_to(deep * t[:, None], (SIDES, grid, 1))], -1)
    rim = np.concatenate([spot[:, None] + ring[:, 0], np.zeros((n, grid, 1))], -1)
    up = np.array([0, 0, deep])
    curve = np.concatenate([foot, foot + up, post, rim, rim + up])
    tangent = np.gradient(curve, axis=1)
    tangent /= np.linalg.norm(tangent, axis=-1, keepdims=True)
    edge = np.concatenate([curve, tangent], -1)
    back = np.concatenate([curve[:, ::-1], -tangent[:, ::-1]], -1)
    edges, circle = len(pairs), np.arange(len(pairs)) >= 3 * SIDES
    length = np.where(circle, 2 * np.pi, long)
    length[2 * SIDES : 3 * SIDES] = deep
    area = np.concatenate([np.full(2, long**2 - n * np.pi), np.full(SIDES, long * deep), np.full(n, 2 * np.pi * deep)])
    center = np.array([long / 2, long / 2, deep / 2])
    caps = center * [[1, 1, 0], [1, 1, 2]]
    middle = np.concatenate([caps, wall.mean((1, 2)), np.column_stack([spot, np.full(n, deep / 2)])])
    first = np.concatenate([[[1, 0, 0]] * 2, [[1, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0]], [[1, 0, 0]] * n])
    third = np.concatenate([outward, [[0, 0, 1]] * n])
    rng = np.random.default_rng(seed)
    uv = rng.uniform(0, 1, (n_faces, samples, 2))
    row, column = (uv * (grid - 1)).astype(int).transpose(2, 0, 1)
    at_grid = points[np.arange(n_faces)[:, None], row, column]
    both = np.repeat(np.arange(edges), 2)
    return schema.validate(
        schema.FaceGraph(
            uid=f"{n_faces:016x}#0",
            file=f"plate-{n_faces}.step",
            solid=0,
            name="plate",
            unit_mm=1.0,
            face_name=[""] * n_faces,
            center_mm=center,
            scale_mm=np.array(max(long, deep) / 2),
            face_grid=np.concatenate([points, normals, inside], -1).astype(np.float32),
            face_type=np.where(np.arange(n_faces) < 6, PLANE, CYLINDER).astype(np.int8),
            face_area_mm2=area.astype(np.float32),
            face_loops=np.where(np.arange(n_faces) < 2, 1 + n, 1).astype(np.int16),
            face_box_mm=np.concatenate([points.min((1, 2)), points.max((1, 2))], -1).astype(np.float32),
            face_centroid_mm=middle.astype(np.float32),
            face_axes=np.stack([first, np.cross(third, first), third], 1).astype(np.float32),
            face_curvature=np.zeros((n_faces, grid, grid, 0), np.float32),
            face_params_unit=rng.normal(size=(n_faces, 21)).astype(np.float32),
            face_color=np.full((n_faces, 3), schema.NO_COLOR, np.int16),
            face_recognised=np.zeros(n_faces, bool),
            face_parent=np.arange(n_faces, dtype=np.int32),
            face_label=np.minimum(np.arange(n_faces), 6).astype(np.int16),
            edge_recognised=np.zeros(edges, bool),
            edge_params_unit=rng.normal(size=(edges, 18)).astype(np.float32),
            edge_vertex=np.tile(np.arange(edges, dtype=np.int32), (2, 1)),
            vertex_unit=rng.uniform(-1, 1, (edges, 3)).astype(np.float32),
            coedge_index=np.stack([pairs.ravel(), both]).astype(np.int32),
            coedge_forward=np.tile([True, False], edges),
            arc_index=np.stack([pairs.ravel(), pairs[:, ::-1].ravel()]).astype(np.int32),
            arc_edge=both.astype(np.int32),
            arc_grid=np.stack([edge, back], 1).reshape(-1, grid, 6).astype(np.float32),
            arc_type=np.where(circle, CIRCLE, LINE)[both].astype(np.int8),
            arc_convexity=np.full(2 * edges, CONVEXITY.index("convex"), np.int8),
            arc_angle_rad=np.full(2 * edges, np.pi / 2, np.float32),
            arc_length_mm=length[both].astype(np.float32),
            arc_seam=np.zeros(2 * edges, bool),
            field_samples=np.concatenate([uv, at_grid, -np.ones((n_faces, samples, 1))], -1).astype(np.float32),
            field_bounded=np.ones(n_faces, bool),
        )
    )
