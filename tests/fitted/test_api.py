"""The package from Python."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

import brep_mae
from brep_mae.processes import REASON
from tests.brep.solids import box, write_step
from tests.cli.small_tasks import box_or_cylinder


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("my parts")
    for i in range(6):
        write_step(folder / f"{i}.step", box_or_cylinder(i))
    lines = [f"{i}.step,{'shaft' if i % 2 else 'block'}" for i in range(4)]
    (folder / "labels.csv").write_text("file,class\n" + "\n".join(lines) + "\n")
    return folder


def test_a_file_is_read_and_embedded(parts):
    part = brep_mae.read(parts / "1.step")
    assert [solid.n_faces for solid in part.solids] == [3] and "3 faces" in repr(part)
    encoder = brep_mae.load("label_free")
    vectors, faces = encoder.embed(part), encoder.embed_faces(part)
    assert vectors.shape[0] == 1 and faces[0].shape[0] == 3 and np.isfinite(vectors).all()
    np.testing.assert_array_equal(vectors, encoder.embed(brep_mae.read(parts / "1.step")))


def test_a_model_is_fitted_and_asked(parts, tmp_path):
    model = brep_mae.fit(parts, out=tmp_path / "model")
    assert (model.unit, model.classes) == ("solid", ("block", "shaft")) and model.report["files"] == 4
    again = brep_mae.load(tmp_path / "model")
    for i, name in ((4, "block"), (5, "shaft")):
        (said,) = again.predict(parts / f"{i}.step")
        assert said.whole is not None and said.whole.name == name and said.file == f"{i}.step"


def test_what_cannot_be_read_or_loaded_is_told(tmp_path):
    (tmp_path / "bad.step").write_text("no STEP")
    with pytest.raises(ValueError, match=r"unreadable: bad\.step"):
        brep_mae.read(tmp_path / "bad.step")
    with pytest.raises(ValueError, match=r"unheard_of: no such file or folder, nor .* \(.*label_free.*\)"):
        brep_mae.load("unheard_of")
    with pytest.raises(AttributeError, match="has no attribute 'unheard_of'"):
        brep_mae.unheard_of  # noqa: B018


def test_a_script_without_a_main_guard_is_refused_with_the_reason(tmp_path):
    write_step(tmp_path / "part.step", box(1, 2, 3))
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent('import brep_mae\nprint(brep_mae.read("part.step"))\n'))
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode != 0 and REASON in done.stderr, done.stderr


def test_the_package_itself_loads_nothing(tmp_path):
    code = "import sys, brep_mae; assert not {'torch', 'OCP', 'numpy'} & set(sys.modules); print(dir(brep_mae))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "'read'" in done.stdout
