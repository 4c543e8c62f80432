"""A stored reconstruction of two parallel unit squares, one edge between them."""

from pathlib import Path

import numpy as np


def face_arrays(hidden: list[bool], solids: tuple[int, ...] = (0, 0)) -> dict[str, np.ndarray]:
    u, v = np.meshgrid(np.linspace(0, 1, 4), np.linspace(0, 1, 4), indexing="ij")
    up = [np.zeros_like(u), np.zeros_like(u), np.ones_like(u)]
    flat = np.stack([np.stack([u, v, np.full_like(u, z), *up, np.ones_like(u)], -1) for z in (0, 1)])
    edge = np.stack([np.zeros(4), np.zeros(4), np.linspace(0, 1, 4)], -1)[None]
    arrays = {"grid": flat, "predicted": flat * 0.9, "hidden": np.array(hidden), "solid": np.array(solids)}
    return arrays | {"edge": edge, "edge_face": np.array([[0], [1]])}


def face_file(path: Path, hidden: list[bool]) -> Path:
    np.savez(path, **face_arrays(hidden))  # type: ignore[arg-type]
    return path
