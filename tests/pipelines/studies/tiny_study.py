"""A tiny transfer study in a folder of its own."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import yaml

from brep_mae import settings
from brep_mae.checkpoints.backbones import save_backbone
from brep_mae.composition.pretext import build
from brep_mae.datasets.labelling.labels import FOLDER
from brep_mae.datasets.shards import write_shard
from brep_mae.datasets.splits import write_split
from brep_mae.schema import FaceGraph
from pipelines.studies.transfer import fewshot
from pipelines.studies.transfer.plan import Study
from tests.contracts.test_methods import SPEC, block
from tests.stored import FACE_CLASSES, N_FACES, label
from tests.synthetic import GRID, make_graph

SIZES = {"train": 12, "validation": 2, "test": 6}
ARMS = {
    "forest": {"encoders": ["hops"], "mode": "forest", "shots": ["few", "many"]},
    "self_trained": {"encoders": ["hops"], "mode": "self_trained"},
    "tuned": {"encoders": ["source"], "mode": "finetuned", "tune": {"steps": 2}, "labels": "generated"},
    "fresh": {"encoders": ["scratch_source"], "mode": "frozen"},
    "both": {"encoders": ["hops", "source"], "mode": "frozen"},
    "joint": {"encoders": ["hops"], "mode": "joint"},
}
TARGETS = {
    "here": {"set": "ours", "labels_from": "ours"},
    "chosen": {"set": "ours", "labels_from": "ours", "chosen_by": ["hops", "source"]},
    "both": {"set": "ours", "labels_from": "ours", "beside": "theirs"},
    "strange_beside": {"set": "ours", "labels_from": "ours", "beside": "strange"},
    "from_afar": {"set": "ours", "labels_from": "theirs"},
    "mirrored": {"set": "ours", "labels_from": "ours", "turn": "reflection"},
    "families": {"set": "ours", "labels_from": "ours", "task": "classification"},
    "families_in_all": {"set": "ours", "labels_from": "ours", "task": "classification", "each_class": False},
    "strangers": {"set": "ours", "labels_from": "strange"},
}


def wrong(graph: FaceGraph, rng: np.random.Generator) -> FaceGraph:
    """The solid with random labels, none of them right."""
    label = (graph.face_label + rng.integers(1, 3, graph.n_faces, np.int16)) % np.int16(3)
    return replace(graph, face_label=label, part_label=1 - graph.part_label)


class TinyStudy:
    """A study in a folder of its own, `study` to the stages. `noise` names sides of a set whose labels are wrong."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.study = folder, Study(folder)
        values = settings.load().model_dump(include={"parse", "pretrain", "fewshot"})
        values["fewshot"] |= {"steps": 2, "unlabelled": 4, "workers": 1}
        del values["fewshot"]["heads"]  # every arm names its own
        budgets = {"few": [1, 3], "few_seeds": 2, "many": [6], "many_seeds": 1, "arms": list(ARMS)}
        targets = {name: target | budgets for name, target in TARGETS.items()}
        about = {"dataset": {"name": "solids", "path": "parts"}, "split": {"validation": 0.1, "test": 0.3}}
        sets = {name: about for name in ("ours", "theirs", "strange")}
        sources = {"source": {"method": "attribute_masking", "sets": ["ours"]}}
        empty = {"sets": sets, "methods": {}, "sources": sources, "taught": {}, "tables": {}}
        self.values = values | empty | {"arms": ARMS, "targets": targets}
        method = block("attribute_masking") | {"dim": 8, "depth": 1}
        source = build("attribute_masking", method, SPEC).backbone()
        save_backbone(folder / "models" / "source", source, "attribute_masking", method, SPEC, "digest")
        self.set("ours", 0)
        self.set("theirs", 100)
        self.set("strange", 200, classes=["a", "b", "zzz"])

    def set(self, name: str, seed: int, noise: tuple[str, ...] = (), classes: list[str] | None = None) -> None:
        folder, rng = self.folder / "data" / name, np.random.default_rng(99)
        split, graphs = {}, []
        for side, count in SIZES.items():
            of_side = [make_graph(N_FACES[i % len(N_FACES)], seed + len(graphs) + i) for i in range(count)]
            if self.values["sets"][name].get("unit") == "file":
                of_side = [replace(g, uid=f"{g.uid[:-1]}{n}", solid=n) for g in of_side for n in range(2)]
            if side in noise:
                of_side = [wrong(g, rng) for g in of_side]
            split[side] = [g.uid for g in of_side]
            graphs += of_side
        folder.mkdir(parents=True, exist_ok=True)
        write_shard(folder / "00000.arrow", graphs)
        label(folder / FOLDER, graphs, classes or FACE_CLASSES)
        facts = {"parse": {"grid": GRID}}
        (folder / "dataset.json").write_text(json.dumps(facts | {"digest": name}))
        write_split(folder / "split.parquet", split)
        self.write()

    def write(self) -> None:
        (self.folder / "params.yaml").write_text(yaml.safe_dump(self.values))
        fewshot.material.cache_clear()
        fewshot.chosen.cache_clear()
