"""The data set that params.yaml names, for the stages that read its files."""

from brep_mae.datasets.source import Source, open_source
from brep_mae.pretraining.unfinished import WORK
from brep_mae.settings import DatasetParams
from pipelines.shared.places import SOURCE


def opened(dataset: DatasetParams) -> Source:
    """The files that `generate` made, or those of a folder or archive outside. Raises SourceError."""
    path = str(SOURCE) if dataset.name == "generated" else dataset.path
    return open_source(dataset.name, path, dataset.limit, WORK)
