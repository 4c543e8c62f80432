"""Stage `target`: arms of one target, all numbers of labels and seeds -> rows of the study.

All arms together -> rows/TARGET.jsonl, or those of one network -> rows/TARGET/NETWORK.jsonl, so that a study of many
pretrainings is made network by network.
"""

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial, reduce
from pathlib import Path
from typing import Any

from brep_mae.checkpoints.backbones import WEIGHTS, load_backbone, new_backbone
from brep_mae.datasets.combined import ConcatDataset
from brep_mae.datasets.content import FACES
from brep_mae.datasets.derived.turned import TurnedSolids
from brep_mae.evaluation.problem import FewshotTask, labelled_order, tasks
from brep_mae.fewshot.baselines.uvnet import UVNet
from brep_mae.fewshot.fewshot import EncoderSource, compare
from brep_mae.fewshot.selection import covering_order
from brep_mae.models.embed import readable
from brep_mae.models.extractor import FeatureExtractor
from brep_mae.models.extractors.blind import Blind
from brep_mae.models.extractors.hops import Hops
from brep_mae.models.extractors.joined import Joined
from brep_mae.output.files import write_whole
from brep_mae.output.folder import output_file
from brep_mae.output.note import sha256
from brep_mae.pretraining.unfinished import unfinished
from brep_mae.report.tables import SCORES
from brep_mae.settings import FewshotParams, flat
from brep_mae.tracking import tracking
from pipelines.shared.jobs import Rows, run_jobs
from pipelines.shared.parsed_dataset import ParsedDataset
from pipelines.shared.stage import run_stage
from pipelines.studies.transfer.plan import ArmParams, Plan, Study, TargetParams

WITHOUT_A_CHECKPOINT = {"hops": Hops, "uvnet": UVNet}
SCRATCH = "scratch_"
"""Before the name of a source: its network with fresh weights."""


def backbone(study: Study, name: str, seed: int) -> FeatureExtractor:
    """The encoder of an arm by its name, as draw `seed` meets it."""
    if name in WITHOUT_A_CHECKPOINT:
        return WITHOUT_A_CHECKPOINT[name]()
    if name.startswith(SCRATCH):
        return new_backbone(study.model_of(name.removeprefix(SCRATCH), seed))
    return load_backbone(study.model_of(name, seed))


def side_by_side(study: Study, encoders: Sequence[str], seed: int) -> FeatureExtractor:
    """Several encoders as one."""
    return reduce(Joined, (backbone(study, name, seed) for name in encoders))


def encoder(study: Study, arm: ArmParams, seed: int) -> FeatureExtractor:
    """All encoders of an arm side by side, as draw `seed` meets them."""
    first = side_by_side(study, arm.encoders, seed)
    return Blind(first, arm.blind) if arm.blind else first


def trained(study: Study, name: str) -> bool:
    """False for an encoder whose data sets are not there."""
    return name in WITHOUT_A_CHECKPOINT or (study.model_of(name.removeprefix(SCRATCH), 0) / WEIGHTS).exists()


@dataclass(frozen=True)
class Material:
    """What a target is learned from and scored on; labels of `unlabelled` and `test` are read by the scores alone."""

    data: ConcatDataset
    labelled: list[str]
    unlabelled: list[str]
    test: list[str]
    beside: list[str]


@cache
def material(study: Study, target: str, frames: bool) -> Material:
    """Held by every process once. Of a set that is drawn it is the solids that have renders, whether an arm reads
    `frames` or not, so that all arms meet the same ones."""
    todo = study.plan()
    about = todo.targets[target]
    reads = FACES | {"frames"} if frames else FACES

    def stored(name: str) -> ParsedDataset:
        return study.stored_set(name, todo.sets[name].render is not None)

    own, other = stored(about.set), stored(about.labels_from)
    generated = {name: stored(name) for name in [about.beside] if name}
    for name, each in {about.labels_from: other, **generated}.items():
        names = [s.face_classes if about.task == "segmentation" else s.part_classes for s in (own, each)]
        if not names[0] or names[0] != names[1]:
            raise ValueError(f"target {target}: {name} has other classes than {about.set}, or none")
    sides = "train", "validation", "test"
    if about.turn == "none":
        scored = own.solids(reads, *sides)
    else:
        every = [uid for side in sides for uid in own.split[side]]
        scored = TurnedSolids(own.parsed, every, own.split["test"], about.turn == "reflection")
    parts, here = [(scored, 0, 0)], 0
    if about.labels_from != about.set:
        parts, here = [*parts, (other.solids(reads, "train"), 0, 0)], 1
    beside = [f"{len(parts)}/{uid}" for each in generated.values() for uid in each.split["train"]]
    parts += [(each.solids(reads, "train"), 0, 0) for each in generated.values()]
    pool, test = ([f"0/{uid}" for side in which for uid in own.split[side]] for which in (sides[:2], sides[2:]))
    labelled = [f"{here}/{uid}" for uid in other.split["train"]] if here else sorted(pool)
    return Material(ConcatDataset(parts), labelled, sorted(pool) if here else [], test, beside)


def network_of(arm: ArmParams) -> str:
    """The source whose network an arm reads, the last one where it reads several."""
    return arm.encoders[-1].removeprefix(SCRATCH)


def task_of(study: Study, target: str) -> FewshotTask:
    """What is classified."""
    about = study.plan().targets[target]
    own = study.stored_set(about.set)
    return next(t for t in tasks(len(own.face_classes), len(own.part_classes)) if t.name == about.task)


@cache
def chosen(study: Study, target: str, count: int, seed: int) -> list[str]:
    """The solids to label, `count` chosen ones first; the same for all arms."""
    chooser = side_by_side(study, study.plan().targets[target].chosen_by, seed)
    given = material(study, target, "frames" in readable(chooser))
    order = labelled_order(given.labelled, seed)
    return covering_order(chooser, task_of(study, target), given.data, order, count, seed)


def labelled_of(classes: Sequence[int], count: int) -> int:
    """How many solids are labelled where each class gets `count`, or all that it has."""
    return sum(min(count, there) for there in Counter(classes).values())


def tuned(todo: Plan, target: TargetParams, arm: ArmParams) -> FewshotParams:
    """The settings of an arm on a target."""
    return FewshotParams(**todo.fewshot.model_dump() | target.tune | arm.tune)


def one(study: Study, target: str, name: str, budget: str, seed: int) -> Rows:
    """Rows of one arm, one budget and one seed."""
    todo = study.plan()
    about, arm, task = todo.targets[target], todo.arms[name], task_of(study, target)
    given = material(study, target, "frames" in readable(encoder(study, arm, seed)))
    shots, classes = about.few if budget == "few" else about.many, None
    if about.task == "classification" and about.each_class:
        classes = [int(given.data.faces(uid).part) for uid in given.labelled]
        shots = [labelled_of(classes, count) for count in shots]
    if given.unlabelled and max(shots) > len(given.labelled):
        # Solids of the target would be labelled in their place.
        raise ValueError(
            f"target {target}: {about.labels_from} has {len(given.labelled)} solids to label; ask for fewer"
        )
    params = tuned(todo, about, arm).model_copy(update={"shots": shots})
    source = EncoderSource(name, "+".join(arm.encoders), partial(encoder, study, arm, seed))
    if about.chosen_by:
        order = chosen(study, target, max(shots), seed)
    else:
        order = labelled_order(given.labelled, seed, classes)
    if given.unlabelled:
        order = order[: max(shots)] + labelled_order(given.unlabelled, seed)
    found = compare(source, [arm.mode], seed, [task], given.data, order, given.test, params, given.beside)
    return [{**row, "target": target, "labels": arm.labels} for row in found]


def _key(arm: ArmParams) -> str:
    """Names what an arm is, so that rows of an edited one are not taken for its own."""
    return hashlib.sha256(arm.model_dump_json().encode()).hexdigest()[:8]


def main(folder: str, target: str, network: str = "") -> None:
    """All arms of a target, or with `network` those that read it, with its own weights or with fresh ones."""
    study = Study(Path(folder))
    todo = study.plan()
    about = todo.targets[target]
    out = study.rows / target / f"{network}.jsonl" if network else study.rows / f"{target}.jsonl"
    title = f"{target}, {network}" if network else target
    named = [name for name in (about.set, about.labels_from, about.beside) if name]
    if left_out := study.absent(*named):
        print(f"{title}: left out, as {' and '.join(dict.fromkeys(left_out))} is not there")
        out.parent.mkdir(parents=True, exist_ok=True)
        out.touch()
        return
    sets = [(one.digest, one.labels_digest) for one in map(study.stored_set, named)]
    wanted = {name: todo.arms[name] for name in about.arms if network in ("", network_of(todo.arms[name]))}
    arms = {name: arm for name, arm in wanted.items() if all(trained(study, each) for each in arm.encoders)}
    if fewer := [name for name in wanted if name not in arms]:
        print(f"{title}: without {', '.join(fewer)}, whose encoders are not there")
    used = [*about.chosen_by, *(encoder for arm in arms.values() for encoder in arm.encoders)]
    names = {encoder.removeprefix(SCRATCH) for encoder in used}
    sources = todo.sources | todo.taught
    stored = sorted(names - {*WITHOUT_A_CHECKPOINT})
    folders = [study.model_of(name, seed) for name in stored for seed in range(sources[name].seeds)]
    hashes = {folder.as_posix(): sha256(folder / WEIGHTS) for folder in folders}
    fewshot = todo.fewshot.model_dump()
    inputs = (target, about.model_dump(exclude={"arms"}), fewshot, sets, hashes)
    jobs: dict[str, tuple[Any, ...]] = {
        f"{name}-{_key(arm)}-{budget}-{seed}": (study, target, name, budget, seed)
        for budget, seeds in (("few", about.few_seeds), ("many", about.many_seeds))
        for seed in range(seeds)
        for name, arm in arms.items()
        if budget in arm.shots
    }
    settings = flat({"target": about, "fewshot": fewshot})
    with (
        output_file(out),
        unfinished("pipelines.studies.transfer.fewshot", out, *inputs) as work,
        tracking.run(study.folder.name, title, settings, {}, __doc__, work / "run") as tracker,
    ):
        found = run_jobs(one, jobs, work, todo.fewshot.workers, title)
        rows = [row for rows in found.values() for row in rows]
        write_whole(out, "".join(json.dumps(row) + "\n" for row in rows))
        for name, arm in arms.items():
            with tracker.child(name, {"encoder": name}) as child:
                child.log_params(flat(arm))
                for row in (row for row in rows if row["encoder"] == name):
                    child.log_metrics({s: float(row[s]) for s in SCORES if s in row}, step=int(row["shots"]))


if __name__ == "__main__":
    run_stage(main, *sys.argv[1:])
