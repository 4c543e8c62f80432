"""Training on labels in the loop of the pretext methods."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from brep_mae.composition.pretext import MethodParams
from brep_mae.datasets.batch import Batch
from brep_mae.pretext.supervised import Supervised
from brep_mae.schema import UNLABELLED
from brep_mae.seeds import generator
from tests.contracts.test_methods import small
from tests.synthetic import make_batch

PARAMS = MethodParams(steps=10, batch=4, lr=1e-3)
SIZES = [6, 4, 7]


def supervised(face_classes: int = 3, part_classes: int = 2) -> Supervised:
    torch.manual_seed(0)
    return Supervised(PARAMS, small("mae_faces").backbone().eval(), face_classes, part_classes)


def labelled(batch: Batch, face: torch.Tensor | None = None, part: torch.Tensor | None = None) -> Batch:
    faces = batch.faces
    return replace(
        batch,
        faces=replace(faces, label=faces.label if face is None else face, part=faces.part if part is None else part),
    )


def test_the_loss_is_the_cross_entropy_of_faces_plus_that_of_parts():
    method, batch = supervised(), make_batch(SIZES)
    out, features = method(batch, generator(0)), method.network(batch)
    face = nn.functional.cross_entropy(method.face(features.face), batch.faces.label)
    part = nn.functional.cross_entropy(method.part(features.solid), batch.faces.part)
    assert out["labels.face"] == pytest.approx(float(face.detach()), rel=1e-5)
    assert out["labels.part"] == pytest.approx(float(part.detach()), rel=1e-5)
    assert float(out["loss"].detach()) == pytest.approx(float((face + part).detach()), rel=1e-5)


def test_what_has_no_label_adds_nothing():
    """The mean over the others, not one with zeros in it."""
    method, batch = supervised(), make_batch(SIZES)
    half = batch.faces.label.clone()
    half[::2] = UNLABELLED
    out = method(labelled(batch, half, torch.tensor([UNLABELLED, 1, UNLABELLED])), generator(0))
    features, kept = method.network(batch), slice(1, None, 2)
    face = nn.functional.cross_entropy(method.face(features.face[kept]), batch.faces.label[kept])
    part = nn.functional.cross_entropy(method.part(features.solid[1:2]), torch.tensor([1]))
    assert out["labels.face"] == pytest.approx(float(face.detach()), rel=1e-5)
    assert out["labels.part"] == pytest.approx(float(part.detach()), rel=1e-5)


def test_a_batch_without_any_label_costs_nothing():
    method, batch = supervised(), make_batch(SIZES)
    none = torch.full_like(batch.faces.label, UNLABELLED), torch.full_like(batch.faces.part, UNLABELLED)
    out = method(labelled(batch, *none), generator(0))
    assert set(out) == {"loss"} and float(out["loss"].detach()) == 0
    parts_only = method(labelled(batch, none[0]), generator(0))
    assert set(parts_only) == {"loss", "labels.part"} and float(parts_only["loss"].detach()) > 0


@pytest.mark.parametrize("classes, name", [((3, 0), "labels.face"), ((0, 2), "labels.part")])
def test_labels_of_a_kind_without_classes_are_not_read(classes, name):
    out = supervised(*classes)(make_batch(SIZES), generator(0))
    assert set(out) == {"loss", name}
    assert out["loss"].detach() == pytest.approx(float(out[name]))


def test_both_heads_learn_and_the_network_with_them():
    method, batch = supervised(), make_batch(SIZES)
    before = {k: v.clone() for k, v in method.network.state_dict().items()}
    optimizer, first = torch.optim.AdamW(method.parameters(), 3e-3), None
    for _ in range(80):
        out = method(batch, generator(0))
        first = first or out
        optimizer.zero_grad()
        out["loss"].backward()
        optimizer.step()
    for name in ("labels.face", "labels.part"):
        assert out[name] < 0.5 * first[name], name
    moved = [k for k, v in method.backbone().state_dict().items() if not torch.equal(v, before[k])]
    assert any(k.startswith("tokens.") for k in moved) and any(k.startswith("encoder.") for k in moved)


def test_only_the_network_is_kept():
    method = supervised()
    assert method.backbone() is method.network
    assert not any("face." in k or "part." in k for k in method.backbone().state_dict())


def test_a_batch_without_faces_is_refused():
    with pytest.raises(ValueError, match="needs a batch with faces"):
        supervised()(Batch(("a",)), generator(0))
