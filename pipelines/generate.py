"""Stage generate: makes the embedded parts, or lists the files of an outside data set so that a change is noticed."""

import hashlib
import json
import os
import shutil
from pathlib import Path

from brep_mae import settings
from brep_mae.datasets.source import SourceError

OUT = Path("data/source")
WORK = Path(".work")


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
    params = settings.load()
    if params.dataset.name == "generated":
        from brep_mae.brep.generate import generate, generator

        # DVC deletes the output before the stage runs: what is to be resumed is made elsewhere and moved when whole.
        kind, seed, solids = params.generate.kind, params.generate.seed, params.generate.solids
        unfinished = WORK / f"generate-{kind}-{generator(kind).version}-{seed}-{solids}"
        report = generate(unfinished, kind, solids, seed, os.cpu_count() or 1)
        shutil.rmtree(OUT, ignore_errors=True)
        OUT.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(unfinished, OUT)
        rejected = ", ".join(f"{count} {reason}" for reason, count in report.rejected.items()) or "none"
        print(f"{report.solids} solids from {report.attempts} attempts; drawn again: {rejected}")
    else:
        OUT.mkdir(parents=True, exist_ok=True)
        (OUT / "manifest.json").write_text(json.dumps(manifest(Path(params.dataset.path)), indent=1) + "\n")


if __name__ == "__main__":
    main()
