"""Small face graphs made of numbers alone, for tests that need no CAD kernel."""

import numpy as np

from brep_mae import schema
from brep_mae.datasets.batch import Batch, Frames, collate
from brep_mae.datasets.content import FACES
from brep_mae.datasets.from_graph import from_graph

GRID = 5


def make_graph(n_faces: int = 6, seed: int = 0, grid: int = GRID, samples: int = 40) -> schema.FaceGraph:
    """A ring of curved patches with a few chords and one parallel pair; random but smooth, as real faces are."""
    rng = np.random.default_rng([seed, n_faces])
    t = np.linspace(-1, 1, grid)
    u, v = np.meshgrid(t, t, indexing="ij")
    center = rng.normal(size=(n_faces, 3)) * 20
    axes = np.linalg.qr(rng.normal(size=(n_faces, 3, 3)))[0]
    size = rng.uniform(2, 8, size=(n_faces, 2))
    bend = rng.uniform(-1, 1, size=n_faces)
    local = np.stack([size[:, :1, None] * u, size[:, 1:, None] * v, bend[:, None, None] * u * v], -1)
    points = local @ axes[:, None] + center[:, None, None]
    normals = np.broadcast_to(axes[:, None, None, 2], points.shape)
    inside = (rng.random((n_faces, grid, grid, 1)) < 0.85).astype(float)
    ring = [(i, (i + 1) % n_faces) for i in range(n_faces)] if n_faces > 2 else [(0, 1)] * (n_faces > 1)
    pairs = ring + [(0, n_faces // 2)] * 2 * (n_faces > 3)
    arc_index = np.array([p for i, j in pairs for p in ((i, j), (j, i))], np.int32).reshape(-1, 2).T
    a = arc_index.shape[1]
    tangent = rng.normal(size=(a, grid, 3))
    tangent /= np.linalg.norm(tangent, axis=-1, keepdims=True)
    arc_grid = np.concatenate([rng.normal(size=(a, grid, 3)) * 20 - points.mean((0, 1, 2)), tangent], -1)
    uv = rng.uniform(-0.1, 1.1, size=(n_faces, samples, 2))
    span = uv * 2 - 1
    where = np.stack([size[:, :1] * span[..., 0], size[:, 1:] * span[..., 1], bend[:, None] * span.prod(-1)], -1)
    distance = np.abs(span).max(-1, keepdims=True) - 1
    field = np.concatenate([uv, where @ axes + center[:, None] - points.mean((0, 1, 2)), distance / 2], -1)
    middle = points.mean((0, 1, 2))
    graph = schema.FaceGraph(
        uid=f"{seed:08x}{n_faces:08x}#0",
        file=f"step/{seed:04d}-{n_faces}.step",
        solid=0,
        name=f"part {seed}",
        unit_mm=1.0,
        face_name=[str(i) for i in range(n_faces)],
        center_mm=middle,
        scale_mm=np.array(np.ptp(points, axis=(0, 1, 2)).max() / 2),
        face_grid=np.concatenate([points - middle, normals, inside], -1).astype(np.float32),
        face_type=rng.integers(0, 5, n_faces).astype(np.int8),
        face_area_mm2=(4 * size.prod(1)).astype(np.float32),
        face_loops=rng.integers(1, 3, n_faces).astype(np.int16),
        face_box_mm=np.concatenate([points.min((1, 2)) - middle, points.max((1, 2)) - middle], -1).astype(np.float32),
        face_centroid_mm=(center - middle).astype(np.float32),
        face_axes=axes.astype(np.float32),
        face_curvature=np.zeros((n_faces, grid, grid, 0), np.float32),
        face_params_unit=rng.normal(size=(n_faces, 21)).astype(np.float32),
        face_color=np.full((n_faces, 3), schema.NO_COLOR, np.int16),
        face_recognised=np.zeros(n_faces, bool),
        face_parent=np.arange(n_faces, dtype=np.int32),
        face_label=(np.arange(n_faces) % 3).astype(np.int16),
        arc_index=arc_index,
        arc_edge=np.repeat(np.arange(a // 2), 2).astype(np.int32),
        arc_grid=arc_grid.astype(np.float32),
        arc_type=rng.integers(0, 3, a).astype(np.int8),
        arc_convexity=rng.integers(0, 3, a).astype(np.int8),
        arc_angle_rad=rng.uniform(-3, 3, a).astype(np.float32),
        arc_length_mm=rng.uniform(1, 9, a).astype(np.float32),
        arc_seam=np.zeros(a, bool),
        edge_recognised=np.zeros(a // 2, bool),
        edge_params_unit=rng.normal(size=(a // 2, 18)).astype(np.float32),
        edge_vertex=np.tile(np.arange(a // 2, dtype=np.int32), (2, 1)),
        vertex_unit=rng.uniform(-1, 1, size=(a // 2, 3)).astype(np.float32),
        coedge_index=np.stack([arc_index[0], np.repeat(np.arange(a // 2), 2)]).astype(np.int32),
        coedge_forward=np.arange(a) % 2 == 0,
        field_samples=field.astype(np.float32),
        field_bounded=np.ones(n_faces, bool),
        part_label=seed % 2,
    )
    return schema.validate(graph)


def make_frames(n_faces: list[int], views: int = 2, size: int = 16, seed: int = 0) -> Frames:
    """Textured frames whose pixels belong to faces in blocks of 4 x 4 pixels; a third is background."""
    import torch

    rng = np.random.default_rng(seed)
    shape = (len(n_faces), views, size // 4, size // 4)
    face = np.stack([rng.integers(-1, n, shape[1:]) for n in n_faces]).repeat(4, -1).repeat(4, -2)
    image = rng.random((*shape[:2], 3, size, size), dtype=np.float32)
    return Frames(torch.from_numpy(image), torch.from_numpy(face))


def make_batch(n_faces: list[int], seed: int = 0, frames: bool = False, reads: frozenset[str] = FACES) -> Batch:
    """A batch of solids with the given numbers of faces, of that content; with frames of 16 pixels where asked."""
    graphs = [make_graph(n, seed + i) for i, n in enumerate(n_faces)]
    faces = collate([from_graph(g, reads) for g in graphs])
    shown = make_frames(n_faces, seed=seed) if frames else None
    return Batch(tuple(g.uid for g in graphs), faces, shown, tuple(graphs) if "record" in reads else None)
