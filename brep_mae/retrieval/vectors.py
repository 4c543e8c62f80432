"""Vectors of faces, solids or files, and the Parquet file in which they are kept."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from brep_mae import schema
from brep_mae.answers import Unit
from brep_mae.checkpoints.backbones import CONFIG, WEIGHTS, load_face_backbone
from brep_mae.datasets.batch import Batch
from brep_mae.datasets.derived.files import merged
from brep_mae.datasets.from_graph import from_graph
from brep_mae.evaluation.problem import features_of
from brep_mae.models.embed import readable
from brep_mae.models.extractor import FeatureExtractor
from brep_mae.models.extractors.hops import Hops
from brep_mae.output.files import whole_file, written
from brep_mae.schema import FaceGraph

ABOUT = b"brep_mae"
PLAIN = "plain features"
ROWS = 4096
"""Rows that are written at once."""


class VectorsError(ValueError):
    """A file of vectors cannot be used; the message names it, the reason and the remedy."""


@dataclass(frozen=True)
class About:
    """What vectors are of: only those with the same can be compared.

    Args:
        encoder: SHA-256 of the pretrained encoder, or PLAIN.
        grid, split_closed: how the solids were parsed.
    """

    of: Unit
    encoder: str
    grid: int
    split_closed: bool = False
    schema: int = schema.VERSION


@dataclass(frozen=True)
class Rows:
    """Vectors x (R, D) float32, and whose each is; `solid` and `face` are None where a file or solid has the vector."""

    uid: Sequence[str]
    file: Sequence[str]
    solid: Sequence[int | None]
    face: Sequence[int | None]
    x: np.ndarray


def extractor_of(encoder: Path | None) -> tuple[FeatureExtractor, str]:
    """What makes vectors, plain features for None, and what `About` calls it. Raises CheckpointError."""
    if encoder is None:
        return Hops().eval(), PLAIN
    extractor = load_face_backbone(encoder)
    content = b"".join((encoder / name).read_bytes() for name in (CONFIG, WEIGHTS))
    return extractor, hashlib.sha256(content).hexdigest()


def rows_of(graphs: Iterable[FaceGraph], extractor: FeatureExtractor, of: Unit) -> Iterator[Rows]:
    """The rows of each solid, or of each file whose solids follow one another."""
    for _, solids in groupby(graphs, key=lambda graph: graph.file):
        for graph in [merged(list(solids))] if of == "file" else solids:
            batch = Batch((graph.uid,), from_graph(graph, readable(extractor)))
            (features,) = features_of(extractor, [batch])
            x = (features.face if of == "face" else features.solid).float().numpy()
            faces = list(range(graph.n_faces)) if of == "face" else [None]
            solid = None if of == "file" else graph.solid
            yield Rows([graph.uid] * len(x), [graph.file] * len(x), [solid] * len(x), faces, x)


def joined(rows: Iterable[Rows]) -> Rows:
    """All rows one after the other. Raises VectorsError where there is none."""
    parts = list(rows)
    if not parts:
        raise VectorsError("no solid could be read, so there are no vectors")
    return Rows(
        uid=[uid for part in parts for uid in part.uid],
        file=[file for part in parts for file in part.file],
        solid=[solid for part in parts for solid in part.solid],
        face=[face for part in parts for face in part.face],
        x=np.concatenate([part.x for part in parts]),
    )


def write_vectors(path: Path, rows: Iterable[Rows], about: About) -> int:
    """Writes the whole file in one step, a few rows in memory at a time; returns their number.

    Columns: uid, file, solid, face, and `vector`, a list of D float32. Raises OutputError; VectorsError for no rows.
    """
    count, writer, waiting = 0, None, list[Rows]()
    with written(path), whole_file(path) as sink:
        try:
            for part in rows:
                waiting.append(part)
                count += len(part.x)
                if sum(len(one.x) for one in waiting) >= ROWS:
                    writer = _written(sink, writer, joined(waiting), about)
                    waiting.clear()
            if waiting or writer is None:
                writer = _written(sink, writer, joined(waiting), about)
        finally:
            if writer is not None:
                writer.close()
    return count


def _written(sink: object, writer: pq.ParquetWriter | None, rows: Rows, about: About) -> pq.ParquetWriter:
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(rows.x.ravel()), rows.x.shape[1])
    columns = {
        "uid": pa.array(rows.uid, pa.string()),
        "file": pa.array(rows.file, pa.string()),
        "solid": pa.array(rows.solid, pa.int32()),
        "face": pa.array(rows.face, pa.int32()),
        "vector": vectors,
    }
    table = pa.table(columns).replace_schema_metadata({ABOUT: json.dumps(asdict(about)).encode()})
    writer = writer or pq.ParquetWriter(sink, table.schema)
    writer.write_table(table)
    return writer


def read_vectors(path: Path) -> tuple[Rows, About]:
    """What `write_vectors` wrote. Raises VectorsError."""
    remedy = "make it anew with `brep-mae embed`"
    try:
        table = pq.read_table(path)
        if ABOUT not in (metadata := table.schema.metadata or {}):
            raise ValueError("it does not say what its vectors are of")
        about = About(**json.loads(metadata[ABOUT]))
        uid, file, solid, face = (table.column(name).to_pylist() for name in ("uid", "file", "solid", "face"))
        vectors = table.column("vector").combine_chunks()
        x = vectors.flatten().to_numpy().reshape(len(uid), vectors.type.list_size)
        if x.dtype != np.float32 or not np.isfinite(x).all():
            raise ValueError("its vectors are no finite numbers of 32 bits")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, pa.ArrowException) as error:
        raise VectorsError(f"{path}: not a file of vectors ({error}); {remedy}") from None
    if about.schema != schema.VERSION:
        raise VectorsError(f"{path}: made with data schema {about.schema}, this is {schema.VERSION}; {remedy}")
    return Rows(uid, file, solid, face, x), about
