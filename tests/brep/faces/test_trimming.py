"""Inside or outside a face's loops: against OCCT's classifier, and against the sides of the kernel's own curves.

Tolerance: both agree wherever a sample is farther than ON (1e-5) from every chord, in the face's box rescaled to 1 x 1;
nearer than the chords' own error the polygon never answers, which the second test shows to 3e-5.
"""

from collections.abc import Iterator

import numpy as np
import pytest
from OCP.BRep import BRep_Tool
from OCP.BRepAdaptor import BRepAdaptor_Curve2d
from OCP.BRepBuilderAPI import BRepBuilderAPI_NurbsConvert
from OCP.gp import gp_Pnt2d, gp_Vec2d
from OCP.IntTools import IntTools_FClass2d
from OCP.TopAbs import TopAbs_OUT
from OCP.TopoDS import TopoDS, TopoDS_Shape

from benchmarks.spline_parts import draw_part as draw_spline_part
from brep_mae.brep.faces.chords import ON
from brep_mae.brep.read.step import ReadSolid, read_solids
from brep_mae.brep.solid.uvgrid import unit_grid
from brep_mae.generate.generators.machined.draw import draw_part
from tests.brep.solids import CUT, PLACEMENTS, SHAPES, Apart, parts_of, placed
from tests.conftest import SHARED

SAMPLES = ("as1-oc-214.stp", "io1-ug-214.stp", "linkrods.step", "screw.step", "stp_multiple_shp_at_root.stp")
MADE = {**SHAPES, **CUT}


def free_form(shape: TopoDS_Shape) -> TopoDS_Shape:
    return BRepBuilderAPI_NurbsConvert(shape).Shape()


def made() -> Iterator[TopoDS_Shape]:
    for shape in MADE.values():
        yield shape
        yield free_form(shape)
        for how in PLACEMENTS:
            yield placed(how, shape)


def real(solids: int = 4) -> Iterator[TopoDS_Shape]:
    """At most so many of each file: as they are, and with every surface made free-form."""
    for name in SAMPLES if (SHARED / "step_samples").is_dir() else ():
        for solid in read_solids(SHARED / "step_samples" / name)[:solids]:
            assert isinstance(solid, ReadSolid)
            yield solid.shape
            yield free_form(solid.shape)


def drawn(parts: int) -> Iterator[TopoDS_Shape]:
    for index in range(parts):
        solid = draw_part(11, index).solid
        yield solid
        yield free_form(solid)


def splines(parts: int) -> Iterator[TopoDS_Shape]:
    for index in range(parts):
        yield draw_spline_part(5, index)[0]


def kernel_answers(parts: Apart, face: int, unit: np.ndarray) -> np.ndarray:
    classifier = IntTools_FClass2d(parts.topology.faces[face], 1e-9)
    uv = parts.trimming.low[face] + parts.trimming.extent[face] * unit
    return np.array([classifier.Perform(gp_Pnt2d(u, v)) != TopAbs_OUT for u, v in uv.tolist()])


def agreement(shapes: Iterator[TopoDS_Shape], random: int) -> tuple[int, int, int]:
    """Samples compared on a 10 x 10 grid and at random around the box; those clear of the boundary; wrong ones."""
    total, clear, wrong = 0, 0, 0
    rng = np.random.default_rng(3)
    for shape in shapes:
        parts = parts_of(shape)
        faces = len(parts.topology.faces)
        unit = np.concatenate([unit_grid(10), rng.random((random, 2)) * 1.2 - 0.1])
        forwards = np.where(parts.trimming.flipped[:, None, None], [1, 0] + unit * [-1, 1], unit)
        inside, distance = parts.trimming.locate(np.broadcast_to(unit, (faces, *unit.shape)))
        for face in range(faces):
            far = distance[face] > ON
            total += len(unit)
            clear += int(far.sum())
            wrong += int(((inside[face] != kernel_answers(parts, face, forwards[face])) & far).sum())
    return total, clear, wrong


@pytest.mark.parametrize(
    "shapes, random",
    [(made, 100), (real, 20), (lambda: drawn(3), 100), (lambda: splines(1), 100)],
    ids=["made", "real", "drawn", "spline parts"],
)
def test_inside_is_what_the_kernel_says(shapes, random):
    if shapes is real and not (SHARED / "step_samples").is_dir():
        pytest.skip("needs ../shared/data/step_samples beside the checkout")
    total, clear, wrong = agreement(shapes(), random)
    print(total, clear, wrong)
    assert clear > 0.7 * total > 10_000
    assert wrong == 0


@pytest.mark.slow
def test_inside_is_what_the_kernel_says_a_million_times():
    counts = [agreement(made(), 900), agreement(real(99), 700), agreement(drawn(40), 100), agreement(splines(8), 300)]
    total, clear, wrong = np.sum(counts, axis=0).tolist()
    print(f"{total} samples, {clear} clear of the boundary, {wrong} wrong")
    assert clear > 1_000_000 and wrong == 0


def sides(parts: Apart, number: int, coedge: int, rng: np.random.Generator, count: int) -> tuple[np.ndarray, ...]:
    """The coedge as a dense polyline; points a little off the kernel's curve (N, 2), how far (N,), positive inside."""
    topology, trimming = parts.topology, parts.trimming
    edge, face = TopoDS.Edge_s(topology.coedges[coedge]), topology.faces[number]
    adaptor, point, along = BRepAdaptor_Curve2d(edge, face), gp_Pnt2d(), gp_Vec2d()
    points, tangents = [], []
    for t in np.linspace(adaptor.FirstParameter(), adaptor.LastParameter(), 101).tolist():
        adaptor.D1(t, point, along)
        points.append(point.Coord())
        tangents.append(along.Coord())
    curve = (np.array(points) - trimming.low[number]) / trimming.extent[number]
    if BRep_Tool.IsClosed_s(edge, face) and (parts.surfaces.period[number] > 0).any():
        return curve, np.empty((0, 2)), np.empty(0)  # a seam has the face on both sides
    tangent = np.array(tangents) / trimming.extent[number]
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    if topology.forward[coedge] == topology.reversed[number]:
        tangent = -tangent
    chosen = rng.integers(1, 100, count)
    off = 10 ** rng.uniform(-4.5, -1.5, count) * rng.choice([-1, 1], count)
    return curve, curve[chosen] + off[:, None] * (tangent @ [[0, 1], [-1, 0]])[chosen], off


def clearance(points: np.ndarray, curves: list[np.ndarray], steps: np.ndarray) -> np.ndarray:
    """Distance to the nearest of the polylines and their repetitions. Shapes: (N, 2) -> (N,)"""
    a, b = (np.concatenate([curve[part] for curve in curves]) for part in (np.s_[:-1], np.s_[1:]))
    along = b - a
    squared = np.maximum((along**2).sum(axis=1), 1e-300)
    nearest = np.full(len(points), np.inf)
    for shift in {(i * steps[0], j * steps[1]) for i in (-1, 0, 1) for j in (-1, 0, 1)}:
        gap = points[:, None] - a - np.array(shift)
        t = np.clip((gap * along).sum(-1) / squared, 0, 1)
        nearest = np.minimum(nearest, np.linalg.norm(gap - t[..., None] * along, axis=-1).min(axis=1))
    return nearest


@pytest.mark.parametrize(
    "shapes, least",
    [(made, 4000), (lambda: drawn(1), 800), (lambda: splines(1), 2000)],
    ids=["made", "drawn", "free"],
)
def test_the_left_of_the_kernels_curves_is_inside_and_the_right_is_outside(shapes, least):
    """From 3e-5 to 0.03 away, where no other boundary is nearer; no classifier has a say."""
    rng, compared = np.random.default_rng(0), 0
    for shape in shapes():
        parts = parts_of(shape)
        for number in range(len(parts.topology.faces)):
            own = np.flatnonzero(parts.topology.coedge_face == number)
            found = [sides(parts, number, coedge, rng, 12) for coedge in own]
            steps = parts.surfaces.period[number] / parts.trimming.extent[number]
            every = np.full((len(parts.topology.faces), 12 * len(own), 2), 0.5)
            clear, wanted = np.zeros(12 * len(own), bool), np.zeros(12 * len(own), bool)
            for k, (curve, points, off) in enumerate(found):
                if not len(points):
                    continue
                part = np.s_[12 * k : 12 * k + 12]
                others = [other[0] for i, other in enumerate(found) if i != k]
                sag = np.abs(curve[2:] + curve[:-2] - 2 * curve[1:-1]).max()
                clear[part] = clearance(points, [curve], steps) > 0.9 * np.abs(off) - sag
                if others:
                    clear[part] &= clearance(points, others, steps) > np.abs(off) + 1e-3
                clear[part] &= ((points > -0.1) & (points < 1.1)).all(axis=1)
                wanted[part] = off > 0
                every[number, part] = [1, 0] + points * [-1, 1] if parts.trimming.flipped[number] else points
            inside = parts.trimming.locate(every)[0][number]
            assert (inside == wanted)[clear].all()
            compared += int(clear.sum())
    assert compared > least


def test_samples_on_the_boundary_are_inside():
    """Corners, sides and the rim of a hole, on the plate from the grid's own corners."""
    parts = parts_of(CUT["plate"])
    turn = np.linspace(0, 2 * np.pi, 37)
    rim = 0.5 + 0.3 * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    for face in np.flatnonzero(parts.topology.loops == 2):
        every = np.broadcast_to(rim, (len(parts.topology.faces), *rim.shape))
        assert parts.trimming.locate(every)[0][face].all()
        assert not parts.trimming.locate(0.5 + (every - 0.5) * (1 - 1e-4))[0][face].any()
        assert parts.trimming.locate(0.5 + (every - 0.5) * (1 + 1e-4))[0][face].all()
