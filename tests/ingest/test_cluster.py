"""Parsing by tasks that may be lost, with a stand-in for Ray that loses them at will; `test_ray` has a real cluster."""

import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from brep_mae.datasets.source import open_source
from brep_mae.ingest import cluster
from brep_mae.ingest.cluster import fill_on_cluster
from brep_mae.ingest.dataset import parse_dataset
from tests.brep.solids import box, write_step
from tests.ingest.test_dataset import PARSE, SPLIT, content

FILES, BAD = 24, "7.step"

pytestmark = pytest.mark.usefixtures("two_files_a_shard")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Boxes, and one file that is no STEP file."""
    root = tmp_path_factory.mktemp("steps")
    for i in range(FILES):
        write_step(root / f"{i}.step", box(1, 2, i + 1))
    (root / BAD).write_text("no STEP")
    return open_source("solids", str(root), 0, root)


@pytest.fixture(scope="module")
def whole(source, tmp_path_factory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("whole") / "out"
    parse_dataset(source, out, PARSE, SPLIT, 1)
    return content(out)


class Lost(Exception):
    """What Ray says of a task whose node is gone."""


class TaskError(Lost):
    """What Ray says of a task that raised an error."""

    def __init__(self, cause: BaseException) -> None:
        self.cause = cause


class StandIn:
    """What is used of Ray, in this process: a task runs when it is asked for; the first `losing` end half-way."""

    exceptions = SimpleNamespace(RayError=Lost, RayTaskError=TaskError)

    def __init__(self, cpus: list[int], losing: int = 0, finished: int = 1, loss: BaseException | None = None) -> None:
        self.cpus, self.losing, self.finished = cpus, losing, finished
        self.loss = loss or Lost("the node died")
        self.given: list[tuple] = []

    def init(self, **_):
        return nullcontext()

    def nodes(self):
        return [{"Alive": True, "Resources": {"CPU": float(cpus)}} for cpus in self.cpus]

    def remote(self, num_cpus, max_retries):
        assert max_retries == 0
        return lambda task: SimpleNamespace(remote=partial(self.give, task))

    def give(self, *call) -> int:
        self.given.append(call)
        return len(self.given) - 1

    def wait(self, references, timeout):
        return references[:1], references[1:]

    def get(self, reference):
        task, share, *rest = self.given[reference]
        self.losing -= 1
        try:
            if self.losing < 0:
                return task(share, *rest)
            if some := dict(list(share.items())[: self.finished]):
                task(some, *rest)
        except RuntimeError as error:
            raise TaskError(error) from None
        raise self.loss


def parse_with(ray: StandIn, source, out: Path, monkeypatch, workers: int = 1):
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setitem(sys.modules, "ray.exceptions", ray.exceptions)
    return parse_dataset(source, out, PARSE, SPLIT, workers, fill=partial(fill_on_cluster, "auto"))


def shares(ray: StandIn) -> list[int]:
    """Shards of each task that was given out."""
    return [len(share) for _, share, *_ in ray.given]


def test_what_lost_tasks_left_is_given_out_again_and_nothing_else(source, whole, tmp_path, monkeypatch):
    ray = StandIn([1], losing=3)
    report = parse_with(ray, source, tmp_path / "out", monkeypatch)
    assert content(tmp_path / "out") == whole and report.solids == FILES - 1
    assert shares(ray) == [3, 3, 3, 3, 2, 2, 2], "each of three had finished one of its shards"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_run_that_was_killed_takes_up_what_its_tasks_had_finished(source, whole, tmp_path, monkeypatch):
    with pytest.raises(KeyboardInterrupt):
        parse_with(StandIn([1], losing=1, loss=KeyboardInterrupt()), source, tmp_path / "out", monkeypatch)
    ray = StandIn([1])
    parse_with(ray, source, tmp_path / "out", monkeypatch)
    assert sum(shares(ray)) == 11 and content(tmp_path / "out") == whole


@pytest.mark.parametrize(
    "ray, workers, words",
    [
        (StandIn([1], losing=99, finished=0), 1, "a task was lost 3 times: the node died; remedy: fewer --workers"),
        (StandIn([2, 1]), 4, "no node of the cluster has 4 CPUs, the most is 2; remedy: --workers with a smaller"),
        (StandIn([]), 1, "no node of the cluster has 1 CPUs, the most is 0"),
    ],
)
def test_a_cluster_that_cannot_do_it_is_told(source, tmp_path, monkeypatch, ray, workers, words):
    with pytest.raises(RuntimeError, match=words):
        parse_with(ray, source, tmp_path / "out", monkeypatch, workers)
    assert not (tmp_path / "out").exists()


def test_nodes_with_other_files_or_code_do_not_reject_what_they_cannot_see(source, tmp_path, monkeypatch):
    seen = cluster.os.path.lexists
    monkeypatch.setattr(cluster.os.path, "lexists", lambda path: not str(path).endswith("11.step") and seen(path))
    with pytest.raises(RuntimeError, match=r"11.step: not seen by node .*; remedy: keep files and"):
        parse_with(StandIn([1]), source, tmp_path / "out", monkeypatch)
    monkeypatch.undo()
    codes = iter(["ours", *["theirs"] * 9])
    monkeypatch.setattr(cluster, "code", lambda: next(codes))
    with pytest.raises(RuntimeError, match=r"has another version of brep-mae .*remedy: install the same on all"):
        parse_with(StandIn([1]), source, tmp_path / "out", monkeypatch)
