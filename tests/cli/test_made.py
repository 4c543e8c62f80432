"""`brep-mae generate` and `brep-mae render`: parts with their labels, and pictures of them."""

import csv
import json
from pathlib import Path

import pytest
from PIL import Image

from brep_mae.brep.render.pool import RenderOptions
from brep_mae.brep.workers.pool import run_files
from brep_mae.brep.workers.trial import write_and_read_box
from brep_mae.datasets.labelling.labels import labels_of
from brep_mae.datasets.shards import open_shards
from tests.cli.small_tasks import ok, run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "parts"
    ok("generate", "--kind", "machined", "--count", 3, "--seed", 5, "--workers", 1, "--out", out)
    return out


def test_every_face_gets_the_class_that_it_was_made_with(made: Path, tmp_path: Path) -> None:
    """Faces are written with their number as name, which labels.csv does not read; so it can be held against them."""
    ok("parse", made, "--out", tmp_path / "shards", "--workers", 1, "--grid", 4)
    labels = labels_of(tmp_path / "shards")
    lines = (made / "labels.jsonl").read_text().splitlines()
    meant = {line["file"]: line["faces"] for line in map(json.loads, lines)}
    graphs = list(open_shards(tmp_path / "shards"))
    assert len(graphs) == 3
    for graph in graphs:
        faces = meant[graph.file]
        assert [labels.face_classes[label] for label in labels.solids[graph.uid].faces] == [
            faces[int(name)] for name in graph.face_name
        ]
    with (made / "labels.csv").open() as file:
        assert len({row["class"] for row in csv.DictReader(file) if not row["face"]}) > 1


def test_the_same_seed_makes_the_same_folder_and_what_is_not_ours_stays(made: Path, tmp_path: Path) -> None:
    again = ("generate", "--kind", "machined", "--count", 3, "--seed", 5, "--workers", 1, "--out", tmp_path / "parts")
    ok(*again)
    for name in ("labels.csv", "step/000002.step"):
        assert (tmp_path / "parts" / name).read_bytes() == (made / name).read_bytes()
    (tmp_path / "parts" / "mine.txt").touch()
    refused = run(*again)
    assert refused.exit_code == 1 and "mine.txt" in refused.output
    assert run("generate", "--kind", "nonsense", "--count", 1, "--out", tmp_path / "none").exit_code == 2


def test_pictures_show_the_part_and_a_bad_file_costs_itself(made: Path, tmp_path: Path) -> None:
    (made.parent / "bad.step").write_text("no STEP")
    files = made / "step" / "000000.step", made.parent / "bad.step"
    said = run("render", *files, "--out", tmp_path / "pictures", "--views", 2, "--size", 48, "--workers", 1, "--json")
    about = json.loads(said.stdout)
    assert about["solids"] == 1 and [each["file"] for each in about["left_out"]] == ["bad.step"]
    shown = sorted((tmp_path / "pictures").rglob("*.png"))
    assert [path.name for path in shown] == ["000000.step-0-0.png", "000000.step-0-1.png"]
    assert all(Image.open(path).size == (48, 48) and len(Image.open(path).getcolors(9999)) > 5 for path in shown)


def test_where_nothing_can_be_drawn_no_folder_is_made(tmp_path: Path) -> None:
    (tmp_path / "bad.step").write_text("no STEP")
    done = run("render", tmp_path / "bad.step", "--out", tmp_path / "pictures", "--workers", 1)
    assert done.exit_code == 1 and "bad.step" in done.output and not (tmp_path / "pictures").exists()


def test_the_kernel_is_tried_by_a_box_of_six_faces(tmp_path: Path) -> None:
    options = RenderOptions(1, 32, 60.0, 4000, split_closed=False)
    assert next(run_files([tmp_path / "box.step"], options, 1, write_and_read_box))[1] == 6
