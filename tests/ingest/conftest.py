"""Data sets of so few files that they make several shards, and where they lie."""

import logging
from collections.abc import Iterator
from multiprocessing.util import get_temp_dir
from pathlib import Path
from urllib.request import urlopen

import fsspec
import pytest
from click.testing import CliRunner, Result

from brep_mae.cli import main
from brep_mae.ingest import chunks

SECRET = "not-to-be-told"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def ok(*arguments: object) -> Result:
    done = run(*arguments)
    assert done.exit_code == 0, done.output
    return done


@pytest.fixture(scope="module")
def two_files_a_shard() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "FILES_PER_SHARD", 2)
        yield


@pytest.fixture(scope="module")
def s3() -> Iterator[fsspec.AbstractFileSystem]:
    """A server of S3 on this machine, with an empty bucket `store`."""
    server = pytest.importorskip("moto.server", reason="moto is not installed")
    moto = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    host, port = moto.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "ACCESS_KEY_ID": "anyone",
            "SECRET_ACCESS_KEY": SECRET,
            "DEFAULT_REGION": "us-east-1",
            "ENDPOINT_URL": f"http://{host}:{port}",
        }.items():
            patch.setenv(f"AWS_{name}", value)
        fs = fsspec.filesystem("s3", use_listings_cache=False)
        urlopen(f"http://{host}:{port}/moto-api/reset", data=b"").close()  # its buckets outlive a server
        fs.mkdir("store")
        yield fs
        fs.clear_instance_cache()
    moto.stop()


@pytest.fixture
def scratch(tmp_path, monkeypatch) -> Path:
    """Where temporary folders lie."""
    get_temp_dir()  # that of worker processes outlives a test
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"
