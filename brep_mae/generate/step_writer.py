"""Writes a solid as STEP with its face ids as face names, the same bytes at every run."""

import os
from pathlib import Path

from OCP.APIHeaderSection import APIHeaderSection_MakeHeader
from OCP.IFSelect import IFSelect_RetDone
from OCP.Interface import Interface_Static
from OCP.Message import Message, Message_Gravity
from OCP.StepBasic import StepBasic_Product
from OCP.STEPConstruct import STEPConstruct
from OCP.STEPControl import STEPControl_AsIs, STEPControl_Controller, STEPControl_Writer
from OCP.TCollection import TCollection_HAsciiString
from OCP.TopoDS import TopoDS_Solid

from brep_mae.generate.labelled import faces

FIXED_TIME = "2000-01-01T00:00:00"  # a real time stamp would make every run's files differ
PCURVES = "write.surfacecurve.mode"


def _text(value: str) -> TCollection_HAsciiString:
    return TCollection_HAsciiString(value)


def write_step(solid: TopoDS_Solid, path: Path) -> None:
    """Writes one solid in mm (AP214), complete or not at all.

    The ADVANCED_FACE of face i, in the order of `TopExp::MapShapes`, gets the name "i": a reader's order of faces
    may differ, so names are what joins labels to faces.
    """
    STEPControl_Controller.Init_s()  # defines the settings below
    Interface_Static.SetCVal_s("write.step.unit", "MM")
    for printer in Message.DefaultMessenger_s().Printers():
        printer.SetTraceLevel(Message_Gravity.Message_Fail)
    writer = STEPControl_Writer()
    Interface_Static.SetIVal_s(PCURVES, 0)  # they double the file, and readers make their own
    try:
        status = writer.Transfer(solid, STEPControl_AsIs)
    finally:
        Interface_Static.SetIVal_s(PCURVES, 1)  # the default: other writers look at it too, that of IGES among them
    if status != IFSelect_RetDone:
        raise RuntimeError(f"{path}: OCCT could not turn the solid into STEP entities")
    finder = writer.WS().TransferWriter().FinderProcess()
    for i, face in enumerate(faces(solid)):
        entity = STEPConstruct.FindEntity_s(finder, face)
        if entity is None:
            raise RuntimeError(f"{path}: face {i} was not written as an entity of its own; give it its own geometry")
        entity.SetName(_text(str(i)))
    model = writer.Model()
    entities = (model.Value(i + 1) for i in range(model.NbEntities()))
    product = next(entity for entity in entities if isinstance(entity, StepBasic_Product))
    product.SetName(_text(path.stem))  # OCCT's own name counts up within a process
    product.SetId(_text(path.stem))
    header = APIHeaderSection_MakeHeader(model)
    header.SetTimeStamp(_text(FIXED_TIME))
    header.SetName(_text(path.name))
    partial = path.with_suffix(".partial")
    if writer.Write(str(partial)) != IFSelect_RetDone:
        raise RuntimeError(f"{path}: OCCT could not write the file; check the free space of its disk")
    os.replace(partial, path)
