"""Any folder of CAD files, without labels."""

from pathlib import Path

from brep_mae.datasets.source import Source, SourceError, cad_files


def open(path: str, limit: int, work: Path) -> Source:
    root = Path(path)
    if not root.is_dir():
        raise SourceError(f"{path}: not a folder; point dataset.path at the folder that holds the CAD files")
    return Source("solids", "unknown", root, cad_files(root, limit), (), (), label=lambda graph: graph)
