"""Draws a few labelled solids of many, again and again, and adds a task from each draw as the command line does.

    python -m benchmarks.few_labels --mfcad ../shared/data/mfcad.tar.xz --solids 2000 --kept FOLDER

No draw may be refused, but where a class is asked for that none of its solids shows.
"""

import argparse
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from click.testing import CliRunner, Result

from benchmarks.compare import table
from brep_mae import settings
from brep_mae.checkpoints.backbones import save_backbone
from brep_mae.cli import main as brep_mae
from brep_mae.composition.pretext import DataSpec, build
from brep_mae.continual.class_tasks import TaskBatch
from brep_mae.continual.task_folder import open_tasks
from brep_mae.datasets.batch import Batch
from brep_mae.datasets.content import FACES
from brep_mae.datasets.labelling.labels import FOLDER, SolidLabels, write_labels
from brep_mae.datasets.lazy.index import SUFFIX
from brep_mae.datasets.loader import Solids
from brep_mae.datasets.shards import Shards, open_shards
from brep_mae.datasets.source import open_source
from brep_mae.datasets.splits import SIDES, read_split
from brep_mae.ingest.dataset import parse_dataset

METHOD = "attribute_masking"
SCORED = 200
"""Solids outside a draw on which its task is scored."""


def parsed(mfcad: str, solids: int, kept: Path) -> Path:
    """The labelled shards, made where `kept` has none yet."""
    out = kept / "parsed"
    if not out.is_dir():
        split = settings.SplitParams(validation=0.1, test=0.1)
        source = open_source("mfcad", mfcad, solids, kept)
        parse_dataset(source, out, settings.ParseParams(), split, 1, labelled=True)
    return out


def fresh_encoder(folder: Path) -> Path:
    """A checkpoint of the shipped settings' network with weights as they are drawn."""
    params = settings.load()
    values, spec = params.methods[METHOD], DataSpec(grid=params.parse.grid, frame=0)
    torch.manual_seed(0)
    save_backbone(folder, build(METHOD, values, spec).backbone(), METHOD, values, spec, "none")
    return folder


def add(data: Path, encoder: Path, tasks: Path, steps: int, classes: Sequence[str] = ()) -> Result:
    """`brep-mae task add` into a new folder."""
    shutil.rmtree(tasks, ignore_errors=True)
    arguments = ["task", "add", "drawn", "--tasks", tasks, "--data", data, "--encoder", encoder, "--steps", steps]
    return CliRunner().invoke(brep_mae, [str(a) for a in arguments] + ["--json", "--classes", ",".join(classes)])


def accuracy(tasks: Path, batches: Sequence[Batch], names: Sequence[str]) -> float:
    """Share of faces of other solids that get their right class; classes that no drawn solid shows count as wrong."""
    model = open_tasks(tasks)
    known = torch.tensor([names.index(name) for name in model.tasks[0].classes])
    right = faces = 0
    with torch.no_grad():
        for batch in batches:
            assert batch.faces is not None
            found = known[model(TaskBatch(batch, "segmentation"), 0).argmax(1)]
            right, faces = right + int((found == batch.faces.label).sum()), faces + len(found)
    return right / faces


def drawn_folder(shards: Shards, labelled: Mapping[str, SolidLabels], out: Path) -> None:
    """The same shards with these labels alone."""
    for path in (*shards.folder.glob(f"*{SUFFIX}"), shards.folder / "dataset.json", shards.folder / "split.parquet"):
        if not (out / path.name).exists():
            (out / path.name).symlink_to(path.resolve())
    write_labels(out / FOLDER, shards.labels.face_classes, (), labelled, {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mfcad", required=True, help="folder or archive of MFCAD")
    parser.add_argument("--solids", type=int, default=2000)
    parser.add_argument("--kept", type=Path, required=True, help="folder in which the parsed solids stay")
    parser.add_argument("--encoder", type=Path, help="a pretrained one; default: fresh weights")
    parser.add_argument("--labels", type=int, nargs="+", default=[5, 10, 20])
    parser.add_argument("--draws", type=int, default=50)
    parser.add_argument("--steps", type=int, default=5, help="for the mask, and for weights")
    options = parser.parse_args()
    shards = open_shards(parsed(options.mfcad, options.solids, options.kept))
    names, side_of = shards.labels.face_classes, {}
    for side, uids in read_split(shards.folder / "split.parquet").items():
        side_of |= dict.fromkeys(uids, side)
    rng, rows = np.random.default_rng(0), []
    order = [shards.uids[i] for i in rng.permutation(len(shards.uids))]
    rest = list(Solids(shards.folder, None, order[:SCORED], FACES).in_order(32))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        encoder = options.encoder or fresh_encoder(folder / "encoder")
        (folder / "drawn").mkdir()
        for count in options.labels:
            by_files = refused = lacking = all_refused = 0
            scores, why = [], set[str]()
            for _ in range(options.draws):
                uids = rng.choice(order[SCORED:], count, replace=False).tolist()
                by_files += {side_of[uid] for uid in uids} != set(SIDES)
                labelled = {uid: shards.labels.solids[uid] for uid in uids}
                drawn_folder(shards, labelled, folder / "drawn")
                done = add(folder / "drawn", encoder, folder / "tasks", options.steps)
                if done.exit_code:
                    refused, why = refused + 1, why | {done.stderr.strip().splitlines()[-1]}
                else:
                    assert sum(json.loads(done.stdout)["solids"].values()) == count
                    scores.append(accuracy(folder / "tasks", rest, names))
                shown = {int(c) for one in labelled.values() for c in one.faces}
                lacking += len(shown) < len(names)
                all_refused += add(folder / "drawn", encoder, folder / "tasks", 1, names).exit_code != 0
            rows.append(
                {
                    "labelled": count,
                    "draws": options.draws,
                    "refused": refused,
                    "no labelled solid on a side of all files": by_files,
                    f"asked for all {len(names)} classes, refused": all_refused,
                    "draws that lack one": lacking,
                    "face accuracy, %": f"{100 * np.mean(scores):.1f} ± {100 * np.std(scores):.1f}" if scores else "",
                }
            )
            print("\n".join(sorted(why)), end="")
    table(f"{options.draws} draws of {len(shards)} solids, {options.steps} + {options.steps} steps", rows)


if __name__ == "__main__":
    main()
