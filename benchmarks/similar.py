"""Whether a part is found again when it is turned, moved, mirrored or scaled, and every copy as a copy.

`python -m benchmarks.similar --mfcad FOLDER`: the kernel makes copies of solids, which are written as STEP and parsed
like any file. A trial is a hit where the nearest solid is the one that the copy was made of. Where several solids of
the collection are the same (`brep_mae.retrieval.same`), any of them is one: nobody could tell them apart.
"""

import tempfile
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from brep_mae.brep.reject import Reject
from brep_mae.brep.workers.pool import ParseOptions, parse_files, run_files
from brep_mae.schema import FaceGraph

KINDS = ("turned", "moved", "mirrored", "scaled", "all at once")
MOST_FACTOR = 20.0


@dataclass(frozen=True)
class CopyOptions:
    out: Path
    kinds: dict[Path, tuple[int, str]]
    """File -> seed and kind of its copy."""
    deadline_s: float = 60.0
    memory_mb: int = 2000


def copy(path: Path, options: CopyOptions) -> Path:
    """In a worker: writes the changed solid as STEP, and returns the file."""
    from OCP.BRepBuilderAPI import BRepBuilderAPI_Transform
    from OCP.gp import gp_Ax1, gp_Ax2, gp_Dir, gp_Pnt, gp_Trsf, gp_Vec
    from OCP.STEPControl import STEPControl_AsIs, STEPControl_Reader, STEPControl_Writer

    seed, kind = options.kinds[path]
    rng = np.random.default_rng(seed)
    point, direction = gp_Pnt(*rng.normal(0, 20, 3)), gp_Dir(*rng.normal(size=3))
    change = gp_Trsf()
    for one in KINDS[:-1] if kind == KINDS[-1] else (kind,):
        step = gp_Trsf()
        if one == "turned":
            step.SetRotation(gp_Ax1(point, direction), rng.uniform(0.1, 2 * np.pi - 0.1))
        elif one == "moved":
            step.SetTranslation(gp_Vec(*rng.normal(0, 100, 3)))
        elif one == "mirrored":
            step.SetMirror(gp_Ax2(point, direction))
        else:
            step.SetScale(point, float(MOST_FACTOR ** rng.uniform(-1, 1)))
        change.Multiply(step)
    reader = STEPControl_Reader()
    reader.ReadFile(str(path))
    reader.TransferRoots()
    writer = STEPControl_Writer()
    writer.Transfer(BRepBuilderAPI_Transform(reader.OneShape(), change, True).Shape(), STEPControl_AsIs)
    out = options.out / f"{seed:04d} {path.name}"
    writer.Write(str(out))
    return out


def parsed(files: list[Path], root: Path, workers: int) -> Iterator[tuple[Path, FaceGraph]]:
    """The first solid of each file."""
    for path, found in parse_files(files, ParseOptions(10, 0, 0, False, False, root, 60, 2000), workers):
        if isinstance(found, Reject) or isinstance(found[0], Reject):
            raise click.ClickException(f"{path}: could not be read: {found}")
        yield path, found[0]


@click.command()
@click.option("--mfcad", required=True, type=click.Path(exists=True, path_type=Path), help="Folder of STEP files.")
@click.option("--solids", default=2000, show_default=True)
@click.option("--trials", default=200, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--workers", default=1, show_default=True)
def main(mfcad: Path, solids: int, trials: int, seed: int, workers: int) -> None:
    """Print hit rate and ms a query, then what `duplicates` makes of solids and copies together."""
    warnings.filterwarnings("ignore")
    from brep_mae.retrieval import same  # not above: each worker would load all of torch
    from brep_mae.retrieval.nearest import Index
    from brep_mae.retrieval.vectors import extractor_of, joined, rows_of

    rng = np.random.default_rng(seed)
    every = sorted(mfcad.glob("*.step"))
    files = sorted(every[i] for i in rng.choice(len(every), min(solids, len(every)), replace=False))
    chosen = [files[i] for i in rng.choice(len(files), trials, replace=False)]
    options = {path: (i, KINDS[i % len(KINDS)]) for i, path in enumerate(chosen)}
    graphs = [graph for _, graph in parsed(files, mfcad, workers)]
    before = [same.measured(graph) for graph in graphs]
    equal = same.groups(before)
    group_of = {solid.file: number for number, group in enumerate(equal) for solid in group}
    extractor, _ = extractor_of(None)
    index = Index(joined(rows_of(graphs, extractor, "solid")))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        made = [path for _, path in run_files(chosen, CopyOptions(out, options), workers, copy)]
        if failed := [str(one) for one in made if isinstance(one, Reject)]:
            raise click.ClickException(f"no copy was made: {failed[0]}")
        begun = time.perf_counter()
        copies = [graph for _, graph in parsed([path for path in made if isinstance(path, Path)], out, workers)]
        reading_ms = (time.perf_counter() - begun) / trials * 1e3
    hits, farthest, next_one, took = Counter[str](), 0.0, np.inf, list[float]()
    for original, graph in zip(chosen, copies, strict=True):
        begun = time.perf_counter()
        (vector,) = joined(rows_of([graph], extractor, "solid")).x
        near = index.nearest(vector, 10)
        took.append((time.perf_counter() - begun) * 1e3)
        names = [one.file for one in near]
        mine = {original.name} | {f for f, n in group_of.items() if n == group_of.get(original.name)}
        hits[options[original][1]] += names[0] in mine
        farthest = max([farthest, *(one.distance for one in near if one.file == original.name)])
        next_one = min([next_one, *(one.distance for one in near if one.file not in mine)])
    asked = Counter(kind for _, kind in options.values())
    click.echo(f"{len(files)} solids, {trials} copies; groups of equal solids among the solids: {len(equal)}")
    for group in equal:
        click.echo(f"  equal: {', '.join(solid.file for solid in group)}")
    for kind in KINDS:
        click.echo(f"{kind:>12}: {hits[kind]} of {asked[kind]} at rank 1")
    click.echo(f"all: {hits.total() / trials:.1%}; farthest copy {farthest:.4f}, nearest other solid {next_one:.4f}")
    click.echo(
        f"ms a query: median {np.median(took):.1f}, most {max(took):.1f}; reading its file {reading_ms:.1f} more"
    )
    together = same.groups([*before, *map(same.measured, copies)])
    with_original = {solid.file for group in together for solid in group}
    original_of = {graph.file: original.name for original, graph in zip(chosen, copies, strict=True)}
    members: dict[str, int] = {solid.file: number for number, group in enumerate(together) for solid in group}
    found = sum(name in members and members[name] == members.get(mine) for name, mine in original_of.items())
    expected = defaultdict(set)
    for name in with_original:
        original = original_of.get(name, name)
        expected[members[name]].add(group_of.get(original, original))
    mixed = sum(len(origins) > 1 for origins in expected.values())
    click.echo(f"duplicates: {found} of {trials} copies found, {mixed} of {len(together)} groups hold anything else")


if __name__ == "__main__":
    main()
