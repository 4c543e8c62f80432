"""A solid of as many faces as the parser lets through is read in bounded memory; its numbers are those of a small one.

Tables of faces by faces or of faces by points would need several GB each here.
"""

import subprocess
import sys

import numpy as np

from brep_mae.datasets.invariants import FACE_SCALARS, invariants
from tests.plates import plate

MB = 1 << 20
SCRIPT = f"""
import resource
from brep_mae.datasets.batch import from_graph
from tests.plates import plate
from tests.synthetic import make_graph

for graph in (plate(10_000), make_graph(10_000, grid=10)):
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 700 * {MB}, -1))
    assert from_graph(graph).where.isfinite().all()
print("read")
"""


def test_the_largest_solid_is_read_in_bounded_memory():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert done.stdout == "read\n", done.stderr[-2000:]


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
