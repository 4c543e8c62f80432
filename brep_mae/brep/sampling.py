"""What is sampled on a solid. Loads no CAD kernel."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sampling:
    """Sizes and choices of a face graph.

    Args:
        grid: samples per side of a grid.
        field_pool: points drawn per face for the signed distance, of which `field_samples` are kept; both 0 = no field.
        curvature: True = principal curvatures on the grid.
        split_closed: True = closed faces are cut in two first.
    """

    grid: int
    field_pool: int
    field_samples: int
    curvature: bool
    split_closed: bool

    def __post_init__(self) -> None:
        if self.field_samples > self.field_pool:
            raise ValueError(f"field_samples {self.field_samples} is more than field_pool {self.field_pool}")
