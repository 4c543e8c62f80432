"""Every test runs from the repository's top folder, quietly and on one thread per process."""

from pathlib import Path

import pytest
import torch

TOP = Path(__file__).parent.parent
SHARED = TOP.parent / "shared" / "data"


@pytest.fixture(autouse=True)
def _from_the_top(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(TOP)
    torch.manual_seed(0)
    torch.set_num_threads(1)  # the tensors are tiny, and the cores may be busy


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real data beside the checkout; tests that need it are skipped where it is missing."""
    if not SHARED.is_dir():
        pytest.skip(f"real data is missing: no folder {SHARED.parent.name}/data beside the checkout")
    return SHARED
