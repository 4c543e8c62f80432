"""Which files are CAD files, by their names."""

from pathlib import Path

STEP = (".step", ".stp", ".p21")
PACKED_STEP = (".stpz", ".step.gz", ".stp.gz")
IGES = (".iges", ".igs")
BREP = (".brep", ".brp")
SUFFIXES = (*STEP, *PACKED_STEP, *IGES, *BREP)


def suffix_of(path: Path) -> str:
    """The suffix among SUFFIXES in lower case, two-part ones included; "" where the file has none of them."""
    name = path.name.lower()
    return next((suffix for suffix in SUFFIXES if name.endswith(suffix)), "")


def is_cad_file(path: Path) -> bool:
    """True for a file whose suffix is known, whatever its case."""
    return suffix_of(path) != "" and path.is_file()
