"""Face graphs filled with random numbers, for tests that need no geometry."""

import numpy as np

from brep_mae.schema import ARRAYS, FaceGraph


def record(uid: str = "0123456789abcdef#0", faces: int = 3, arcs: int = 4, file: str = "a.step", **plain) -> FaceGraph:
    rng = np.random.default_rng(int.from_bytes(uid.encode(), "big"))
    sizes = {"F": faces, "A": arcs, "U": 4, "V": 4, "S": 5, "E": 4, "C": 6, "P": 5, "K": 2}
    arrays = {}
    for name, (dtype, axes) in ARRAYS.items():
        shape = tuple(sizes[axis] if isinstance(axis, str) else axis for axis in axes)
        high = faces if name == "arc_index" else 2
        arrays[name] = (rng.random(shape) if dtype.startswith("float") else rng.integers(0, high, shape)).astype(dtype)
    arrays["face_parent"] = np.arange(faces, dtype=np.int32)
    names = [f"face {i}" for i in range(faces)]
    plain = {"solid": 0, "name": "part", "unit_mm": 25.4, "face_name": names, "part_label": 2} | plain
    return FaceGraph(uid=uid, file=file, **plain, **arrays)
