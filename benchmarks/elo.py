"""Does ELo's fitness find weights that are worth it (Piergiovanni et al. 2020, arXiv:2002.12177)?

`search`, in the folder of a default graph that has come to `models/mae_images`: with several seeds, CMA-ES on the Zipf
score, as many candidates at random, equal weights, and CMA-ES on a labelled probe, the upper control. Tells how the
score ranks candidates beside the probe (Spearman), and what the weights found are worth in a longer training, beside
equal weights trained for as long as search and training together. Labels rank candidates in the control alone; what is
reported is scored on test solids, which no candidate was chosen by.

`sizes`, on folders that `parse` and `label` have filled: do the sizes of labelled classes, and of k-means clusters of
plain features of faces, follow Zipf's law at all, or are they nearer to being all alike?

    python -m benchmarks.elo search --seeds 3 --kept FOLDER
    python -m benchmarks.elo sizes name=FOLDER ...
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import rankdata, spearmanr
from sklearn.cluster import KMeans
from sklearn.preprocessing import StandardScaler

from benchmarks.compare import table
from brep_mae import settings
from brep_mae.datasets.loader import Solids
from brep_mae.datasets.shards import open_shards
from brep_mae.evaluation.probe import probes
from brep_mae.evaluation.problem import Rows, features_of, in_batches, labelled_order, tasks
from brep_mae.evaluation.zipf import divergence, zipf
from brep_mae.models.embed import readable
from brep_mae.models.extractor import FeatureExtractor
from brep_mae.output.files import write_whole
from brep_mae.report.tables import summarise
from brep_mae.schema import UNLABELLED
from brep_mae.training.evolve import Candidate, CmaEs, RandomSearch, Search, best, evolve
from pipelines.evolve import of_terms, score, targets, trained
from pipelines.shared.parsed_dataset import ParsedDataset, parsed_dataset
from pipelines.shared.places import LABELS

METHOD = "joint"
SEARCHES: dict[str, tuple[type[Search], str]] = {
    "zipf": (CmaEs, "soft"),
    "random": (RandomSearch, "soft"),
    "labelled": (CmaEs, "validation"),
}
"""Name -> how it proposes, and by which column it chooses: the Zipf score, or right faces of labelled solids."""

Row = dict[str, Any]


def kept(file: Path, make: Callable[[], Row]) -> Row:
    """What `make` answers, from the file where it was asked before."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, json.dumps(make()))
    found: Row = json.loads(file.read_text())
    return found


class Bench:
    """Trains and scores weights of one seed."""

    def __init__(self, seed: int, params: settings.Params, data: ParsedDataset, folder: Path) -> None:
        evolve_params = params.evolve.model_copy(update={"seed": seed})
        self.params = params.model_copy(update={"evolve": evolve_params})
        self.seed, self.data, self.folder = seed, data, folder / str(seed)
        self.targets = targets(METHOD, params.methods[METHOD], data.spec)
        self.solids: Solids | None = None

    def candidate(self, point: Sequence[float]) -> Row:
        """Scores of a short training; the same point is trained once, whichever search proposes it."""
        name = "-".join(f"{weight:.6f}" for weight in point)

        def make() -> Row:
            backbone, loss = trained(METHOD, of_terms(point, self.targets), self.params, self.data)
            zipf_score = asdict(score(backbone, self.data, self.params.evolve))
            return {"loss": loss, **zipf_score, **self.probed(backbone)}

        return kept(self.folder / f"short-{name}.json", make)

    def longer(self, name: str, point: Sequence[float], steps: int, batch: int) -> Row:
        """Scores of a training on all training solids but one."""
        solids = len(self.data.split["train"]) - 1
        changed = {"steps": steps, "batch": batch, "solids": solids, "embedded": 1}
        params = self.params.model_copy(update={"evolve": self.params.evolve.model_copy(update=changed)})

        def make() -> Row:
            backbone, loss = trained(METHOD, of_terms(point, self.targets), params, self.data)
            return {"loss": loss, **self.probed(backbone)}

        return kept(self.folder / f"long-{name}-{steps}.json", make)

    def probed(self, backbone: FeatureExtractor) -> Row:
        """Share of right faces, and of right solids, of linear probes that learn from training solids."""
        if self.solids is None:
            self.solids = self.data.solids(readable(backbone), "train", "validation", "test")
        split, count = self.data.split, self.params.probe.solids
        uids = {side: split[side] for side in ("validation", "test")}
        uids["train"] = labelled_order(split["train"], 0)[:count]
        batches = {side: in_batches(self.solids, own) for side, own in uids.items()}
        features = {side: list(features_of(backbone, own)) for side, own in batches.items()}
        found: Row = {}
        for task in tasks(len(self.data.face_classes), len(self.data.part_classes)):
            rows = {side: Rows(task, own, features[side]) for side, own in batches.items()}
            linear = probes(self.params.probe, len(rows["train"].y))["linear"].fit(rows["train"].x, rows["train"].y)
            for side in ("validation", "test"):
                name = side if task.name == "segmentation" else f"{side} solids"
                found[name] = float(linear.score(rows[side].x, rows[side].y))
        return found

    def run(self, name: str, generations: int) -> tuple[list[Candidate], list[Row]]:
        """The candidates of one search, and what is known of each."""
        propose, column = SEARCHES[name]
        rows: list[Row] = []

        def evaluate(generation: int, points: np.ndarray) -> list[float]:
            found = [self.candidate(point) for point in points.tolist()]
            rows.extend({"search": name, "seed": self.seed, **row} for row in found)
            print(f"seed {self.seed}, {name}, generation {generation + 1} of {generations}", flush=True)
            return [row["soft"] if column == "soft" else -row[column] for row in found]

        return evolve(propose(len(self.targets), self.seed), generations, evaluate), rows


def correlations(rows: Sequence[Row], seeds: Sequence[int]) -> list[Row]:
    """Spearman of the Zipf score, and of counted sizes and held-out loss beside it, with right test faces: of each
    seed, and of ranks within seeds together. A score that is worth its name has a negative one."""
    lines = []
    for column in ("soft", "hard", "loss"):
        ranks: list[tuple[np.ndarray, np.ndarray]] = []
        line: Row = {"score": {"soft": "KL, soft sizes", "hard": "KL, counted sizes", "loss": "held-out loss"}[column]}
        for seed in seeds:
            own = [row for row in rows if row["seed"] == seed]
            pair = [row[column] for row in own], [row["test"] for row in own]
            found = spearmanr(*pair)
            line[f"seed {seed}"] = f"{found.statistic:+.2f} (p {found.pvalue:.2g})"
            ranks.append((rankdata(pair[0]), rankdata(pair[1])))
        found = spearmanr(*(np.concatenate(column_) for column_ in zip(*ranks, strict=True)))
        lines.append(line | {"all": f"{found.statistic:+.2f} (p {found.pvalue:.2g})"})
    return lines


def search(args: argparse.Namespace) -> None:
    params, data = settings.load(), parsed_dataset(labels=LABELS)
    short = {"steps": args.steps, "generations": args.generations}
    params = params.model_copy(update={"evolve": params.evolve.model_copy(update=short)})
    batch, rows, ends, spread = params.methods[METHOD]["batch"], list[Row](), list[Row](), list[Row]()
    seeds = range(args.seeds)
    for seed in seeds:
        bench = Bench(seed, params, data, args.kept)
        equal = [1.0] * len(bench.targets)
        chosen = {"equal": equal}
        rows.append({"search": "equal", "seed": seed, **bench.candidate(equal)})
        spread.append(bench.candidate(equal))
        searched = 0
        for name in SEARCHES:
            tried, found = bench.run(name, args.generations)
            rows += found
            chosen[name], searched = best(tried).weights, len(tried) * args.steps * params.evolve.batch
        for name, point in chosen.items():
            shares = dict(zip(bench.targets, np.array(point) / sum(point), strict=True))
            ends.append({"weights": name, "seed": seed, "shares": shares} | bench.longer(name, point, args.long, batch))
        if args.equal_budget:
            more = args.long + searched // batch
            ends.append(
                {"weights": "equal, search's steps too", "seed": seed} | bench.longer("equal", equal, more, batch)
            )
    free = list({json.dumps(row, sort_keys=True): row for row in rows if row["search"] != "labelled"}.values())
    table(f"Spearman with right test faces, {len(free)} candidates chosen without labels", correlations(free, seeds))
    noise = f"{np.mean([row['sd'] for row in spread]):.3f}"
    table(
        f"Candidates; sd of KL over runs of k-means {noise}",
        [
            {
                "search": name,
                "candidates": len(own := [row for row in rows if row["search"] == name]),
                **{f"{key}, mean ± sd": _told([row[key] for row in own]) for key in ("soft", "hard")},
                "right test faces, %": _told([100 * row["test"] for row in own], 1),
            }
            for name in dict.fromkeys(row["search"] for row in rows)
        ],
    )
    scores = ("test", "test solids")
    table(
        f"Trained for {args.long} steps, {args.seeds} seeds, %",
        [
            {"weights": row["weights"]}
            | {key: f"{100 * row[f'{key}_mean']:.1f} ± {100 * row[f'{key}_sd']:.1f}" for key in scores}
            for row in summarise(ends, ("weights",), scores)
        ],
    )
    if args.out:
        args.out.write_text(json.dumps({"candidates": rows, "ends": ends}, indent=1) + "\n")


def _told(values: Sequence[float], digits: int = 3) -> str:
    return f"{np.mean(values):.{digits}f} ± {np.std(values):.{digits}f}"


def sizes(args: argparse.Namespace) -> None:
    lines = []
    for pair in args.sets:
        name, _, folder = pair.partition("=")
        shards = open_shards(Path(folder) / "parsed", Path(folder) / "labels")
        labels = shards.labels.solids
        for what, column in (("class of a face", labels.faces), ("class of a part", labels.part)):
            known = column[column != UNLABELLED]
            if len(known):
                lines.append({"set": name, "sizes of": what, **_compared(np.unique(known, return_counts=True)[1])})
        reads = frozenset({"faces", "invariants"})
        solids = Solids(Path(folder) / "parsed", None, shards.uids, reads)
        scalars = torch.cat([batch.faces_with(reads).invariant for batch in solids.in_order(64)])
        scaled = StandardScaler().fit_transform(scalars.numpy())
        for k in args.clusters:
            label = KMeans(k, n_init=1, random_state=0).fit(scaled).labels_
            lines.append({"set": name, "sizes of": "cluster of faces", **_compared(np.bincount(label, minlength=k))})
    table("Sizes beside Zipf's law (exponent 1), KL in nats", lines)


def _compared(counts: np.ndarray) -> Row:
    k = len(counts)
    zipfs, alike = divergence(counts, zipf(k)), divergence(counts, np.full(k, 1 / k))
    shares = np.sort(counts)[::-1] / counts.sum()
    fitted = -float(np.polyfit(np.log(np.arange(1, k + 1)), np.log(np.maximum(shares, 1e-9)), 1)[0])
    row = {"number": k, "rows": int(counts.sum()), "from Zipf": f"{zipfs:.3f}", "from all alike": f"{alike:.3f}"}
    return row | {"exponent fitted": f"{fitted:.2f}", "nearer to": "Zipf" if zipfs < alike else "all alike"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("search", help="fitness beside a probe, and what the weights found are worth")
    one.add_argument("--seeds", type=int, default=3)
    one.add_argument("--generations", type=int, default=2)
    one.add_argument("--steps", type=int, default=40, help="of a candidate")
    one.add_argument("--long", type=int, default=200, help="steps of the training with the weights that were found")
    one.add_argument("--equal-budget", action="store_true", help="also equal weights for the search's steps on top")
    one.add_argument("--kept", type=Path, required=True, help="folder of finished pieces, which are not done again")
    one.add_argument("--out", type=Path, help="keeps the rows as JSON")
    one.set_defaults(run=search)
    two = commands.add_parser("sizes", help="classes and clusters beside Zipf's law")
    two.add_argument("sets", nargs="+", help="NAME=FOLDER with parsed and labels in it")
    two.add_argument("--clusters", type=int, nargs="+", default=[20, 50])
    two.set_defaults(run=sizes)
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.run(args)


if __name__ == "__main__":
    main()
