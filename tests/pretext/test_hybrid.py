"""Where the acceptance checks of hybrid surfaces (Jones et al. 2023, arXiv:2210.10807) are.

Check 1, sampled distances against closed forms: tests/brep/solid/test_field.py. Checks 3 and 4, overfitting one part
and faces without a trimming distance: tests/targets/test_surface.py. Check 5, the few-shot harness:
tests/fewshot/test_fewshot.py. Here stands check 2, similarity, from the tensors of a batch on.
"""

from dataclasses import replace

import torch

from brep_mae.datasets.batch import Batch, collate
from brep_mae.datasets.from_graph import from_graph
from brep_mae.schema import FIELD_POINT, POINT
from brep_mae.seeds import generator
from tests.contracts.test_methods import small
from tests.synthetic import make_graph


def moved(scale: float, by_mm: float) -> Batch:
    """Two solids, scaled about the origin and then moved."""
    faces = []
    for n in (6, 9):
        graph = make_graph(n)
        lengths = {"face_area_mm2": scale**2, "arc_length_mm": scale, "scale_mm": scale}
        graph = replace(
            graph, **{k: (getattr(graph, k) * f).astype(getattr(graph, k).dtype) for k, f in lengths.items()}
        )
        changed = {"center_mm": graph.center_mm * scale + by_mm}
        for name, points in (("face_grid", POINT), ("arc_grid", POINT), ("field_samples", FIELD_POINT)):
            array = getattr(graph, name).copy()
            array[..., points] *= scale
            changed[name] = array
        faces.append(from_graph(replace(graph, **changed)))
    return Batch(("a", "b"), collate(faces))


def test_check_2_a_part_moved_and_scaled_by_seven_gives_the_same_inputs_targets_and_loss():
    pretext = small("hybrid").eval()
    here, there = moved(1, 0), moved(7, 40)
    for name in ("grid", "scalars", "arc_grid", "arc_scalars", "field"):
        assert torch.allclose(getattr(here.faces, name), getattr(there.faces, name), atol=1e-5), name
    losses = [pretext(batch, generator(0))["loss"] for batch in (here, there)]
    assert torch.isclose(*losses, rtol=1e-4)
    areas = replace(there.faces, scalars=there.faces.scalars + 1)
    assert not torch.isclose(losses[0], pretext(replace(there, faces=areas), generator(0))["loss"], rtol=1e-4)
