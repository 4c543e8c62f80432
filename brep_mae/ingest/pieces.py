"""One of several runs that share a data set out among them, and what they made put together again."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from brep_mae.brep.workers.pool import ParseOptions
from brep_mae.cad_files import printable
from brep_mae.datasets.lazy.index import SUFFIX
from brep_mae.datasets.source import Source
from brep_mae.ingest.chunks import DONE, Fill, chunks_of, fill, read_note
from brep_mae.ingest.dataset import publish
from brep_mae.ingest.join import join, summed
from brep_mae.ingest.origin import Origin, origin_of
from brep_mae.ingest.report import ParseReport, read_report, write_json, write_report
from brep_mae.output.files import link_or_copy, written
from brep_mae.output.folder import collect, output_folder
from brep_mae.processes import leave_a_copy
from brep_mae.settings import ParseParams, SplitParams

PIECE = "piece.json"


class PieceError(ValueError):
    """Folders do not make a data set together; the message names one, the reason and the remedy."""


@dataclass(frozen=True)
class Piece:
    """What a folder of `parse_piece` holds: every `of`-th shard of a data set, from shard `number` on.

    Args:
        number: from 1 to `of`.
        inputs: files and folders that the data set was opened from.
    """

    number: int
    of: int
    inputs: tuple[str, ...]
    origin: Origin

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def parse_piece(
    source: Source,
    inputs: Sequence[str],
    out: Path,
    parse: ParseParams,
    workers: int,
    number: int,
    of: int,
    fill: Fill = fill,
) -> ParseReport:
    """Fills `out` with the shards of one piece, those that it holds already excepted. Labels and split come later.

    Args:
        inputs: what `source` was opened from.
        number, of: as those of a `Piece`.
        fill: makes the shards.

    Raises:
        OutputError: `out` cannot be written, is in use, or holds what this program did not write.
    """
    leave_a_copy()
    with output_folder(out) as claim:
        piece = Piece(number, of, tuple(inputs), origin_of(source, parse))
        if _held(claim.place) == piece:
            return read_report(claim.place)
        folder = claim.work / f"parse-{piece.origin.key}"
        with written(folder, folder):
            folder.mkdir(exist_ok=True)
        chunks = dict(list(chunks_of(source.files, folder).items())[number - 1 :: of])
        rate = fill(chunks, ParseOptions(root=source.root, **parse.model_dump()), workers, source.store)
        report = summed(sum(map(len, chunks.values())), [read_note(done) for done in chunks], [])
        with claim.filled() as new, written(out, folder):
            for done in chunks:
                for path in (done, done.with_suffix(SUFFIX)):
                    if path.is_file():  # files that gave no solid have a note alone
                        link_or_copy(path, new / path.name)
            write_json(new / PIECE, asdict(piece))
            write_report(new, report)
        collect(claim.work, "parse")
    return replace(report, solids_per_s=rate)


def read_piece(folder: Path) -> Piece:
    """Raises PieceError where the folder holds no piece."""
    if (piece := _held(folder)) is None:
        raise PieceError(
            f"{folder}: holds no piece of a data set; remedy: name folders that `parse --shard` has filled"
        )
    return piece


def merge(source: Source, folders: Sequence[Path], out: Path, split: SplitParams) -> ParseReport:
    """Fills `out` with what `parse_dataset` makes of the same files by the same settings, labels included.

    Args:
        source: opened from the inputs of the pieces.
        folders: all pieces of the data set, in any order.

    Raises:
        PieceError: the folders do not make a data set together.
        OutputError: `out` cannot be written, is in use, or holds what this program did not write.
        ValueError: no file gave a solid.
    """
    pieces = [(folder, read_piece(folder)) for folder in folders]
    first, piece = pieces[0]
    for folder, other in pieces[1:]:
        _refuse_other(first, piece, folder, other)
    _refuse_gaps(pieces)
    parse = ParseParams(**piece.origin.parse)
    if origin_of(source, parse).files != piece.origin.files:
        again = "parse all pieces again, each into its own folder"
        raise PieceError(f"{source.root}: files came, went or changed after {first} was parsed; remedy: {again}")
    notes = {done.name: done for folder, _ in pieces for done in folder.glob(f"*{DONE}")}
    with output_folder(out) as claim, claim.filled() as new, written(out):
        report = join(source, [notes[done.name] for done in chunks_of(source.files, out)], new)
        return publish(source, new, parse, split, report, piece.origin.key)


def _held(folder: Path) -> Piece | None:
    """The piece in a folder, if there is one."""
    try:
        values = json.loads((folder / PIECE).read_text())
        origin = Origin(**values.pop("origin"))
        return Piece(inputs=tuple(values.pop("inputs")), origin=origin, **values)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _refuse_other(first: Path, piece: Piece, folder: Path, other: Piece) -> None:
    """Raises PieceError where two folders are no pieces of one data set."""
    reasons = [
        f"its {name} is {other.origin.parse.get(name)}, not {value}"
        for name, value in piece.origin.parse.items()
        if other.origin.parse.get(name) != value
    ]
    if other.inputs != piece.inputs:
        reasons.append(f"it is of {', '.join(other.inputs)}, not of {', '.join(piece.inputs)}")
    elif other.origin.files != piece.origin.files:
        reasons.append("files came, went or changed in between")
    if other.origin.code != piece.origin.code:
        reasons.append("it was made by another version of this program or of its libraries")
    if other.of != piece.of:
        reasons.append(f"it is piece {other}, and {first} is piece {piece}")
    if reasons:
        raise PieceError(
            f"{folder}: does not belong to {first}: {'; '.join(reasons)}; "
            "remedy: parse one of them again as the other was parsed"
        )


def _refuse_gaps(pieces: Sequence[tuple[Path, Piece]]) -> None:
    """Raises PieceError where a piece is given twice or not at all."""
    known: dict[int, Path] = {}
    for folder, piece in pieces:
        if piece.number in known:
            both = f"{known[piece.number]} and {folder}"
            raise PieceError(f"{both}: both are piece {piece}; remedy: name each piece once")
        known[piece.number] = folder
    _, piece = pieces[0]
    if missing := [number for number in range(1, piece.of + 1) if number not in known]:
        some = ", ".join(f"{number}/{piece.of}" for number in missing[:10])
        again = f"parse {printable(shlex.join(piece.inputs))} --shard {missing[0]}/{piece.of} --out FOLDER"
        raise PieceError(
            f"{len(missing)} of {piece.of} pieces are missing: {some}; remedy: name their folders too, or run "
            f"`brep-mae {again}` with the options of the others"
        )
