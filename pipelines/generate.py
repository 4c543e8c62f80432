"""Stage generate: makes the embedded parts, or lists the files of an outside data set so that a change is noticed."""

import hashlib
import json
import os
import shutil
from pathlib import Path

from brep_mae.datasets.source import SourceError
from brep_mae.output_files import link_or_copy
from brep_mae.output_folder import output_folder
from pipelines.params import load
from pipelines.stage import run_stage
from pipelines.unfinished import unfinished

OUT = Path("data/source")


def manifest(path: Path) -> list[dict[str, str | int]]:
    """Path, size and SHA-256 of every file of a folder, or of the one archive."""
    if not path.exists():
        raise SourceError(f"{path}: no such folder or archive; set dataset.path in params.yaml")
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    root = path if path.is_dir() else path.parent
    entries: list[dict[str, str | int]] = []
    for file in files:
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        entries.append({"path": file.relative_to(root).as_posix(), "size": file.stat().st_size, "sha256": digest})
    return entries


def main() -> None:
    params = load()
    if params.dataset.name == "generated":
        from brep_mae.brep.generate import generate

        about = params.generate
        with output_folder(OUT) as claim, unfinished("generate", OUT, about.model_dump()) as work:
            report = generate(work / "parts", about.kind, about.solids, about.seed, os.cpu_count() or 1)
            with claim.filled() as new:
                shutil.copytree(work / "parts", new, copy_function=link_or_copy, dirs_exist_ok=True)
        rejected = ", ".join(f"{count} {reason}" for reason, count in report.rejected.items()) or "none"
        print(f"{report.solids} solids from {report.attempts} attempts; drawn again: {rejected}")
    else:
        with output_folder(OUT) as claim:
            text = json.dumps(manifest(Path(params.dataset.path)), indent=1) + "\n"
            with claim.filled() as new:
                (new / "manifest.json").write_text(text)


if __name__ == "__main__":
    run_stage(main)
