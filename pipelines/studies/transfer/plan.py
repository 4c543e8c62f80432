"""A study's `params.yaml` as frozen models, and where its stages put things."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, PositiveInt, model_validator

from brep_mae.checks import Section, check, read_yaml
from brep_mae.composition.blocks import check_methods
from brep_mae.settings import (
    DatasetParams,
    FewshotParams,
    GenerateParams,
    ParseParams,
    PretrainParams,
    RenderParams,
    SplitParams,
)
from pipelines.shared.parsed_dataset import ParsedDataset, Unit, parsed_dataset

SEEDS = "seeds"


class SetParams(Section):
    """A data set.

    Args:
        dataset, generate: where it comes from.
        split: which files are on which side.
        render: its renders, where a source reads them.
        unit: what is one sample of it: a solid, or all solids of a file together.
        face_classes: its names of the classes of faces -> those of this study, in order; {} = its own.
    """

    dataset: DatasetParams
    generate: GenerateParams | None = None
    render: RenderParams | None = None
    split: SplitParams
    unit: Unit = "solid"
    face_classes: dict[str, str] = {}

    @model_validator(mode="after")
    def _renders_of_solids(self) -> "SetParams":
        if self.render is not None and self.unit == "file":
            raise ValueError("renders are of solids, and the unit is a file; leave out render, or unit")
        return self


class SourceParams(Section):
    """A pretraining by `method` on the training side of all `sets` together; `tune` = what differs from the method's
    block; `labels` True = the method's network is trained on their labels instead; `images` = folder or archive of
    natural images, whose batches take turns with those of the sets. It is made with so many `seeds`; draw s of labelled
    solids meets the encoder of seed s modulo these, so that the spread over draws is that over pretrainings as well."""

    method: str
    sets: list[str]
    seeds: PositiveInt = 1
    labels: bool = False
    images: str = ""
    tune: dict[str, Any] = {}


class FittedParams(Section):
    """Networks that have learned classes of faces and answer together, to hand on.

    So many of the source `encoder`, whose seeds they meet in turn, are fine-tuned on the training sides of all `sets`;
    `tune` = what differs from the study's `fewshot`. They are scored on the test side of the first set, and on all
    solids of the set `scored`.
    """

    encoder: str
    networks: PositiveInt
    sets: list[str] = Field(min_length=1)
    scored: str
    tune: dict[str, Any] = {}


class ArmParams(Section):
    """One row of a table.

    Args:
        encoders: "hops", "uvnet", the name of a source, or "scratch_" and that name (fresh weights); of
            several, the features stand side by side.
        mode: a module of fewshot/heads.
        blind: scalars that the encoders are not shown.
        shots: "few", "many" or both.
        labels: "none" = pretraining read no label, "generated" = it read labels that a generator wrote.
        tune: what differs from the study's `fewshot`.
    """

    encoders: list[str]
    mode: str
    shots: list[Literal["few", "many"]] = ["few"]
    labels: Literal["none", "generated"] = "none"
    blind: list[str] = []
    tune: dict[str, Any] = {}


class TargetParams(Section):
    """What is learned with few labels.

    Args:
        set: whose test side is scored.
        labels_from: set whose training side is labelled; with another one than `set` no label of the target is read.
        beside: set whose training side is labelled as well, by the generator that made it, for heads that learn from
            both; "" = none.
        turn: how the test solids lie: as they are, turned at random, or turned and mirrored.
        chosen_by: encoders, named as in an arm, whose features say which solids are labelled, before any label is
            known; [] = they are drawn at random.
        tune: what differs from `fewshot` for all arms.
        few, many: numbers of labelled solids, with so many seeds.
        each_class: where solids are classified, these are numbers of each class; False = in all.
    """

    set: str
    labels_from: str
    beside: str = ""
    task: Literal["segmentation", "classification"] = "segmentation"
    turn: Literal["none", "rotation", "reflection"] = "none"
    chosen_by: list[str] = []
    tune: dict[str, Any] = {}
    few: list[PositiveInt]
    few_seeds: PositiveInt
    many: list[PositiveInt] = []
    many_seeds: int = Field(default=0, ge=0)
    each_class: bool = True
    arms: list[str]


class TableParams(Section):
    """One table: arms down, targets and numbers of labels across.

    `against` names an arm, or one for each arm of the table: the cells are then gains over it, paired by seed. `minus`
    names other targets, on which that arm is looked up, or else the same arm as in the row. `shots` = the columns,
    where not all.
    `score` is one of `metrics.scores`, or the seconds that fitting and scoring took.
    """

    title: str
    targets: list[str]
    shots: list[int] = []
    arms: list[str]
    against: str | dict[str, str] | None = None
    minus: list[str] = []
    score: Literal["micro", "per_part", "miou", "covered", "seconds"] = "micro"
    published: dict[str, dict[int, float]] = {}
    note: str = ""


class Plan(Section):
    """All of the file."""

    sets: dict[str, SetParams]
    parse: ParseParams
    pretrain: PretrainParams
    methods: dict[str, dict[str, Any]]
    sources: dict[str, SourceParams]
    taught: dict[str, SourceParams]
    fewshot: FewshotParams
    arms: dict[str, ArmParams]
    targets: dict[str, TargetParams]
    tables: dict[str, TableParams]
    fitted: dict[str, FittedParams] = {}

    def values_of(self, source: SourceParams) -> dict[str, Any]:
        """What a source is pretrained with."""
        return self.methods[source.method] | source.tune

    @model_validator(mode="after")
    def _published_of_one_target(self) -> "Plan":
        for name, table in self.tables.items():
            if table.published and len(table.targets) > 1:
                raise ValueError(f"tables.{name}: published numbers are of one target, and it has several")
        return self

    @model_validator(mode="after")
    def _solids_are_turned(self) -> "Plan":
        for name, target in self.targets.items():
            if target.turn != "none" and (one := self.sets.get(target.set)) is not None and one.unit == "file":
                raise ValueError(f"targets.{name}: solids are turned, and a sample of {target.set} is a file")
        return self

    @model_validator(mode="after")
    def _tuned_rightly(self) -> "Plan":
        """What one of the blocks `tune` changes must still be the study's settings."""
        for kind, blocks in (("arms", self.arms), ("targets", self.targets), ("fitted", self.fitted)):
            for name, block in blocks.items():
                check(FewshotParams, self.fewshot.model_dump() | block.tune, f"{kind}.{name}.tune")
        return self


@dataclass(frozen=True)
class Study:
    """The study in `folder`: what its params.yaml says, and what its stages have left there."""

    folder: Path

    @property
    def sets(self) -> Path:
        """Where the data sets lie."""
        return self.folder / "data"

    @property
    def models(self) -> Path:
        """Where the encoders lie."""
        return self.folder / "models"

    @property
    def rows(self) -> Path:
        """Where the scores of the targets lie."""
        return self.folder / "rows"

    @property
    def reports(self) -> Path:
        """Where the cost and held-out metrics of the encoders lie."""
        return self.folder / "pretrained"

    def report_of(self, name: str) -> Path:
        """What was written down of the pretraining of a source."""
        return self.reports / f"{name}.json"

    def rows_of(self, target: str) -> list[Path]:
        """Where the scores of one target lie: those of all arms, or of each network."""
        whole = self.rows / f"{target}.jsonl"
        return [whole] if whole.exists() else sorted((self.rows / target).glob("*.jsonl"))

    def plan(self) -> Plan:
        """Reads and checks the whole file. SettingsError names a wrong key."""
        file = self.folder / "params.yaml"
        found = check(Plan, read_yaml(file), file.as_posix())
        frame = max((each.render.size for each in found.sets.values() if each.render), default=0)
        limits, origin = (found.parse.grid, frame, found.pretrain.accumulate), file.as_posix()
        check_methods(found.methods, *limits, origin)
        for name, source in (found.sources | found.taught).items():
            if source.tune:
                check_methods({source.method: found.values_of(source)}, *limits, f"{origin}: sources.{name}.tune")
        return found

    def model_of(self, name: str, seed: int) -> Path:
        """Where the encoder of a source lies that draw `seed` meets; that of seed 0 beside the folder of the others."""
        todo = self.plan()
        number = seed % (todo.sources | todo.taught)[name].seeds
        return self.models / name / SEEDS / str(number) if number else self.models / name

    def frames_of(self, name: str) -> Path:
        """Where the renders of a data set lie."""
        return self.sets / name / "frames"

    def absent(self, *names: str) -> list[str]:
        """Those of the data sets that are not there, since what they are read from is not."""
        return [name for name in names if not (self.sets / name / "dataset.json").exists()]

    def stored_set(self, name: str, drawn: bool = False) -> ParsedDataset:
        """What the stage `set` left of one data set; with `drawn` no more than the solids that have renders."""
        frames = self.frames_of(name) if drawn else None
        return parsed_dataset(self.sets / name, frames, unit=self.plan().sets[name].unit)
