import os

import pytest

from pipelines.shared.jobs import THREADS, run_jobs


def threads() -> list[dict[str, int]]:
    """Of everything in the process that starts threads of its own."""
    import sklearn.linear_model  # noqa: F401  brings the linear algebra of numpy and scipy, and OpenMP
    import torch
    from threadpoolctl import threadpool_info

    pools = [pool["num_threads"] for pool in threadpool_info()]
    return [{"pools": len(pools), "most": max([torch.get_num_threads(), *pools])}]


def fails() -> list[dict[str, int]]:
    raise ValueError("this job is done already")


def test_a_job_has_one_thread_and_is_done_once(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    [[row]] = run_jobs(threads, {"a": ()}, tmp_path, 1, "jobs").values()
    assert row["pools"] > 1 and row["most"] == 1
    assert [os.environ.get(name) for name in THREADS] == ["2", None]
    assert run_jobs(fails, {"a": ()}, tmp_path, 1, "jobs") == {"a": [row]}
    with pytest.raises(ValueError, match="done already"):
        run_jobs(fails, {"b": ()}, tmp_path, 1, "jobs")
