"""A solid of as many faces as the parser lets through is read in bounded memory; its numbers are those of a small one.

Tables of faces by faces or of faces by points would need several GB each here.
"""

import subprocess
import sys

import numpy as np
import pytest

from brep_mae.datasets import loader
from brep_mae.datasets.content import FACES
from brep_mae.datasets.from_graph import from_graph
from brep_mae.datasets.shards import write_shard
from brep_mae.features.invariants import FACE_SCALARS, invariants
from tests.plates import plate
from tests.synthetic import make_graph

MB = 1 << 20
START = f"""
import resource
from tests.plates import plate

def at_most(megabytes):
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + megabytes * {MB}, -1))
"""
READ = """
from brep_mae.datasets.from_graph import from_graph
from tests.synthetic import make_graph

for graph in (plate(16_000), make_graph(10_000, grid=10)):
    at_most(700)
    assert from_graph(graph).where.isfinite().all()
"""
LEARN = """
import sys, torch
from brep_mae import settings
from brep_mae.datasets.batch import Batch, collate
from brep_mae.datasets.from_graph import from_graph
from brep_mae.composition.pretext import DataSpec, build
from brep_mae.seeds import generator
from tests.synthetic import make_frames

name, few = sys.argv[1], [20, 9, 14]
sizes = [16_000, *few]
frames = make_frames(sizes, 1, 64) if name == "m3ae" else None
plates = tuple(plate(n, grid=8) for n in sizes)
batch = Batch(tuple(map(str, sizes)), collate([from_graph(graph) for graph in plates]), frames, plates)
block = settings.load().methods[name]
method = build(name, block | ({"size": block["size"] | {"depth": 1}} if "size" in block else {}), DataSpec(8, 64))
at_most(1000)
with torch.no_grad():
    loss = method(batch, generator(0))["loss"]
    features = method.backbone().eval()(batch)
assert loss.isfinite() and features.face.isfinite().all() and len(features.face) == sum(sizes)
"""
HOPS = """
from brep_mae.datasets.batch import Batch
from brep_mae.datasets.from_graph import from_graph
from brep_mae.models.extractors.hops import Hops

batch = Batch(("plate",), from_graph(plate(16_000)))
at_most(300)
assert Hops()(batch).face.isfinite().all()
"""
SCRIPTS = {"read": READ, "hops": HOPS} | dict.fromkeys(["mae_faces", "attribute_masking", "hybrid_pure", "m3ae"], LEARN)


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_largest_solid_is_read_and_learned_from_in_bounded_memory(name):
    """For learning, beside three small ones in one batch."""
    script = START + SCRIPTS[name] + "\nprint('done')"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script, name], capture_output=True, text=True)
    assert done.stdout == "done\n", done.stderr[-2000:]


def test_a_hole_among_thousands_has_the_numbers_of_a_hole_among_few():
    """Every hole: two circles as edges, nothing joined to it, both ways out opposite. By hand, whatever the method."""
    n = 3206
    found = dict(zip(FACE_SCALARS, invariants(plate(n)).face.T, strict=False))
    size, long = np.sqrt(np.sum(plate(n).face_area_mm2)), 4 * 57
    np.testing.assert_allclose(found["above"][:2], 0, atol=1e-6)
    np.testing.assert_allclose(found["below"][:2] * size, 2, rtol=1e-4)
    np.testing.assert_allclose(found["below"][2:6] * size, long, rtol=1e-4)
    assert found["on_hull"].tolist() == [1] * 6 + [0] * (n - 6)
    np.testing.assert_allclose(np.exp(found["log_degree"][6:]), 3, rtol=1e-5)
    for name, count in (("log_border", 2), ("log_ways", 2), ("log_exits", 2)):
        np.testing.assert_allclose(np.exp(found[name][6:]), 1 + count, rtol=1e-5, err_msg=name)
    np.testing.assert_allclose(found["opposite"][6:], 1)
    np.testing.assert_allclose(found["open"][6:], 0)


def test_large_solids_are_not_all_kept_in_memory(tmp_path, monkeypatch):
    graphs = [make_graph(n, seed=n) for n in (5, 60, 6)]
    write_shard(tmp_path / "00000.arrow", graphs)
    sizes = [from_graph(graph).nbytes for graph in graphs]
    monkeypatch.setattr(loader, "KEEP", sizes[0] + sizes[2])
    solids = loader.Solids(tmp_path, None, [graph.uid for graph in graphs], FACES)
    kept = [solids.faces(uid) is solids.faces(uid) for uid in solids.uids]
    assert kept == [True, False, True]
