"""Are the system libraries of the CAD kernel there? `python -m brep_mae.brep.workers.system` answers in one line."""

import re
import sys

DEBIAN_PACKAGES = {
    "libGL.so": "libgl1",
    "libEGL.so": "libegl1",
    "libGLX.so": "libglx0",
    "libOSMesa.so": "libosmesa6",
    "libXrender.so": "libxrender1",
    "libXext.so": "libxext6",
    "libX11.so": "libx11-6",
    "libXcursor.so": "libxcursor1",
    "libXft.so": "libxft2",
    "libXinerama.so": "libxinerama1",
    "libXfixes.so": "libxfixes3",
    "libSM.so": "libsm6",
    "libICE.so": "libice6",
    "libfontconfig.so": "libfontconfig1",
    "libfreetype.so": "libfreetype6",
    "libexpat.so": "libexpat1",
    "libgomp.so": "libgomp1",
}


def explain(error: ImportError) -> str:
    """One line: what is missing and how to get it."""
    text = " ".join(str(error).split())
    if found := re.search(r"(lib[\w+-]+\.so)[.\d]*", text):
        package = DEBIAN_PACKAGES.get(found[1])
        remedy = f"apt-get install {package}" if package else f"install the Debian package that holds {found[1]}"
        return f"the CAD kernel needs the system library {found[0]}; remedy: {remedy}"
    if "OCP" in text:
        return f"the CAD kernel cannot be imported ({text}); remedy: pip install 'cadquery-ocp>=7.9.3.1,<8'"
    return f"{text}; remedy: pip install --editable . in the top folder of the repository"


def main() -> int:
    try:
        import OCP.STEPControl  # noqa: F401
        import vtkmodules.vtkRenderingOpenGL2  # noqa: F401
    except ImportError as error:
        print(explain(error), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
