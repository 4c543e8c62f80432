"""Commands on small parts, and a small encoder for them."""

from pathlib import Path

import torch
from click.testing import CliRunner, Result
from OCP.BRepPrimAPI import BRepPrimAPI_MakeCylinder
from OCP.TopoDS import TopoDS_Shape

from brep_mae.checkpoints.backbones import save_backbone
from brep_mae.cli import main
from brep_mae.composition.pretext import DataSpec, build
from tests.brep.solids import box

PARTS = 30


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def ok(*arguments: object) -> str:
    done = run(*arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def box_or_cylinder(i: int) -> TopoDS_Shape:
    return BRepPrimAPI_MakeCylinder(1 + i / 10, 2 + i / 7).Shape() if i % 2 else box(1 + i / 10, 2, 3 + i / 7)


def small_encoder(folder: Path, grid: int = 4) -> Path:
    spec = DataSpec(grid=grid, frame=0)
    values = {"steps": 1, "batch": 1, "lr": 0.1, "dim": 16, "depth": 2, "dropout": 0.0, "mask_ratio": 0.3}
    values["weights"] = {"invariants.scalars": 1.0}
    torch.manual_seed(0)
    backbone = build("attribute_masking", values, spec).backbone()
    save_backbone(folder, backbone, "attribute_masking", values, spec, "digest")
    return folder


def asked(parts: Path, tasks: Path, name: str) -> str:
    return ok("predict", parts / "00.step", parts / f"{PARTS - 1:02d}.step", "--tasks", tasks, "--task", name, "--json")
