"""A face of very many loops is triangulated in another way, into triangles that cover the same."""

import numpy as np
import pytest
from OCP.BRepMesh import BRepMesh_DelabellaMeshAlgoFactory, BRepMesh_MeshAlgoFactory

from benchmarks.plates import plate_of_holes
from brep_mae.brep.render import mesh
from brep_mae.brep.render.mesh import MANY_LOOPS, Mesh, tessellate
from brep_mae.brep.render.turntable import Turntable

PLATE = plate_of_holes(10)


def areas(found: Mesh) -> tuple[np.ndarray, np.ndarray]:
    """Of each face, and of each face the part of it that looks along its own normals."""
    a, b, c = found.point[found.triangle].transpose(1, 0, 2)
    across = np.cross(b - a, c - a) / 2
    outward = np.sign((across * found.normal[found.triangle[:, 0]]).sum(1))
    size = np.linalg.norm(across, axis=1)
    return tuple(np.bincount(found.face, size * sign, found.n_faces) for sign in (np.ones(len(size)), outward))


@pytest.fixture
def ways(monkeypatch) -> list[tuple[type, bool]]:
    """In which ways solids were triangulated: the algorithm, and whether loops were compared first."""
    used: list[tuple[type, bool]] = []

    def meshed(shape, deflection, algorithm, checked, usual=mesh._meshed):
        used.append((type(algorithm), checked))
        return usual(shape, deflection, algorithm, checked)

    monkeypatch.setattr(mesh, "_meshed", meshed)
    return used


def test_triangles_cover_every_face_once_and_look_outwards(monkeypatch, ways):
    whole, outward = areas(tessellate(PLATE, 1e-3))
    np.testing.assert_allclose(outward, whole, rtol=1e-12)
    large = whole > 20
    assert large.sum() == 2 and len(whole) == 106
    np.testing.assert_allclose(whole[large], 100 - 100 * np.pi * 0.09, rtol=0.005)
    monkeypatch.setattr(mesh, "MANY_LOOPS", MANY_LOOPS + 2)
    np.testing.assert_allclose(areas(tessellate(PLATE, 1e-3))[0], whole, rtol=1e-9)
    assert ways == [(BRepMesh_DelabellaMeshAlgoFactory, False), (BRepMesh_MeshAlgoFactory, True)]


def test_loops_are_compared_where_a_face_gets_no_triangles(monkeypatch, ways):
    monkeypatch.setattr(mesh, "_without", lambda faces: len(ways) == 1)
    assert areas(tessellate(PLATE, 1e-3))[0].sum() == pytest.approx(2 * (100 - 9 * np.pi) + 40 + 60 * np.pi, rel=0.01)
    assert ways == [(BRepMesh_DelabellaMeshAlgoFactory, False), (BRepMesh_DelabellaMeshAlgoFactory, True)]


def test_frames_are_those_of_the_usual_triangles(monkeypatch):
    table = Turntable(2, 64)
    found = table.render(PLATE)
    monkeypatch.setattr(mesh, "MANY_LOOPS", MANY_LOOPS + 2)
    usual = table.render(PLATE)
    assert np.mean(found.face != usual.face) == pytest.approx(0, abs=0.002)
    assert np.mean(found.image != usual.image) == pytest.approx(0, abs=0.005)
