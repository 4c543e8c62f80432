"""`studies/continual/params.yaml` as frozen models, and where the study's stages put things."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, PositiveInt, model_validator

from brep_mae.checks import FileOrFolder, Section, check, read_yaml
from brep_mae.continual.supermask_roles import Base
from brep_mae.settings import Share, TaskParams
from pipelines.studies.continual.learn import Learner

STUDY = Path("studies/continual")
PLAN, ROWS = STUDY / "params.yaml", STUDY / "rows"
TIME = ", time "
"""Before the number, in the name of a task that is met several times."""


class ArmParams(Section):
    """One way to learn a sequence; `tune` = what differs from the sequence's budget."""

    way: Learner
    base: Base = "pretrained"
    density: float = Field(gt=0, lt=1, default=0.1)
    tune: dict[str, Any] = {}


class DataParams(Section):
    """Either `parsed`, shards whose face classes make the tasks, or `images`, a folder or archive of images in folders
    by class.

    Args:
        kind: asked of `parsed`: the class of each face, or which classes a solid's faces show.
        left_out: face classes of no task.
        others: True = in each task the faces of all other classes are one class more.
        solids: of the training side, for each time; `heldout` of the validation and of the test side.
        times: how often the sequence is gone through, each time with other training solids.
        validation: share of the training images that chooses among states.
    """

    parsed: FileOrFolder | None = None
    kind: Literal["segmentation", "multilabel"] = "segmentation"
    left_out: list[str] = []
    others: bool = False
    solids: PositiveInt = 1
    heldout: PositiveInt = 1
    times: PositiveInt = 1
    images: FileOrFolder | None = None
    validation: float = Field(gt=0, lt=1, default=0.1)

    @model_validator(mode="after")
    def _one_kind(self) -> "DataParams":
        if (self.parsed is None) == (self.images is None):
            raise ValueError("name either parsed or images")
        if self.others and self.kind == "multilabel":
            raise ValueError("others is a class of faces: leave it out where solids are asked which classes they show")
        return self


class SequenceParams(Section):
    """`tasks` tasks of each of the `data`, which take turns, on one network: `encoder` is the folder of a checkpoint,
    or resnet18."""

    encoder: str
    data: list[DataParams]
    tasks: int = Field(ge=2)
    seeds: PositiveInt
    tune: dict[str, Any] = {}
    arms: list[str]


class HundredParams(TaskParams):
    """Many tasks in a row: each of three face classes, from `solids` training solids."""

    encoder: FileOrFolder
    parsed: FileOrFolder
    tasks: PositiveInt
    solids: PositiveInt
    density: float = Share


class Plan(Section):
    """All of the file."""

    budget: TaskParams
    arms: dict[str, ArmParams]
    sequences: dict[str, SequenceParams]
    hundred: HundredParams

    @model_validator(mode="after")
    def _tuned_rightly(self) -> "Plan":
        """What one of the blocks `tune` changes must still be a budget."""
        for kind, blocks in (("arms", self.arms), ("sequences", self.sequences)):
            for name, block in blocks.items():
                check(TaskParams, self.budget.model_dump() | block.tune, f"{kind}.{name}.tune")
        return self

    def params(self, sequence: str, arm: str) -> TaskParams:
        """The budget of an arm in a sequence."""
        return TaskParams(**self.budget.model_dump() | self.sequences[sequence].tune | self.arms[arm].tune)


def plan() -> Plan:
    """Reads and checks the whole file. SettingsError names a wrong key."""
    return check(Plan, read_yaml(PLAN), PLAN.as_posix())
