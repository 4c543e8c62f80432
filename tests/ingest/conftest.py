"""Data sets of so few files that they make several shards."""

from collections.abc import Iterator

import pytest

from brep_mae.ingest import chunks


@pytest.fixture(scope="module")
def two_files_a_shard() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "FILES_PER_SHARD", 2)
        yield
