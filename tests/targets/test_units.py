"""Terms in the units of what can be said without a code: an error of 1 is that of knowing nothing."""

import pytest
import torch

from brep_mae.composition.masked import MaskedPretext
from brep_mae.plugins import METHODS, known
from brep_mae.schema import SURFACE_TYPES
from brep_mae.seeds import generator
from brep_mae.targets.target import joined
from brep_mae.targets.uvgrid import UVGrid
from tests.contracts.test_methods import batch_for, small

UNSEEN = SURFACE_TYPES.index("extrusion")
"""A type that no batch here holds often enough for a unit of its own."""
COMPOSED = [name for name in known(METHODS) if isinstance(small(name), MaskedPretext)]


@pytest.mark.parametrize("name", COMPOSED)
def test_the_best_predictor_without_a_code_has_an_error_of_one(name):
    pretext, batches = small(name).eval(), [batch_for(name, seed) for seed in range(3)]
    pretext.calibrate(batches, generator(0))
    rng, truths = generator(0), {}
    for batch in batches:
        forward_pass = pretext.run(batch, rng)
        for target, selection in pretext.select(forward_pass).items():
            truths.setdefault(target, []).append(pretext.targets[target].truth(selection, forward_pass.truth))
    for key, parts in truths.items():
        target, truth = pretext.targets[key], joined(parts)
        terms = target.error(target.code_free(truth, truth), truth)
        for (term, errors), unit in zip(terms.items(), target.unit[:, UNSEEN], strict=True):
            error = errors.error if errors.counts is None else errors.error[errors.counts]
            assert torch.isclose(error.mean() / unit, torch.ones(()), atol=1e-4) or unit == 1, (key, term)


def test_planes_and_cylinders_have_units_of_their_own():
    """Cylinders vary twice as much; what the type decides stays in the unit of all faces."""
    target, plane, cylinder = UVGrid(8, 4), SURFACE_TYPES.index("plane"), SURFACE_TYPES.index("cylinder")
    rng = generator(0)
    surface = torch.tensor([plane, cylinder]).repeat_interleave(50)
    grid = torch.randn(100, 4, 4, 7, generator=rng) * torch.where(surface == plane, 0.5, 1.0)[:, None, None, None]
    grid[..., 6] = torch.rand(100, 4, 4, generator=rng).round()
    turns = torch.ones(100, dtype=torch.long)
    truth = {"grid": grid, "turns": turns, "size": torch.randn(100, generator=rng), "surface": surface}
    target.calibrate([truth], surface)
    point, size, of_type = (target.unit[target.terms.index(term)] for term in ("point", "size", "surface"))
    for kind in (plane, cylinder):
        rows = {name: column[surface == kind] for name, column in truth.items()}
        own = target.error(target.code_free(rows, rows), rows)["point"].error.mean()
        assert torch.isclose(point[kind], own)
        assert not torch.isclose(size[kind], size[UNSEEN])
    assert torch.allclose(of_type, of_type[UNSEEN])
    target.calibrate([truth])
    assert torch.allclose(target.unit, target.unit[:, :1])


def test_an_error_counts_in_the_unit_of_its_surface_type():
    pretext, batch = small("mae_faces").eval(), batch_for("mae_faces")
    forward_pass = pretext.run(batch, generator(0))
    target, selection = pretext.targets["uvgrid"], pretext.select(forward_pass)["uvgrid"]
    plain = target(selection, forward_pass.truth)["point"].error
    kind = int(batch.faces.surface[selection.row][0])
    target.unit[target.terms.index("point"), kind] = 0.5
    counted = target(selection, forward_pass.truth)["point"].error
    of_kind = batch.faces.surface[selection.row] == kind
    assert torch.allclose(counted, plain * torch.where(of_kind, 2.0, 1.0))


@pytest.mark.parametrize("name", COMPOSED)
def test_another_constant_is_no_better(name):
    """That the predictor without a code is the best one: moved, it is worse."""
    pretext, batch = small(name).eval(), batch_for(name)
    forward_pass = pretext.run(batch, generator(0))
    for key, selection in pretext.select(forward_pass).items():
        target = pretext.targets[key]
        truth = target.truth(selection, forward_pass.truth)
        best = target.code_free(truth, truth)
        for column in best:
            if best[column].dtype != torch.float32:
                continue
            moved = dict(best) | {column: best[column] + 0.2 * torch.randn(best[column].shape[1:])}
            before, after = (sum(t.error.mean() for t in target.error(p, truth).values()) for p in (best, moved))
            assert after >= before - 0.02 * abs(before), (key, column)


def test_a_term_without_variance_keeps_its_own_unit():
    pretext, batch = small("mae_faces"), batch_for("mae_faces")
    batch.faces.surface[:] = 0
    pretext.calibrate([batch], generator(0))
    units = dict(zip(pretext.targets["uvgrid"].terms, pretext.targets["uvgrid"].unit[:, UNSEEN].tolist(), strict=True))
    assert units["surface"] == 1 and units["point"] != 1


def test_explained_is_what_is_left_of_the_unit():
    pretext = small("hybrid")
    assert pretext.explained({"loss": 3.0, "surface.explicit": 0.25, "skipped": 0.0}) == {"surface.explicit": 0.75}
