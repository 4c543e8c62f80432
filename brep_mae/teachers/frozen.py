"""Teachers that come from elsewhere: a stored backbone, a timm model, or a network with random weights."""

import math
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import NonNegativeInt, model_validator
from torch import nn

from brep_mae.checkpoints.backbones import load_backbone
from brep_mae.checks import Section
from brep_mae.composition.teacher import EncoderTeacher, Student, Teacher
from brep_mae.datasets.batch import Batch
from brep_mae.datasets.content import kinds
from brep_mae.masking.mask import Mask
from brep_mae.models.backbone import Backbone
from brep_mae.models.encoder import TokenEncoder
from brep_mae.settings import MessageSizeParams, SizeParams
from brep_mae.targets.teacher_targets import SeveralTeacherTargets, TeacherTargets
from brep_mae.teachers.images import Pooled, TimmTeacher, timm_model

Content = Literal["faces", "frames"]

POOLED_SIDE = 14
"""Patches per side that an image teacher sees of a frame when it is asked about faces."""

RANDOM_SEED = 20
"""Seeds a teacher of random weights, which is thus the same one after a training was resumed."""


class TeacherParams(Section):
    """Which network makes the targets, and of what content.

    `random`: a network like the student's, of `size` where given. `checkpoint`: the backbone stored in folder `path`.
    `timm`: the vision transformer `model`, with the weights in file `path`; nothing is downloaded. `dim` is the width
    of the features of the latter two. `reads` frames, where the student reads faces: a face's target is the mean of the
    teacher's patches in which the face appears.
    """

    source: Literal["random", "checkpoint", "timm"]
    reads: Content
    path: str = ""
    model: str = ""
    dim: NonNegativeInt = 0
    size: SizeParams | None = None

    @model_validator(mode="after")
    def _complete(self) -> "TeacherParams":
        needs = {"random": (), "checkpoint": ("path", "dim"), "timm": ("model", "dim")}[self.source]
        if missing := [name for name in needs if not getattr(self, name)]:
            raise ValueError(f"a teacher from {self.source} needs {' and '.join(missing)}")
        return self

    def width(self, student: SizeParams | MessageSizeParams) -> int:
        """Width of the features."""
        return self.dim or (self.size or student).dim


class FrozenTeacher(Teacher):
    """A teacher that is made when a training first needs it: a stored student opens without its teacher's file.

    Its weights never change, so the state of a training does not hold them.

    Args:
        make: loads the network, or makes it.
        dim: width that its features must have.
        side: patches per side of a student that reads patches, of which the teacher must have as many; None = the
            student reads faces.
    """

    def __init__(self, make: Callable[[], Teacher], dim: int, side: int | None) -> None:
        super().__init__()
        self.make, self.dim, self.side = make, dim, side

    @cached_property
    def network(self) -> Teacher:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(RANDOM_SEED)
            return self.make()

    @property
    def reads(self) -> frozenset[str]:
        return self.network.reads

    def forward(self, batch: Batch, mask: Mask) -> TeacherTargets:
        targets: TeacherTargets = self.network.to(mask.hidden.device)(batch, mask)
        rows, dim = targets.features.shape
        if dim != self.dim:
            raise ValueError(f"the teacher's features are {dim} wide, not {self.dim}: set its dim")
        if (side := self.side) is not None and batch.frames is not None:
            images = batch.frames.image.shape[:2].numel()
            if (other := math.isqrt(rows // images)) != side:
                raise ValueError(
                    f"the teacher has {other} x {other} patches, the student {side} x {side}: give both one grid"
                )
        return targets

    def start(self, student: Student) -> None:
        self.network.start(student)


def frozen_teacher(
    p: TeacherParams,
    student: SizeParams | MessageSizeParams,
    network: Callable[[SizeParams], tuple[nn.Module, TokenEncoder]],
    reads: Content,
    side: int,
    full: bool,
    final_norm: bool,
) -> FrozenTeacher:
    """The teacher that `p` asks for.

    Args:
        student: size of the student.
        network: makes tokens and encoder of a random teacher, of a given size.
        reads: what the student reads.
        side: patches per side that an image teacher shall see.
        full, final_norm: see EncoderTeacher.
    """
    if reads == "frames" and p.reads == "faces":
        raise ValueError("a teacher that reads faces knows nothing of patches")
    pooled = reads == "faces" and p.reads == "frames"
    if pooled and p.source == "random":
        raise ValueError("a random teacher is a network like the student's, and reads what the student reads")

    def make() -> Teacher:
        if p.source == "timm":
            teacher: Teacher = TimmTeacher(timm_model(p.model, p.path), side)
        else:
            if p.source == "random":
                if not isinstance(size := p.size or student, SizeParams):
                    raise ValueError("a random teacher is a transformer: give it a size with heads")
                tokens, encoder = network(size)
            else:
                backbone = load_backbone(Path(p.path))
                if (read := kinds(backbone.reads)) != {p.reads}:
                    raise ValueError(f"{p.path}: a backbone of {', '.join(sorted(read))}, not of {p.reads}")
                if not isinstance(backbone, Backbone) or not (final_norm or backbone.encoder.residual):
                    raise ValueError(f"{p.path}: not a transformer, whose features a student could predict")
                tokens, encoder = backbone.tokens, backbone.encoder
            teacher = EncoderTeacher(tokens, encoder, full, final_norm)
        return Pooled(teacher) if pooled else teacher

    return FrozenTeacher(make, p.width(student), side if reads == "frames" else None)


class SeveralFrozen(Teacher):
    """Several teachers of one student, by name. A target asks for what one of them says by that name."""

    def __init__(self, teachers: Mapping[str, FrozenTeacher]) -> None:
        super().__init__()
        self.teachers: Mapping[str, Any] = nn.ModuleDict(dict(teachers))  # type: ignore[assignment]

    @property
    def reads(self) -> frozenset[str]:
        return frozenset().union(*(teacher.reads for teacher in self.teachers.values()))

    def forward(self, batch: Batch, mask: Mask) -> SeveralTeacherTargets:
        said = {name: teacher(batch, mask) for name, teacher in self.teachers.items()}
        return SeveralTeacherTargets(**vars(batch), by_teacher=said)
