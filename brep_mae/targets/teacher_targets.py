"""What teachers add to the truth."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from torch import Tensor

from brep_mae.datasets.batch import Batch


@dataclass(frozen=True, kw_only=True)
class TeacherTargets(Batch):
    """A batch with what a teacher says of it.

    features (R, D), one row per row of the content; class_features (B, D), one row per sample; known (R,) and
    class_known (B,) True = the teacher says something of it.
    """

    features: Tensor
    known: Tensor
    class_features: Tensor
    class_known: Tensor

    @classmethod
    def of(
        cls,
        batch: Batch,
        features: Tensor,
        class_features: Tensor,
        known: Tensor | None = None,
        class_known: Tensor | None = None,
    ) -> "TeacherTargets":
        """`known`, `class_known` None = the teacher says something of everything."""
        return cls(
            **{field.name: getattr(batch, field.name) for field in fields(Batch)},
            features=features,
            known=_all_known(features) if known is None else known,
            class_features=class_features,
            class_known=_all_known(class_features) if class_known is None else class_known,
        )


@dataclass(frozen=True, kw_only=True)
class SeveralTeacherTargets(Batch):
    """A batch with what several teachers say of it, each by its name."""

    by_teacher: Mapping[str, TeacherTargets]


def _all_known(features: Tensor) -> Tensor:
    return features.new_ones(len(features)).bool()
