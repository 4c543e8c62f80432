"""Parts, shards, an encoder and a folder of tasks, made by the commands once for each file of tests."""

import json
import re
from pathlib import Path

import pytest

from tests.brep.solids import write_step
from tests.cli.small_tasks import PARTS, box_or_cylinder, ok, small_encoder


@pytest.fixture(scope="module")
def parts(tmp_path_factory) -> Path:
    """Boxes and cylinders; labels.csv names the class of each but the last part, and of its faces. The files have the
    same bytes at every run, without the time and the count of parts that the kernel writes: they say what is held
    out."""
    root = tmp_path_factory.mktemp("parts")
    lines = ["file,solid,face,class"]
    for i in range(PARTS):
        name = f"{i:02d}.step"
        text = write_step(root / name, box_or_cylinder(i)).read_text()
        (root / name).write_text(re.sub(r"\d{4}(-\d\d){2}T[\d:]+|(?<=translator) [\d. ]+", "", text))
        if i == PARTS - 1:
            break
        faces = json.loads(ok("inspect", root / name, "--json"))["each"][0]["each_face"]
        lines.append(f"{name},,,{'shaft' if i % 2 else 'block'}")
        lines += [f"{name},0,{f['face']},{'flat' if f['surface'] == 'plane' else 'curved'}" for f in faces]
    (root / "labels.csv").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture(scope="module")
def shards(parts, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("parsed") / "shards"
    ok("parse", parts, "--out", out, "--workers", 1, "--grid", 4)
    return out


@pytest.fixture(scope="module")
def encoder(tmp_path_factory) -> Path:
    """A small network of a method, as a checkpoint holds it."""
    return small_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def tasks(shards, encoder, tmp_path_factory) -> Path:
    """A folder with the task `surface`."""
    folder = tmp_path_factory.mktemp("store") / "tasks"
    ok("task", "add", "surface", "--tasks", folder, "--data", shards, "--encoder", encoder, "--steps", 30)
    return folder
