import subprocess
import sys

import pytest

from brep_mae.brep.workers.system import explain


@pytest.mark.parametrize(
    "message, package",
    [
        ("libGL.so.1: cannot open shared object file: No such file or directory", "libgl1"),
        ("libEGL.so.1: cannot open shared object file", "libegl1"),
        ("libXrender.so.1: cannot open shared object file", "libxrender1"),
    ],
)
def test_a_missing_library_is_one_line_with_its_package(message, package):
    line = explain(ImportError(message))
    assert line.endswith(f"apt-get install {package}")
    assert message.split(":")[0] in line and "\n" not in line


def test_an_unknown_library_is_still_named():
    assert "libfoo.so.3" in explain(ImportError("libfoo.so.3: cannot open\nshared object file"))


def test_a_missing_kernel_names_the_right_package():
    assert "cadquery-ocp" in explain(ModuleNotFoundError("No module named 'OCP'"))


def test_the_check_ends_with_1_and_one_line_where_a_library_is_missing(tmp_path):
    (tmp_path / "OCP").mkdir()
    (tmp_path / "OCP" / "__init__.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file')")
    first = f"import sys; sys.path.insert(0, {str(tmp_path)!r})"
    code = f"{first}; from brep_mae.brep.workers.system import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines() == [
        "the CAD kernel needs the system library libGL.so.1; remedy: apt-get install libgl1"
    ]
