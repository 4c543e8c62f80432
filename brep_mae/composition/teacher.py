"""Teachers: networks that are not trained by the loss and say what a student has to predict."""

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import nn

from brep_mae.datasets.batch import Batch
from brep_mae.masking.mask import Mask
from brep_mae.models.encoder import TokenEncoder
from brep_mae.targets.teacher_targets import SeveralTeacherTargets, TeacherTargets


class Student(Protocol):
    """The parts of a method that its teacher reads, or makes anew."""

    @property
    def tokens(self) -> nn.Module: ...

    @property
    def encoder(self) -> TokenEncoder: ...

    @property
    def decoder(self) -> nn.Module: ...

    @property
    def targets(self) -> Mapping[str, nn.Module]: ...


class Teacher(nn.Module):
    """Adds what a network says of a batch to it. Always in evaluation mode, and without a gradient.

    forward(batch, mask) -> TeacherTargets, or SeveralTeacherTargets where it speaks for several; `mask` is the
    student's, for those few teachers that see no more than it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.training = False

    @property
    def reads(self) -> frozenset[str]:
        """Content that batches must hold, by the names in datasets/content.py."""
        raise NotImplementedError

    def forward(self, batch: Batch, mask: Mask) -> TeacherTargets | SeveralTeacherTargets:
        raise NotImplementedError

    def train(self, mode: bool = True) -> "Teacher":
        return super().train(False)

    def begin_step(self, student: Student, step: int, rng: torch.Generator) -> bool:
        """Called before every training step. True = the student's weights were made anew."""
        return False

    def schedule(self, step: int, steps: int) -> tuple[int, int]:
        """(step, steps) within the learning rate's current schedule."""
        return step, steps

    def start(self, student: Student) -> None:
        """Gives the student the teacher's weights. ValueError where their networks differ in kind."""
        raise ValueError("this teacher is no network like the student's: it has no weights to start from")


class EncoderTeacher(Teacher):
    """An encoder of ours as a teacher.

    Args:
        tokens, encoder: the network.
        full: True = it sees everything, False = no more than the student.
        final_norm: False = it answers with the residual stream before the last norm.
    """

    def __init__(self, tokens: nn.Module, encoder: TokenEncoder, full: bool, final_norm: bool) -> None:
        super().__init__()
        self.tokens, self.encoder, self.full, self.final_norm = tokens, encoder, full, final_norm
        self.requires_grad_(False).eval()

    @property
    def reads(self) -> frozenset[str]:
        content: Any = self.tokens.reads
        return frozenset(content)

    @torch.no_grad()
    def forward(self, batch: Batch, mask: Mask) -> TeacherTargets:
        tokens = self.tokens(batch)
        latent = self.encoder(tokens, None if self.full else mask, self.final_norm)
        x = latent.placed(tokens.valid.shape[1])
        return TeacherTargets.of(batch, x[:, 1:][tokens.valid], x[:, 0])

    def start(self, student: Student) -> None:
        student.tokens.load_state_dict(self.tokens.state_dict())
        student.encoder.load_state_dict(self.encoder.state_dict())

    def follow(self, student: Student) -> None:
        """Takes the student's weights, bit by bit."""
        self.tokens.load_state_dict(student.tokens.state_dict())
        self.encoder.load_state_dict(student.encoder.state_dict())


def follow(teacher: nn.Module, student: nn.Module, momentum: float) -> None:
    """Moves every weight of `teacher` towards the student's: w <- momentum w + (1 - momentum) student's w."""
    with torch.no_grad():
        for own, other in zip(teacher.parameters(), student.parameters(), strict=True):
            own.lerp_(other, 1 - momentum)
