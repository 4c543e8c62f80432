"""The note in a finished folder of every file that this program wrote there, by which the folder is known as ours."""

import hashlib
import json
from pathlib import Path

from brep_mae.output.files import OutputError, write_whole

MARKER = ".brep_mae.json"


def mark(folder: Path) -> None:
    """Notes all files of a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MARKER)
    note = {"made_by": "brep_mae", "written": {path.relative_to(folder).as_posix(): sha256(path) for path in files}}
    write_whole(folder / MARKER, json.dumps(note, indent=1) + "\n")


def foreign(folder: Path) -> list[str]:
    """Names below `folder` that this program did not write there, or that were changed since."""
    written = noted(folder)
    folders = {parent for name in written for parent in Path(name).parents}
    found = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        real = path.is_dir() and not path.is_symlink()
        ours = name in folders if real else _unchanged(path, written.get(name.as_posix()))
        if not ours and name.as_posix() != MARKER:
            found.append(name.as_posix())
    return found


def remove(old: Path) -> None:
    """Removes a folder that this program filled, its note last, so that it stays known where the process is killed.

    Raises OutputError where more is in it.
    """
    if not old.exists():
        return
    if found := foreign(old):
        raise OutputError(f"{old / found[0]}: was not written by this program; remedy: move it elsewhere")
    for path in sorted(old.rglob("*"), reverse=True):  # what is in a folder comes before the folder
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        elif path != old / MARKER:
            path.unlink()
    (old / MARKER).unlink(missing_ok=True)
    old.rmdir()


def noted(folder: Path) -> dict[str, str]:
    """Name -> SHA-256 of the files in the folder's note; nothing where there is no note of ours."""
    try:
        note = json.loads((folder / MARKER).read_text())
        return {str(name): str(digest) for name, digest in note["written"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _unchanged(path: Path, digest: str | None) -> bool:
    if digest is None or not path.is_file():
        return False
    return sha256(path) == digest


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
