"""Rounds of training, each taught by the student of the round before."""

import copy
from collections.abc import Callable

import torch
from torch import nn

from brep_mae.composition.masked import MaskedPretext
from brep_mae.composition.teacher import EncoderTeacher, Student, Teacher
from brep_mae.datasets.batch import Batch
from brep_mae.masking.mask import Mask
from brep_mae.models.encoder import TokenEncoder
from brep_mae.settings import SizeParams
from brep_mae.targets.teacher_targets import TeacherTargets
from brep_mae.teachers.frozen import Content, TeacherParams, frozen_teacher


class Rounds(Teacher):
    """The student as it was when the last round ended; a new student starts every round.

    dBOT (Liu et al. 2022, arXiv:2209.03917, section 3.2). At the end of a round the teacher takes the student's weights
    bit by bit, the student gets those of a new one, the optimizer forgets its moments and the learning rate starts its
    warm-up again. In between the teacher does not move.

    Args:
        student: makes a new student.
        network: the teacher's own copy of such tokens and encoder; its weights teach the first round.
        steps: of all rounds together, divided evenly.
        rounds: number of rounds.
        first: teaches the first round in the network's place.
    """

    def __init__(
        self,
        student: Callable[[], Student],
        network: EncoderTeacher,
        steps: int,
        rounds: int,
        first: Teacher | None = None,
    ) -> None:
        super().__init__()
        self.student, self.network, self.first = student, network, first
        self.bounds = [steps * i // rounds for i in range(rounds + 1)]
        self.round: torch.Tensor
        self.register_buffer("round", torch.zeros((), dtype=torch.long))

    @property
    def reads(self) -> frozenset[str]:
        return self.network.reads if self.first is None else self.network.reads | self.first.reads

    def forward(self, batch: Batch, mask: Mask) -> TeacherTargets:
        teacher = self.first if self.first is not None and int(self.round) == 0 else self.network
        targets: TeacherTargets = teacher(batch, mask)
        return targets

    def begin_step(self, student: Student, step: int, rng: torch.Generator) -> bool:
        if step not in self.bounds[1:-1]:
            return False
        self.network.follow(student)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(torch.randint(2**62, (1,), generator=rng)))
            fresh = self.student()
        # Made anew rather than reset: a layer's own reset leaves out what its owner initialised.
        student.tokens.load_state_dict(fresh.tokens.state_dict())
        student.encoder.load_state_dict(fresh.encoder.state_dict())
        student.decoder.load_state_dict(fresh.decoder.state_dict())
        for name, target in student.targets.items():
            target.load_state_dict(fresh.targets[name].state_dict())
        self.round += 1
        return True

    def schedule(self, step: int, steps: int) -> tuple[int, int]:
        start = max(b for b in self.bounds[:-1] if b <= step)
        return step - start, self.bounds[self.bounds.index(start) + 1] - start


def in_rounds(
    student: Callable[[], MaskedPretext],
    rounds: int,
    teacher: TeacherParams,
    size: SizeParams,
    network: Callable[[SizeParams], tuple[nn.Module, TokenEncoder]],
    reads: Content,
    side: int,
) -> MaskedPretext:
    """A student, taught in `rounds`. The first teacher is the student itself as it starts, or what `teacher` says.

    Args: see Rounds and frozen_teacher.
    """
    if rounds > 1 and teacher.width(size) != size.dim:
        raise ValueError("a first teacher of another width than the student's teaches one round only: set rounds to 1")
    pretext = student()
    own = EncoderTeacher(copy.deepcopy(pretext.tokens), copy.deepcopy(pretext.encoder), full=True, final_norm=False)
    plain = teacher.source == "random" and teacher.size is None
    first = None if plain else frozen_teacher(teacher, size, network, reads, side, full=True, final_norm=False)
    pretext.teacher = Rounds(student, own, pretext.params.steps, rounds, first)
    return pretext
