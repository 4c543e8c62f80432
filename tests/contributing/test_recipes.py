"""The recipes of CONTRIBUTING.md, carried out one after another in a copy of the repository."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.brep.solids import box, write_step

COPIED = ("brep_mae", "pipelines", "tests", "params.yaml", "dvc.yaml", "pyproject.toml")
SETTINGS = {"params.yaml", "dvc.yaml"}
RECIPE = re.compile(r"^### (.+?)\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```(\w+) ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

PLATE = """
import numpy as np
from OCP.BRep import BRep_Builder
from OCP.GeomPlate import GeomPlate_BuildPlateSurface, GeomPlate_PointConstraint
from OCP.gp import gp_Pnt
from OCP.TopoDS import TopoDS_Face

from brep_mae.brep.geometry.surfaces import Surfaces
from brep_mae.schema import SURFACE_TYPES

plate = GeomPlate_BuildPlateSurface(3, 15, 2)
for corner in ((0, 0, 0), (10, 0, 1), (0, 10, 1), (10, 10, 0)):
    plate.Add(GeomPlate_PointConstraint(gp_Pnt(*corner), 0))
plate.Perform()
face = TopoDS_Face()
BRep_Builder().MakeFace(face, plate.Surface(), 1e-6)
surfaces = Surfaces([face])
points, _ = surfaces.evaluate(np.array([0]), np.array([[1.0, 2.0]]))
assert np.allclose(points, plate.Surface().Value(1, 2).Coord())
print(SURFACE_TYPES[surfaces.kind[0]])
"""


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file that its first line names ("" where none), and its text."""

    language: str
    file: str
    text: str


def blocks(recipe: str) -> list[Block]:
    text = dict(RECIPE.findall(Path("CONTRIBUTING.md").read_text()))[recipe]
    return [Block(*found) for found in BLOCK.findall(text)]


def apply(block: Block, copy: Path) -> None:
    """Writes a new file, or replaces lines of one; what a diff takes away or keeps must stand in the file once."""
    path = copy / block.file
    if block.language == "python":
        assert not path.exists(), f"{block.file} is there already"
        path.write_text(block.text)
        return
    lines = block.text.splitlines(keepends=True)
    before = "".join(line[1:] for line in lines if line[0] in " -")
    after = "".join(line[1:] for line in lines if line[0] in " +")
    text = f"\n{path.read_text()}"
    assert text.count(f"\n{before}") == 1, f"{block.file} has not just once:\n{before}"
    path.write_text(text.replace(f"\n{before}", f"\n{after}")[1:])


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The repository with every recipe applied, and four parts of two families in it."""
    folder = tmp_path_factory.mktemp("recipes")
    for name in COPIED:
        (shutil.copytree if Path(name).is_dir() else shutil.copy2)(name, folder / name)
    for recipe in RECIPES:
        for block in blocks(recipe):
            if block.file:
                apply(block, folder)
    for family in ("plates", "rods"):
        (folder / "my_parts" / family).mkdir(parents=True)
        for size in (1, 2):
            write_step(folder / "my_parts" / family / f"{size}.step", box(size, 2, 3 if family == "plates" else 30))
    yield folder
    shutil.rmtree(folder)


def run(copy: Path, *command: str) -> str:
    """What a command says that runs in the copy, with the copy's code."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = os.environ | {"PYTHONPATH": str(copy), "PATH": path}
    done = subprocess.run(command, cwd=copy, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


RECIPES = {
    "A method": {"brep_mae/pretext/mae_regions.py"},
    "A target": {"brep_mae/targets/flatness.py", "brep_mae/pretext/mae_regions.py"},
    "A data set": {"brep_mae/datasets/adapters/families.py"},
    "A head": {"brep_mae/fewshot/heads/nearest.py"},
    "A surface type": {"brep_mae/schema.py", "brep_mae/brep/geometry/surfaces.py"},
    "A command": {"brep_mae/cli/count.py", "brep_mae/cli/__init__.py"},
}
"""Recipe -> the code that it touches."""


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_touches_the_stated_files_and_settings_alone(recipe: str) -> None:
    assert {block.file for block in blocks(recipe) if block.file} - SETTINGS == RECIPES[recipe]


@pytest.mark.parametrize("recipe", ["A method", "A data set", "A head"])
def test_a_plugin_is_one_new_file_and_settings(recipe: str) -> None:
    code = [block for block in blocks(recipe) if block.file and block.file not in SETTINGS]
    assert [block.language for block in code] == ["python"]


def test_every_recipe_is_carried_out() -> None:
    assert list(RECIPES) == [name for name, _ in RECIPE.findall(Path("CONTRIBUTING.md").read_text())]


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ("A method", " passed"),
        ("A target", " passed"),
        ("A data set", "4 solids"),
        ("A head", "1 passed"),
        ("A command", ".step  4"),
    ],
)
def test_what_a_recipe_runs_works(copy: Path, recipe: str, said: str) -> None:
    (script,) = (block.text for block in blocks(recipe) if block.language == "sh")
    assert said in run(copy, "sh", "-e", "-c", script)


def test_a_named_surface_type_is_stored_by_its_name(copy: Path) -> None:
    assert run(copy, sys.executable, "-c", PLATE) == "plate\n"


def test_the_new_code_is_clean(copy: Path) -> None:
    """Lint and the import contract hold for the code of the recipes too."""
    run(copy, "ruff", "check", "brep_mae", "pipelines")
    run(copy, "ruff", "format", "--check", "brep_mae", "pipelines")
    run(copy, "lint-imports", "--no-cache")
