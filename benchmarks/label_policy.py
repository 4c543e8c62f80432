"""Which classes does a solid show? The learned policy for weights and thresholds against rules that take no search.

    python -m benchmarks.label_policy --mfcad ../shared/data/mfcad.tar.xz --kept FOLDER

On generated machined parts and on solids of MFCAD, an encoder each, pretrained without labels on the training side.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.compare import table
from brep_mae import settings
from brep_mae.checkpoints.backbones import load_backbone, save_backbone
from brep_mae.composition.pretext import DataSpec, build
from brep_mae.datasets.loader import Solids
from brep_mae.datasets.shards import open_shards
from brep_mae.datasets.source import open_source
from brep_mae.datasets.splits import read_split
from brep_mae.fewshot.multilabel.comparison import COMPETITORS, POLICY, SCORES, Shown, scored
from brep_mae.generate.generate import generate
from brep_mae.ingest.dataset import parse_dataset
from brep_mae.models.embed import readable
from brep_mae.report.multilabel import with_frequency
from brep_mae.report.tables import above, interval, percent, points, summarise
from brep_mae.training.loop import train

METHOD = "attribute_masking"


def parsed(name: str, mfcad: str, solids: int, kept: Path) -> Path:
    """The labelled shards of "generated" (machined parts), "modelled" or "mfcad", made where `kept` has none yet."""
    out = kept / name / "parsed"
    if not out.is_dir():
        (kept / name).mkdir(parents=True, exist_ok=True)
        params, kind = settings.load(), {"generated": "machined"}.get(name, name)
        if name == "mfcad":
            source = open_source(name, mfcad, solids, kept / name)
        else:
            generate(kept / name / "parts", kind, solids, 0, 1)
            source = open_source("generated", str(kept / name / "parts"), 0, kept / name)
        parse_dataset(source, out, params.parse, params.split, 1, labelled=True)
    return out


def encoder(data: Path, kept: Path) -> Path:
    """A checkpoint pretrained on the training side, no label involved, where `kept` has none yet."""
    out = kept / "encoder"
    if not out.is_dir():
        params, split = settings.load(), read_split(data / "split.parquet")
        values, spec = params.methods[METHOD], DataSpec(params.parse.grid, 0)
        torch.manual_seed(params.pretrain.seed)
        pretext = build(METHOD, values, spec)
        learned, held_out = (Solids(data, None, split[side], pretext.reads) for side in ("train", "validation"))
        state, device = kept / "state.pt", torch.device("cpu")
        train(pretext, learned, held_out, params.pretrain, state, lambda row: None, device)
        save_backbone(out, pretext.backbone().eval(), METHOD, values, spec, "none")
    return out


def rows_of(data: Path, weights: Path, params: settings.LabelPolicyParams) -> list[dict[str, Any]]:
    """A row for every rule and seed."""
    backbone, split = load_backbone(weights), read_split(data / "split.parquet")
    classes = open_shards(data).labels.face_classes
    solids = Solids(data, None, [*split["train"], *split["test"]], readable(backbone))
    shown = Shown(solids, split["train"], split["test"], len(classes))
    return [
        scored(rule, shown, backbone, classes, params, seed)
        for seed in range(params.seeds)
        for rule in (POLICY, *COMPETITORS)
    ]


def show(title: str, rows: Sequence[dict[str, Any]]) -> None:
    """Prints the scores of every rule, and how far the policy is above each."""
    printed = []
    for summary in summarise(rows, ("rule",), (*SCORES, "held_out_f1", "seconds")):
        line = {"rule": summary["rule"]}
        for score in (*SCORES, "held_out_f1"):
            line[score] = percent(summary[f"{score}_mean"], summary[f"{score}_sd"])
        for score in SCORES:
            gain = above(rows, POLICY, summary["rule"], score)
            line[f"policy - it, {score}"] = "" if summary["rule"] == POLICY else points(gain)
        printed.append(line | {"seconds": summary["seconds_mean"]})
    table(title, printed)
    for key in ("weights", "thresholds"):
        found = with_frequency([row for row in rows if row["rule"] == POLICY], key)
        if found:
            about = interval(found)
            print(
                f"  rank correlation of {key} with frequency {about['mean']:+.2f} "
                f"[{about['low']:+.2f}, {about['high']:+.2f}]"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mfcad", required=True, help="folder or archive of MFCAD")
    parser.add_argument("--kept", type=Path, required=True, help="folder in which solids and encoders stay")
    parser.add_argument("--parsed", type=int, default=640, help="solids of each set")
    parser.add_argument("--solids", type=int, nargs="+", default=[100, 300], help="labelled solids")
    parser.add_argument("--rewards", nargs="+", default=["macro_f1"])
    parser.add_argument("--mode", choices=["frozen", "finetuned"], default="frozen", help="of the encoder")
    parser.add_argument("--episodes", type=int, help="default: those of params.yaml")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--sets", nargs="+", default=["generated", "mfcad"])
    options = parser.parse_args()
    own = settings.load().label_policy
    fixed = {"mode": options.mode, "seeds": options.seeds, "episodes": options.episodes or own.episodes}
    for name in options.sets:
        data = parsed(name, options.mfcad, options.parsed, options.kept)
        weights = encoder(data, options.kept / name)
        for solids in options.solids:
            for reward in options.rewards:
                params = own.model_copy(update=fixed | {"solids": solids, "reward": reward})
                title = f"{name}, {solids} labelled solids, {options.mode}, reward {reward}"
                show(title, rows_of(data, weights, params))


if __name__ == "__main__":
    main()
