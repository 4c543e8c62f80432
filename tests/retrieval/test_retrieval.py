"""`brep-mae embed`, `similar` and `duplicates` on parts that the kernel has turned, moved, mirrored and scaled."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from OCP.BRepAlgoAPI import BRepAlgoAPI_Cut
from OCP.BRepBuilderAPI import BRepBuilderAPI_Transform
from OCP.gp import gp_Ax1, gp_Ax2, gp_Dir, gp_Pnt, gp_Trsf, gp_Vec

from brep_mae.retrieval.nearest import Index
from brep_mae.retrieval.same import groups, measured
from brep_mae.retrieval.vectors import Rows, read_vectors, write_vectors
from tests.brep.solids import box, graph_of, write_step
from tests.cli.small_tasks import ok, run, small_encoder
from tests.synthetic import make_graph


def cornered(x: float = 1.0):
    """A block with notches of three sizes: its mirror image is no turned copy of it."""
    shape = box(4, 5, 6)
    for cut in (box(x, 1, 6), box(1, 5, 0.5, (3, 0, 0)), box(0.7, 2, 1, (3.3, 3, 5))):
        shape = BRepAlgoAPI_Cut(shape, cut).Shape()
    return shape


def changed(shape, kind: str):
    change = gp_Trsf()
    axis = gp_Ax1(gp_Pnt(1, 2, 3), gp_Dir(1, 2, -1))
    if kind == "turned":
        change.SetRotation(axis, 1.1)
    elif kind == "moved":
        change.SetTranslation(gp_Vec(1000, -300, 7))
    elif kind == "mirrored":
        change.SetMirror(gp_Ax2(gp_Pnt(1, 2, 3), gp_Dir(1, 2, -1)))
    else:
        change.SetScale(gp_Pnt(1, 2, 3), 25.4)
    return BRepBuilderAPI_Transform(shape, change, True).Shape()


KINDS = ("mirrored", "moved", "scaled", "turned")


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """A part, its four copies, a part that differs a little, two solids that are nothing alike, and a broken file."""
    root = tmp_path_factory.mktemp("parts")
    write_step(root / "part.step", cornered())
    for kind in KINDS:
        write_step(root / f"{kind}.step", changed(cornered(), kind))
    write_step(root / "near.step", cornered(1.01))
    write_step(root / "two.step", box(1, 2, 3), changed(box(1, 2, 3.3), "turned"))
    (root / "bad.step").write_text("no STEP")
    return root


@pytest.fixture(scope="module")
def shards(parts, tmp_path_factory):
    out = tmp_path_factory.mktemp("parsed") / "shards"
    ok("parse", parts, "--out", out, "--workers", 1)
    return out


@pytest.fixture(scope="module")
def vectors(parts, tmp_path_factory):
    out = tmp_path_factory.mktemp("vectors") / "v.parquet"
    assert "8 vectors of solids" in ok("embed", parts, "--out", out, "--workers", 1)
    return out


def test_duplicates_are_found_whatever_was_done_to_them_and_nothing_else_is(parts, shards):
    for given in (parts, shards):
        said = json.loads(ok("duplicates", given, "--json", "--workers", 1))
        assert said["solids"] == 8
        assert [sorted(one["file"] for one in group) for group in said["groups"]] == [
            sorted(f"{name}.step" for name in ("part", *KINDS))
        ]
    assert "1 groups of equal solids among 8" in ok("duplicates", parts, "--workers", 1)


def test_the_same_bytes_are_duplicates_too(parts, tmp_path):
    for name in ("a.step", "b.step"):
        shutil.copy(parts / "part.step", tmp_path / name)
    assert "a.step solid 0, b.step solid 0" in ok("duplicates", tmp_path, "--workers", 1)


def test_equal_counts_and_lengths_in_another_arrangement_are_another_solid():
    graph = make_graph(6, seed=3)
    there, other = np.zeros((6, 3), np.float32), np.zeros((6, 3), np.float32)
    there[:, 0] = (-1, 1, -2, 2, -3, 3)
    other[:, 0] = (-1, 1, 0, 0, 0, 0)
    other[:, 1] = (0, 0, -2, 2, -3, 3)  # as far from the middle as before, not from one another
    area = np.ones(6, np.float32)
    one, two = (replace(graph, face_centroid_mm=where, face_area_mm2=area) for where in (there, other))
    assert groups([measured(one), measured(two)]) == []
    assert len(groups([measured(one), measured(two), measured(one)])) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_copy_is_nearest_and_a_similar_part_is_next(parts, shards, vectors, kind):
    for among in (shards, vectors):
        said = json.loads(ok("similar", parts / f"{kind}.step", "--in", among, "--top", 6, "--json"))
        near = said["each"][0]["near"]
        assert {one["file"] for one in near[:5]} == {"part.step", *(f"{name}.step" for name in KINDS)}
        assert near[4]["distance"] < 1e-4 < near[5]["distance"] and near[5]["file"] == "near.step"


def test_each_solid_of_a_file_is_asked_for(parts, vectors):
    text = ok("similar", parts / "two.step", "--in", vectors, "--top", 1)
    assert [line.split("  ")[-1] for line in text.splitlines()] == [
        "solid 0",
        "two.step solid 0",
        "solid 1",
        "two.step solid 1",
    ]


def test_more_are_asked_for_than_there_are():
    rows = Rows(["a", "b"], ["a", "b"], [0, 0], [None, None], np.array([[3, 4], [0, 0]], np.float32))
    near = Index(rows).nearest(np.zeros(2, np.float32), 9)
    assert [(one.uid, round(one.distance, 4)) for one in near] == [("b", 0.0), ("a", 3.5355)]


@pytest.mark.parametrize("of", ["face", "solid", "file"])
def test_vectors_are_a_table_that_others_can_read(parts, tmp_path, of):
    encoder = small_encoder(tmp_path / "encoder")
    out = tmp_path / "v.parquet"
    ok("embed", parts, "--of", of, "--encoder", encoder, "--out", out, "--workers", 1)
    table = pq.read_table(out)
    assert table.column_names == ["uid", "file", "solid", "face", "vector"]
    vector = table.schema.field("vector").type
    assert (vector.list_size, vector.value_type) == (48 if of == "face" else 144, pa.float32())
    two = [row for row in table.to_pylist() if row["file"] == "two.step"]
    expected = {
        "face": [(n, face) for n in range(2) for face in range(6)],
        "solid": [(0, None), (1, None)],
        "file": [(None, None)],
    }
    assert [(row["solid"], row["face"]) for row in two] == expected[of]
    done = run("similar", parts / "part.step", "--in", out)
    reason = "its vectors are of another encoder" if of == "solid" else f"vectors of {of}s; make those of solids"
    assert done.exit_code == 1 and reason in done.output, done.output
    if of == "solid":
        assert "part.step" in ok("similar", parts / "part.step", "--in", out, "--encoder", encoder)


def test_vectors_of_solids_with_other_columns_are_refused(parts, tmp_path):
    """Earlier versions kept the mean over a solid's faces alone."""
    encoder, out = small_encoder(tmp_path / "encoder"), tmp_path / "v.parquet"
    ok("embed", parts, "--encoder", encoder, "--out", out, "--workers", 1)
    rows, about = read_vectors(out)
    write_vectors(out, [replace(rows, x=rows.x[:, :48])], about)
    done = run("similar", parts / "part.step", "--in", out, "--encoder", encoder)
    assert done.exit_code == 1 and "48 columns, a solid's have 144; make them anew" in done.output, done.output


def test_vectors_of_shards_are_those_of_the_files(shards, vectors, tmp_path):
    ok("embed", shards, "--out", tmp_path / "v.parquet")
    one, two = (pq.read_table(path).sort_by("uid") for path in (vectors, tmp_path / "v.parquet"))
    assert one.equals(two) and one.schema.metadata == two.schema.metadata


def test_what_cannot_be_used_is_told_and_nothing_is_written(parts, vectors, tmp_path):
    (tmp_path / "x.parquet").write_bytes(vectors.read_bytes()[:-40])
    (tmp_path / "empty").mkdir()
    pq.write_table(pq.read_table(vectors).replace_schema_metadata({}), tmp_path / "other.parquet")
    for arguments, reason in (
        (("similar", parts / "part.step", "--in", tmp_path / "x.parquet"), "x.parquet: not a file of vectors"),
        (
            ("similar", parts / "part.step", "--in", tmp_path / "other.parquet"),
            "it does not say what its vectors are of",
        ),
        (("similar", parts / "part.step", "--in", tmp_path / "empty"), "no folder of shards; make one"),
        (("similar", parts / "bad.step", "--in", vectors), "bad.step: no solid can be read"),
        (("similar", parts / "none.step", "--in", vectors), "none.step: no such file"),
        (("duplicates", parts / "bad.step"), "no solid can be read"),
        (("embed", parts / "bad.step", "--out", tmp_path / "v.parquet"), "no solid could be read"),
        (("embed", parts, "--out", tmp_path / "v.parquet", "--encoder", tmp_path / "gone"), "no such file or folder"),
    ):
        done = run(*arguments)
        assert done.exit_code == 1 and reason in done.output, done.output
    assert not (tmp_path / "v.parquet").exists()


def test_a_copy_made_by_the_kernel_measures_the_same():
    both = [measured(graph_of(shape)) for shape in (cornered(), changed(cornered(), "mirrored"))]
    assert np.abs(both[0].sorted_lengths - both[1].sorted_lengths).max() < 1e-6
    assert groups(both) == [both]
