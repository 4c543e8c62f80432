"""Reconstructions that a person can judge: solids in 3-D with their hidden faces in colour, and frames in rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure, FigureBase
from mpl_toolkits.mplot3d.art3d import Poly3DCollection  # type: ignore[import-untyped]

from brep_mae.report.figures import PALETTE
from brep_mae.schema import INSIDE, POINT

Arrays = Mapping[str, np.ndarray]

SEEN = (0.84, 0.85, 0.87)
EDGE = (0.20, 0.22, 0.26)
VIEWS = [(elevation, azimuth) for elevation in (28, -28) for azimuth in range(20, 380, 40)]
"""Elevation and azimuth, in degrees, of the views to choose from."""

TOWARDS = 0.015
"""How far edges are moved towards the viewer, in the unit box: they lie on the faces, and would sink into them."""

ZOOM = 0.9
"""Fills a panel and cuts no corner of the solid's box off."""

MAX_COLUMNS = 12


def reconstruction(path: Path) -> Figure:
    """The picture of a stored reconstruction, of faces or of images. ValueError for a file of another kind."""
    with np.load(path, allow_pickle=False) as file:
        stored = {key: file[key] for key in file.files}
    if {"grid", "predicted", "hidden", "solid", "edge", "edge_face"} <= set(stored):
        return faces(stored)
    if {"titles", "images"} <= set(stored):
        return images(stored)
    raise ValueError(f"{path}: not a reconstruction, it holds {', '.join(stored) or 'nothing'}; pretrain again")


def polygons(grid: np.ndarray) -> np.ndarray:
    """The part of one face's grid that lies inside its trimming loops: cells of four inside samples, and half cells of
    three, a corner of which counts twice. Shapes: (U, V, 7) -> (Q, 4, 3)"""

    def corners(array: np.ndarray) -> np.ndarray:
        return np.stack([array[:-1, :-1], array[1:, :-1], array[1:, 1:], array[:-1, 1:]], axis=2)

    point, inside = corners(grid[..., POINT]), corners(grid[..., INSIDE] > 0.5)
    point = np.where(inside[..., None], point, np.roll(point, 1, axis=2))
    return point[inside.sum(2) >= 3]


def _normals(cells: np.ndarray) -> np.ndarray:
    """Twice the area along the normal of cells (Q, 4, 3), whose side is not known. -> (Q, 3)"""
    return np.cross(cells[:, 2] - cells[:, 0], cells[:, 3] - cells[:, 1])


def _direction(view: tuple[int, int]) -> np.ndarray:
    elevation, azimuth = np.radians(view)
    flat = np.cos(elevation)
    return np.array([flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation)])


def best_view(grid: np.ndarray, hidden: np.ndarray) -> tuple[int, int]:
    """The view that most of the hidden faces' area faces. Shapes: grid (F, U, V, 7), hidden (F,)"""
    area = np.zeros((0, 3))
    for face in grid[hidden]:
        if len(cells := polygons(face)):
            outward = face[..., 3:6][face[..., INSIDE] > 0.5].mean(0)
            along = _normals(cells)
            area = np.concatenate([area, along * np.where(along @ outward < 0, -1, 1)[:, None]])
    return max(VIEWS, key=lambda view: float(np.clip(area @ _direction(view), 0, None).sum()))


@dataclass(frozen=True)
class Scene:
    """What a panel shows: cells (Q, 4, 3) and their colours (Q, 3), those of faces before those of edges (a cell
    without width each); points (K, 3) of faces too thin for a cell, and their colours (K, 3)."""

    cells: np.ndarray
    paint: np.ndarray
    points: np.ndarray
    dots: np.ndarray


def scene(grid: np.ndarray, colors: Mapping[int, Sequence[float]], edge: np.ndarray, view: tuple[int, int]) -> Scene:
    """Faces `colors` of a solid, shaded, and polylines edge (E, U, 3), moved a little towards the viewer."""
    light = _direction((view[0] + 25, view[1] + 35))
    start, end = edge[:, :-1].reshape(-1, 3), edge[:, 1:].reshape(-1, 3)
    lines = np.stack([start, end, end, start], 1) + TOWARDS * _direction(view)
    cells, paint, points, dots = [np.zeros((0, 4, 3))], [np.zeros((0, 3))], [np.zeros((0, 3))], [np.zeros((0, 3))]
    for face, color in colors.items():
        found = polygons(grid[face])
        if len(found):
            along = _normals(found)
            bright = np.abs(along @ light) / np.maximum(np.linalg.norm(along, axis=1), 1e-12)
            cells.append(found)
            paint.append((0.68 + 0.32 * np.clip(bright, 0, 1))[:, None] * color)
        else:
            points.append(grid[face][grid[face][..., INSIDE] > 0.5][:, POINT])
            dots.append(np.tile(color, (len(points[-1]), 1)))
    black = np.tile(EDGE, (len(lines), 1))
    return Scene(*map(np.concatenate, ([*cells, lines], [*paint, black], points, dots)))


def scenes(
    grid: np.ndarray, predicted: np.ndarray, hidden: np.ndarray, edge: np.ndarray, edge_face: np.ndarray
) -> tuple[tuple[int, int], dict[str, Scene]]:
    """The view of one solid, and by title what its three panels show. An edge between hidden faces is not seen."""
    view = best_view(grid, hidden)
    seen = {face: SEEN for face in np.flatnonzero(~hidden).tolist()}
    color = {face: PALETTE[i % len(PALETTE)] for i, face in enumerate(np.flatnonzero(hidden).tolist())}
    known = edge[~hidden[edge_face].all(0)]
    return view, {
        f"original: {len(grid)} faces": scene(grid, seen | color, edge, view),
        f"seen: {len(seen)} of {len(grid)} faces": scene(grid, seen, known, view),
        "seen + predicted, with the true edges": scene(predicted, seen | color, edge, view),
    }


def faces(stored: Arrays) -> Figure:
    """A row per solid: as it is, as the encoder saw it, and with the hidden faces as they were predicted.

    Shapes: grid and predicted (F, U, V, 7) in each solid's unit box, hidden (F,) bool, solid (F,) number of the solid,
    edge (E, U, 3) points along the edges, edge_face (2, E) the faces they lie between.
    """
    solids = np.unique(stored["solid"])
    figure = Figure(figsize=(10.8, 3.5 * len(solids)), layout="constrained", dpi=110)
    for line, solid in enumerate(solids):
        rows = np.flatnonzero(stored["solid"] == solid)
        grid, predicted, hidden = (stored[key][rows] for key in ("grid", "predicted", "hidden"))
        between = np.isin(stored["edge_face"][0], rows)
        edge, edge_face = stored["edge"][between], stored["edge_face"][:, between] - rows[0]
        view, panels = scenes(grid, predicted, hidden, edge, edge_face)
        for column, (title, shown) in enumerate(panels.items()):
            panel(figure, (len(solids), 3, 3 * line + column + 1), shown, grid, view, title)
    return figure


def panel(
    figure: FigureBase, place: tuple[int, int, int], shown: Scene, grid: np.ndarray, view: tuple[int, int], title: str
) -> None:
    """One scene of the solid `grid` (F, U, V, 7), at a place (rows, columns, number) of the figure."""
    samples = grid[..., POINT][grid[..., INSIDE] > 0.5]
    low = samples.min(0)
    high = np.maximum(samples.max(0), low + 1e-3)
    axes: Any = figure.add_subplot(*place, projection="3d", proj_type="ortho")
    # One collection, since only within one are things sorted by depth.
    axes.add_collection3d(Poly3DCollection(shown.cells, facecolors=shown.paint, edgecolors=shown.paint, linewidths=0.5))
    axes.scatter(*shown.points.T, c=shown.dots, s=3)
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), zlim=(low[2], high[2]))
    axes.set_title(title, fontsize=9)
    axes.view_init(*view)
    axes.set_box_aspect(high - low, zoom=ZOOM)
    axes.set_axis_off()


def images(stored: Arrays) -> Figure:
    """Rows of frames, such as the original, what was seen, and what was predicted; solids stand side by side where
    their frames fit into MAX_COLUMNS, else below each other.

    Shapes: titles (R,) of the rows, images (R, S, T, H, W, 3) uint8 of S solids and T frames of each.
    """
    titles, shown = stored["titles"].tolist(), stored["images"]
    rows, solids, views = shown.shape[:3]
    beside = max(1, min(solids, MAX_COLUMNS // views))
    columns, blocks = beside * min(views, MAX_COLUMNS), -(-solids // beside)
    figure = Figure(figsize=(1.15 * columns + 0.4, 1.15 * rows * blocks), layout="constrained", dpi=110)
    grid = figure.subplots(rows * blocks, columns, squeeze=False)
    for place, line in enumerate(grid):
        block, row = divmod(place, rows)
        for column, axes in enumerate(line):
            solid, frame = divmod(column, min(views, MAX_COLUMNS))
            axes.set(xticks=[], yticks=[])
            if column == 0:
                axes.set_ylabel(titles[row].replace(": ", "\n").replace(" (", "\n("), fontsize=8)
            if block * beside + solid < solids:
                axes.imshow(shown[row, block * beside + solid, frame])
            else:
                axes.set_frame_on(False)
    return figure
