"""The blocks of several methods, checked before anything works: a typo in the last one must not show after hours."""

from collections.abc import Mapping
from typing import Any

import torch

from brep_mae.checks import SettingsError
from brep_mae.composition.pretext import DataSpec, build


def check_methods(
    methods: Mapping[str, Mapping[str, Any]], grid: int, frame: int, accumulate: int, origin: str
) -> None:
    """Builds the network of every method on the device that holds no numbers: no memory, and hardly any time.

    Args:
        methods: name -> raw block.
        grid, frame: what the data are going to be, as DataSpec says it.
        accumulate: parts into which a batch must divide.
        origin: the file, for messages.

    Raises SettingsError with one line or more for every block that cannot be built, weights of terms that the method
    does not have included.
    """
    spec = DataSpec(grid, frame, face_classes=1, part_classes=1)  # of the data's classes nothing is known yet
    wrong = []
    for name, values in methods.items():
        try:
            with torch.device("meta"):
                batch = build(name, values, spec, origin).params.batch
            if batch % accumulate:
                raise ValueError(f"batch {batch} is not a multiple of pretrain.accumulate {accumulate}")
        except SettingsError as error:
            wrong.append(str(error))
        except (ValueError, RuntimeError) as error:  # sizes that do not go together
            wrong.append(f"{origin}: methods.{name}: {error}")
    if wrong:
        raise SettingsError("\n".join(wrong))
