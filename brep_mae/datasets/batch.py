"""Face graphs and frames of several solids, concatenated into tensors.

Nothing is padded here: faces and arcs of all solids lie one after the other, and `solid` says whose they are.
Lengths are rescaled by the solid's own box (`_unit`: the longest side spans [-1, 1]), the only quantity shared by
all faces of a solid, hidden ones included.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, TypeVar

import torch
from torch import Tensor

from brep_mae import schema
from brep_mae.features.invariants import ARC_DIM, FACE_DIM
from brep_mae.features.pose import Pose, pose_of
from brep_mae.features.walks import WALK_STEPS

WHERE_DIM = WALK_STEPS + 1
"""Where in the graph a face sits: return probabilities of random walks of every length, and the log of its degree."""
ARC_KIND_DIM = len(schema.CONVEXITY) + len(schema.CURVE_TYPES)


def _column(content: str, *axes: str | int, into: str = "") -> Any:
    """A tensor of `content`; None where that was not asked for.

    Args:
        axes: letters are axes that agree within one batch, along the first of which solids are concatenated.
        into: of numbers of rows, the axis that they point along; one letter for each row of two-row tensors.
    """
    return field(default=None, metadata={"content": content, "axes": axes, "into": into})


@dataclass(frozen=True)
class Analytic:
    """Exact parameters of surfaces, curves and points, and who touches whom: a solid without any sample of it.

    Axes: F faces, E edges, P vertices, C coedges, K ends of edges. face (F, 21), edge (E, 18), vertex (P, 3) as the
    schema has them, in the unit box; edge_face (2, C) an edge and a face that uses it; forward (C,) True = the edge has
    that face on its left; vertex_edge (2, K) a vertex and an edge that ends there; start (K,) True = it begins there.
    """

    face: Tensor = _column("analytic", "F", 21)
    edge: Tensor = _column("analytic", "E", 18)
    vertex: Tensor = _column("analytic", "P", 3)
    edge_face: Tensor = _column("analytic", 2, "C", into="EF")
    forward: Tensor = _column("analytic", "C")
    vertex_edge: Tensor = _column("analytic", 2, "K", into="PE")
    start: Tensor = _column("analytic", "K")

    @property
    def nbytes(self) -> int:
        return sum(each.nbytes for _, each in _held(self))


@dataclass(frozen=True)
class Faces:
    """Faces of B solids; tensors of content that was not asked for are None. Axes: F faces, A arcs, U, V grid samples,
    S field samples.

    solid (F,) index into the batch; surface (F,) index in SURFACE_TYPES; scalars (F, 2) log area (unit^2), number of
    loops; label (F,) and part (B,) long, UNLABELLED where unknown; grid (F, U, V, 7) point (unit), outward normal,
    inside 0/1; where (F, WHERE_DIM) place in the graph, free of geometry; arc_index (2, A) into the F faces;
    arc_kind (A, ARC_KIND_DIM) one-hot convexity and curve type; arc_grid (A, U, 6) point (unit), tangent;
    arc_scalars (A, 3) cos and sin of the signed dihedral angle, log length (unit); field (F, S, 6) uv, point (unit),
    signed distance; bounded (F,) True = the face has a trimming distance; analytic of the same solids;
    invariant (F, FACE_DIM) and arc_invariant (A, ARC_DIM) as features/invariants.py has them, standardised.
    """

    solid: Tensor = _column("faces", "F", into="B")
    surface: Tensor = _column("faces", "F")
    scalars: Tensor = _column("faces", "F", 2)
    label: Tensor = _column("faces", "F")
    part: Tensor = _column("faces", "B")
    grid: Tensor = _column("uvgrid", "F", "U", "V", 7)
    where: Tensor = _column("walks", "F", WHERE_DIM)
    arc_index: Tensor = _column("arcs", 2, "A", into="FF")
    arc_kind: Tensor = _column("arcs", "A", ARC_KIND_DIM)
    arc_grid: Tensor = _column("ugrid", "A", "U", 6)
    arc_scalars: Tensor = _column("ugrid", "A", 3)
    field: Tensor = _column("field", "F", "S", 6)
    bounded: Tensor = _column("field", "F")
    analytic: Analytic = _column("analytic")
    invariant: Tensor = _column("invariants", "F", FACE_DIM)
    arc_invariant: Tensor = _column("invariants", "A", ARC_DIM)

    @property
    def n_solids(self) -> int:
        return len(self.part)

    @cached_property
    def pose(self) -> Pose:
        """Of the faces, from their grids: made once for the tokens, targets and teachers that ask, and anew for other
        grids, which are another batch."""
        return pose_of(self.grid)

    @property
    def nbytes(self) -> int:
        return sum(each.nbytes for _, each in _held(self))


@dataclass(frozen=True)
class Frames:
    """Turntable frames of B solids: image (B, T, 3, H, W) in [0, 1]; face (B, T, H, W) face of a pixel, -1 = none."""

    image: Tensor
    face: Tensor


Part = TypeVar("Part", Faces, Frames, Analytic)


def _held(part: Any) -> list[tuple[str, Any]]:
    """Names and values of the columns that are there."""
    columns = [(column.name, getattr(part, column.name)) for column in fields(part)]
    return [(name, column) for name, column in columns if column is not None]


def _each(part: Part, change: Callable[[Tensor], Tensor]) -> Part:
    changed: dict[str, Any] = {
        name: _each(column, change) if isinstance(column, Analytic) else change(column) for name, column in _held(part)
    }
    return replace(part, **changed)


@dataclass(frozen=True)
class Batch:
    """What a training step reads. A kind of content that was not asked for is None; `records` are the stored solids."""

    uid: tuple[str, ...]
    faces: Faces | None = None
    frames: Frames | None = None
    records: tuple[schema.FaceGraph, ...] | None = None

    def to(self, device: torch.device) -> "Batch":
        """A copy there; the CPU goes on while a pinned batch is copied to a GPU."""
        ahead = device.type == "cuda"  # the other way nothing would wait for the copy
        return self._each(lambda column: column.to(device, non_blocking=ahead))

    def pinned(self) -> "Batch":
        """The same in memory that a GPU reads while the CPU goes on."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        return replace(
            self, faces=self.faces and _each(self.faces, change), frames=self.frames and _each(self.frames, change)
        )

    def faces_with(self, reads: frozenset[str]) -> Faces:
        """The faces, with all of that content but frames. ValueError names what the batch does not hold."""
        if self.faces is None:
            raise ValueError("this network or target needs a batch with faces, and has one of frames alone")
        held = set() if self.records is None else {"record"}
        held |= {column.metadata["content"] for column in fields(Faces) if getattr(self.faces, column.name) is not None}
        if missing := reads - held - {"frames"}:
            raise ValueError(
                f"this network or target needs a batch with {', '.join(sorted(missing))}, and has one of "
                f"{', '.join(sorted(held))}: name the missing content where the solids are read"
            )
        return self.faces


def _lengths(solids: Sequence[Faces] | Sequence[Analytic], axis: str) -> Tensor:
    """Length of an axis in every solid."""
    column = next(column for column in fields(solids[0]) if column.metadata["axes"][:1] == (axis,))
    return torch.tensor([len(getattr(each, column.name)) for each in solids])


def _concatenated(solids: Sequence[Any]) -> Any:
    columns: dict[str, Any] = {}
    for column in fields(solids[0]):
        tensors = [getattr(each, column.name) for each in solids]
        if all(tensor is None for tensor in tensors):
            continue
        if column.name == "analytic":
            columns[column.name] = _concatenated(tensors)
            continue
        axis = 1 if column.metadata["axes"][0] == 2 else 0
        whole = torch.cat(tensors, axis)
        if into := column.metadata["into"]:
            before = torch.stack([(n := _lengths(solids, letter)).cumsum(0) - n for letter in into])
            own = torch.tensor([tensor.shape[axis] for tensor in tensors])
            whole = whole + before.repeat_interleave(own, 1).view(whole.shape)
        columns[column.name] = whole
    return type(solids[0])(**columns)


def collate(solids: Sequence[Faces]) -> Faces:
    """Concatenates batches of faces; all that points at faces, edges, vertices or solids is shifted to stay right.
    All must hold the same content."""
    whole: Faces = _concatenated(solids)
    return whole
