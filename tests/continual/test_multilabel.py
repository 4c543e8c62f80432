"""Tasks whose rows may show several classes at once, among those whose rows have one."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from brep_mae.continual.continual import run_sequence
from brep_mae.continual.continual_baselines import run_majority
from brep_mae.continual.continual_fit import Task, entropy, evaluate, right_answers
from brep_mae.continual.knowledge_transfer import transfer_scores
from tests.continual.supermask_nets import Settings, make_model, make_task

CLASSES = ("dark", "noisy", "tilted")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def several(seed: int, batches: int = 4) -> Task:
    """Images that show each of three patterns or not, independently of the others."""
    patterns = 2 * torch.randn(len(CLASSES), 2, 8, 8, generator=generator(seed))

    def split(number: int) -> list[tuple[Tensor, Tensor]]:
        rng, found = generator(100 * seed + number), []
        for _ in range(batches):
            shows = torch.rand(48, len(CLASSES), generator=rng) < 0.4
            noise = 0.5 * torch.randn(48, 2, 8, 8, generator=rng)
            found.append((torch.einsum("rc,cxyz->rxyz", shows.float(), patterns) + noise, shows.long()))
        return found

    return Task(f"several {seed}", CLASSES, split(1), split(2), split(3), "multilabel")


def test_each_class_of_a_row_counts_by_itself_where_it_is_known():
    logits = torch.tensor([[2.0, -1.0, 0.5], [-3.0, 4.0, -0.5]])
    labels = torch.tensor([[1, 1, -1], [0, 1, 1]])
    probability = logits.sigmoid()
    expected = -(probability[0, 0].log() + probability[0, 1].log() + (1 - probability[1, 0]).log())
    expected -= probability[1, 1].log() + probability[1, 2].log()
    assert torch.allclose(entropy(logits, labels, "sum"), expected)
    assert torch.allclose(entropy(logits, labels, "mean"), expected / 5)
    assert right_answers(logits, labels) == 3
    single = torch.tensor([2, -1])
    assert torch.equal(entropy(logits, single, "mean"), F.cross_entropy(logits[:1], single[:1]))
    assert right_answers(logits, single) == 0


def test_tasks_of_both_kinds_are_learned_in_turn_and_stay_as_they_were():
    tasks = [make_task("conv", 0, 3), several(0), make_task("conv", 1, 3), several(1)]
    budget = Settings(60, 30)
    result = run_sequence(make_model("conv", density=0.3), tasks, budget, "exssnet", generator())
    assert all(same for row in result.bit_identical for same in row)
    absent = [1 - torch.cat([y for _, y in task.test]).float().mean() for task in (tasks[1], tasks[3])]
    for column, majority in ((1, absent[0]), (3, absent[1])):
        assert result.accuracy[-1, column] > majority + 0.15


def test_an_earlier_task_of_the_same_classes_is_found_and_noise_is_not():
    model, task = make_model("conv", density=0.3), several(0, batches=20)
    run_sequence(model, [make_task("conv", 0, 3), task], Settings(60, 30), "exssnet", generator())
    scores, report = transfer_scores(model, task.train, task.n_classes, "all", generator(), margin=3.0)
    assert 1 in report.chosen and scores is not None
    shuffled = [(b, y[torch.randperm(len(y), generator=generator(i))]) for i, (b, y) in enumerate(task.train)]
    assert transfer_scores(model, shuffled, task.n_classes, "all", generator(), margin=3.0)[0] is None


def test_the_commonest_label_is_that_of_training_and_of_each_class_by_itself():
    x = torch.zeros(4, 1)
    single = Task("one", ("a", "b"), [(x, torch.tensor([1, 1, 0, -1]))], [], [(x, torch.tensor([0, 1, 0, -1]))])
    train, test = torch.tensor([[1, 0, 1], [1, 0, -1]]), torch.tensor([[1, 1, 1], [0, 0, -1]])
    several = Task("any", CLASSES, [(x[:2], train)], [], [(x[:2], test)], "multilabel")
    result = run_majority([single, several])
    assert result.accuracy[:, 0].tolist() == [pytest.approx(1 / 3)] * 2
    assert result.accuracy[1, 1] == pytest.approx(3 / 5) and np.isnan(result.accuracy[0, 1])


@pytest.mark.parametrize(
    "change, reason",
    [
        (lambda y: y * 2, r"labels \[2\] in train; allowed are -1 to 1"),
        (lambda y: y[:, :2], "labels of 2 classes, and it has 3"),
        (lambda y: torch.full_like(y, -1), "no labelled row in its train"),
        (lambda y: y * torch.tensor([1, 1, 0]), "tilted in val or test but not in train"),
    ],
)
def test_labels_that_do_not_fit_are_refused(change, reason):
    task = several(0)
    with pytest.raises(ValueError, match=reason):
        replace(task, train=[(b, change(y)) for b, y in task.train]).check()


def test_rows_of_which_some_classes_are_known_are_scored_on_those():
    task = several(0)
    model = make_model("conv", density=0.3)
    run_sequence(model, [task], Settings(20, 10), "exssnet", generator())
    partly = [(b, y.clone()) for b, y in task.test]
    for _, labels in partly:
        labels[:, 1:] = -1
    with torch.no_grad():
        right = [((model.eval()(b, 0)[:, 0] > 0) == (y[:, 0] == 1)).float().mean() for b, y in task.test]
    assert evaluate(model, model, partly, 0)[0] == pytest.approx(float(torch.stack(right).mean()))
