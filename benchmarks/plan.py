"""What 10^5, 10^6 and 10^7 files cost: the table of `docs/scale.md`, from slopes and a price.

    python -m benchmarks.plan                                     the table, from the slopes below
    python -m benchmarks.plan --price 0.08 --batch 512            of another price, and another batch
    python -m benchmarks.plan --measure FOLDER --count 1024       the slopes of one kind of part: put them below

Slopes are differences between many files and few, so that start-up does not count, in processor time of all processes.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import tracemalloc
from dataclasses import dataclass
from pathlib import Path

from benchmarks.compare import spread
from benchmarks.parse_command import linked, processor_seconds
from brep_mae.datasets.adapters import solids

SIZES = (10**5, 10**6, 10**7)
TRAINED = 0.8
"""Share of the solids that the split gives to training."""


@dataclass(frozen=True)
class Slopes:
    """What a file costs, of one kind of part with one solid a file.

    Args:
        parse_s, merge_s: seconds of a processor for `parse` and `merge`, with their default options.
        kb: bytes in shards, in thousands.
    """

    parse_s: float
    merge_s: float
    kb: float


KINDS = {
    "simple": Slopes(parse_s=0.017, merge_s=0.00029, kb=117),
    "complex": Slopes(parse_s=0.23, merge_s=0.00029, kb=493),
}
"""Simple are 2,560 parts of MFCAD (23 faces); complex 16 of `benchmarks.spline_parts` (102 faces, most of them
splines), too few to tell what merging costs."""
LISTED_KB = 0.36
OPEN_S, OPEN_KB = 0.8e-6, 0.023
"""Processor time and memory a solid to open shards: a million in `benchmarks.million`."""


def measured(files: list[Path], few: int) -> Slopes:
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        costs = [
            _costs(linked(some, scratch / f"{len(some)}"), scratch / f"out{len(some)}") for some in (files[:few], files)
        ]
    low, high = costs
    return Slopes(*((b - a) / (len(files) - few) for a, b in zip(low, high, strict=True)))


def _costs(parts: Path, out: Path) -> tuple[float, float, float]:
    """The slopes' numbers for all files of a folder together."""
    parsing = 0.0
    for number in "12":
        with processor_seconds() as spent:
            _run("parse", parts, "--shard", f"{number}/2", "--workers", "1", "--out", out / number)
        parsing += sum(spent.values())
    before = os.times()
    _run("merge", out / "1", out / "2", "--out", out / "merged")
    merging = os.times().children_user + os.times().children_system - before.children_user - before.children_system
    return parsing, merging, sum(path.stat().st_size for path in (out / "merged").glob("*.arrow")) / 1e3


def _run(*arguments: object) -> None:
    subprocess.run([sys.executable, "-m", "brep_mae", *map(str, arguments)], check=True, capture_output=True)


def listed_kb(count: int = 20_000) -> float:
    """Memory that a file takes in the list of all, without which neither parse nor merge works."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            (Path(folder) / f"a part of an archive, {number:012d}.step").touch()
        tracemalloc.start()
        source = solids.given([Path(folder)])
        names = {path.relative_to(source.root).as_posix(): number for number, path in enumerate(source.files)}
        return tracemalloc.get_traced_memory()[0] / len(names) / 1e3


def table(price: float, batch: int) -> str:
    lines = [
        "| | " + " | ".join(f"10^{len(str(size)) - 1} files" for size in SIZES) + " |",
        "|---|" + "--:|" * len(SIZES),
    ]

    def row(name: str, cells: list[str]) -> None:
        lines.append(f"| {name} | " + " | ".join(cells) + " |")

    for kind, of in KINDS.items():
        row(f"parse, {kind} parts: core-hours", [_short(n * of.parse_s / 3600) for n in SIZES])
        row(f"its price at {price:g} a core-hour", [_short(n * of.parse_s / 3600 * price) for n in SIZES])
        row(f"shards, {kind} parts: GB", [_short(n * of.kb / 1e6) for n in SIZES])
    row("merge: minutes of one core", [_short(n * KINDS["simple"].merge_s / 60) for n in SIZES])
    row("memory for the list of files, in parse and merge: GB", [_short(n * LISTED_KB / 1e6) for n in SIZES])
    row("open shards: s, MB", [f"{_short(n * OPEN_S)}, {_short(n * OPEN_KB / 1e3)}" for n in SIZES])
    row(f"steps of an epoch, batch {batch}", [f"{n * TRAINED / batch:,.0f}" for n in SIZES])
    return "\n".join(lines)


def _short(value: float) -> str:
    """Two digits that count."""
    digits = float(f"{value:.2g}")
    return f"{digits:,.0f}" if digits >= 10 else f"{digits:g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--price", type=float, default=0.05, help="of an hour of one core, in any currency")
    parser.add_argument("--batch", type=int, default=256, help="solids a step, of all processes together")
    parser.add_argument("--measure", type=Path, help="folder with STEP files of one kind of part")
    parser.add_argument("--count", type=int, default=1024, help="files of it, spread over all; a quarter are the few")
    args = parser.parse_args()
    if args.measure:
        files = spread(sorted(args.measure.rglob("*.st*p")), args.count)
        print(measured(files, len(files) // 4), f"list of files: {listed_kb():.2f} kB a file")
    else:
        print(table(args.price, args.batch))


if __name__ == "__main__":
    main()
