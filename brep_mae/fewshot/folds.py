"""Cross-validation on labelled solids, for heads that have something to choose."""

from collections.abc import Iterator

from sklearn.model_selection import KFold

from brep_mae.evaluation.problem import Problem, Rows, features_of

FOLDS = 5
"""Most parts into which the labelled solids are cut; with no more solids than these, each is a part of its own."""


def folds(problem: Problem, labelled: Rows, seed: int) -> Iterator[tuple[Rows, Rows]]:
    """(rows to learn from, rows of the solids held out), a pair for each part of the labelled solids; none where there
    is one solid. A solid is held out whole: its faces resemble one another more than they do those of the next."""
    uids = [uid for batch in labelled.batches for uid in batch.uid]
    if len(uids) < 2:
        return
    for sides in KFold(min(FOLDS, len(uids)), shuffle=True, random_state=seed).split(uids):
        learned, held_out = (_rows(problem, [uids[i] for i in side]) for side in sides)
        if len(learned.y) and len(held_out.y):
            yield learned, held_out


def _rows(problem: Problem, uids: list[str]) -> Rows:
    batches = [problem.data.batch([uid]) for uid in uids]
    return Rows(problem.task, batches, features_of(problem.backbone, batches))
