"""Lengths are millimetres, whatever the unit that a file states."""

import pytest
from OCP.IFSelect import IFSelect_RetDone
from OCP.IGESControl import IGESControl_Writer
from OCP.Interface import Interface_Static
from OCP.STEPControl import STEPControl_AsIs, STEPControl_Writer
from OCP.TopAbs import TopAbs_SHELL

from brep_mae.brep.read.solids import subshapes
from brep_mae.brep.read.step import read_solids, silence
from tests.brep.read.kernel_measures import longest_side, volume
from tests.brep.solids import box, write_step


def test_lengths_are_millimetres_whatever_the_unit_of_the_file(tmp_path):
    (inch,) = read_solids(write_step(tmp_path / "inch.step", box(25.4, 50.8, 10), unit="INCH"))
    (mm,) = read_solids(write_step(tmp_path / "mm.step", box(25.4, 50.8, 10)))
    assert (inch.unit_mm, mm.unit_mm) == (25.4, 1.0)
    assert "INCH" in (tmp_path / "inch.step").read_text()
    assert longest_side(inch.shape) == pytest.approx(50.8, abs=1e-5)


@pytest.mark.parametrize("prefix, mm", [("MICRO", 1e-3), ("CENTI", 10.0), ("KILO", 1e6)])
def test_prefixed_units(tmp_path, prefix, mm):
    path = write_step(tmp_path / "unit.step", box(1, 2, 3))
    path.write_text(path.read_text().replace("SI_UNIT(.MILLI.", f"SI_UNIT(.{prefix}."))
    (solid,) = read_solids(path)
    assert solid.unit_mm == pytest.approx(mm)
    assert volume(solid.shape) == pytest.approx(6 * mm**3)


def test_a_unit_with_a_name_of_its_own_counts_by_its_factor(tmp_path):
    path = write_step(tmp_path / "ell.step", box(25.4, 25.4, 25.4), unit="INCH")
    path.write_text(path.read_text().replace("'INCH'", "'ELL'").replace("UNIT(25.4", "UNIT(600."))
    (solid,) = read_solids(path)
    assert solid.unit_mm == pytest.approx(600)
    assert volume(solid.shape) == pytest.approx(600**3)


@pytest.mark.parametrize("name, mm", [("INCH", 1.0), ("MILLIMETRE", 25.4), ("METRE", 0.5)])
def test_the_factor_of_a_unit_counts_and_not_its_name(tmp_path, name, mm):
    path = write_step(tmp_path / "unit.step", box(25.4, 50.8, 76.2), unit="INCH")
    path.write_text(path.read_text().replace("'INCH'", f"'{name}'").replace("UNIT(25.4", f"UNIT({mm}"))
    (solid,) = read_solids(path)
    assert solid.unit_mm == pytest.approx(mm)
    assert volume(solid.shape) == pytest.approx(6 * mm**3)


@pytest.mark.parametrize("kind", [0, 1])  # shells outside a solid; solids
def test_every_root_has_its_own_unit(tmp_path, kind):
    silence()
    writer = STEPControl_Writer()
    for unit in ("MM", "INCH", "M"):
        Interface_Static.SetCVal_s("write.step.unit", unit)
        shape = box(1, 2, 3)
        writer.Transfer(shape if kind else next(subshapes(shape, TopAbs_SHELL)), STEPControl_AsIs)
    Interface_Static.SetCVal_s("write.step.unit", "MM")
    assert writer.Write(str(tmp_path / "units.step")) == IFSelect_RetDone
    solids = read_solids(tmp_path / "units.step")
    assert [solid.unit_mm for solid in solids] == pytest.approx([1, 25.4, 1000])
    for solid in solids:  # the writer does not convert the second root and those behind it
        assert volume(solid.shape) in (pytest.approx(6), pytest.approx(6 * solid.unit_mm**3))


@pytest.mark.parametrize("unit, mm", [("MM", 1.0), ("IN", 25.4), ("M", 1000.0)])
@pytest.mark.parametrize("kind", [0, 1])  # loose faces, which are sewn; a solid
def test_iges_in_any_unit(tmp_path, unit, mm, kind):
    writer = IGESControl_Writer(unit, kind)
    writer.AddShape(box(25.4, 50.8, 10))
    writer.ComputeModel()
    assert writer.Write(str(tmp_path / "part.IGS"))
    (solid,) = read_solids(tmp_path / "part.IGS")
    assert solid.unit_mm == pytest.approx(mm)
    assert volume(solid.shape) == pytest.approx(25.4 * 50.8 * 10, rel=1e-6)
