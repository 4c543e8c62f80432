"""Solids and what is said of them -> the text of a STEP file."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from OCP.IFSelect import IFSelect_RetDone
from OCP.Interface import Interface_Static
from OCP.STEPCAFControl import STEPCAFControl_Writer
from OCP.STEPControl import STEPControl_AsIs

from brep_mae.brep.kernel_errors import as_reject
from brep_mae.brep.reject import Reject
from brep_mae.brep.write.document import Said, coloured
from brep_mae.palette import Color


def step_file(path: Path, entries: Sequence[Said], colors: Mapping[str, Color]) -> bytes:
    """STEP in mm: where faces have classes, each is an ADVANCED_FACE of that name and colour; where solids have, they.

    Args:
        path: the file that the solids are of.

    Raises:
        Reject: not_written, where the kernel refuses.
    """
    with as_reject(path.name):
        writer = STEPCAFControl_Writer()
        for setting in ("write.stepcaf.subshapes.name", "write.step.assembly"):
            Interface_Static.SetIVal_s(setting, 1)  # no such setting before there is a writer
        text = io.BytesIO()
        if (
            not writer.Transfer(coloured(path.name, entries, colors), STEPControl_AsIs)
            or writer.WriteStream(text) != IFSelect_RetDone
        ):
            raise Reject("not_written", f"{path.name}: the kernel can't write it as STEP")
    return text.getvalue()
