"""The wheel and the source distribution hold all of the package, also what is no Python, and nothing beside it; what
it imports is installed with it."""

import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import grimp
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

SCRIPT = "import sys; from setuptools import build_meta as b; out = sys.argv[1]; b.build_sdist(out); b.build_wheel(out)"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both distributions, made from a copy of the repository."""
    copy, out = (tmp_path_factory.mktemp(name) for name in ("copy", "built"))
    names = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True).stdout.splitlines()
    for name in names:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(name, copy / name)
    subprocess.run([sys.executable, "-W", "ignore", "-c", SCRIPT, out], cwd=copy, check=True, capture_output=True)
    return out


def package() -> set[str]:
    return {
        path.as_posix()
        for path in Path("brep_mae").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }


def test_the_wheel_is_the_package(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == package()
    assert zipfile.ZipFile(wheel).read("brep_mae/params.yaml") == Path("params.yaml").read_bytes(), "one set of numbers"


def test_the_source_distribution_holds_the_package_and_what_is_said_of_it(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        names = {name.partition("/")[2] for name in tar.getnames() if tar.getmember(name).isfile()}
    assert package() <= names
    assert {"LICENSE", "README.md", "CHANGELOG.md", "CITATION.cff", "pyproject.toml"} <= names
    assert not [name for name in names if name.startswith(("tests/", "studies/", "benchmarks/"))]


def test_what_the_package_imports_is_installed_with_it_or_with_an_extra() -> None:
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    extras = [line for name, lines in project["optional-dependencies"].items() if name != "dev" for line in lines]
    declared = project["dependencies"] + extras
    installed = {canonicalize_name(Requirement(line).name) for line in declared}
    modules = grimp.build_graph("brep_mae", include_external_packages=True, cache_dir=None).modules
    imported = {name.partition(".")[0] for name in modules} - {"brep_mae"} - set(sys.stdlib_module_names)
    distributions = packages_distributions()
    missing = {
        name for name in imported if not installed & {canonicalize_name(of) for of in distributions.get(name, [name])}
    }
    assert not missing
