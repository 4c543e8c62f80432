"""A data set's folder, or the tar archive that it comes in, unpacked once."""

import errno
import lzma
import os
import shutil
import tarfile
import zlib
from pathlib import Path

from brep_mae.datasets.source import SourceError

DAMAGED = (tarfile.TarError, EOFError, OSError, ValueError, zlib.error, lzma.LZMAError)
"""What unpacking raises for damaged archives; ValueError for names that no file can have."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def folder_of(path: str, work: Path, name: str) -> Path:
    """`path` itself where it is a folder; a tar archive is unpacked once into a folder of `work`.

    Args:
        name: of the data set.

    Raises SourceError where it is neither, is damaged, or has a member outside its folder.
    """
    given = Path(path)
    if given.is_dir():
        return given
    if given.is_file():
        return _unpacked(given, work, name)
    raise SourceError(f"{path}: neither a folder nor a tar archive; point dataset.path at one that holds {name}")


def _unpacked(archive: Path, work: Path, name: str) -> Path:
    """The folder appears under its final name only when complete; an interrupted one is begun again."""
    stat = archive.stat()
    folder = work / f"{name}-{stat.st_size}-{int(stat.st_mtime)}"
    if not folder.is_dir():
        partial = folder.with_suffix(".unpacking")
        shutil.rmtree(partial, ignore_errors=True)
        try:
            partial.mkdir(parents=True)
            with tarfile.open(archive) as tar:
                for member in tar:
                    _unpack(tar, member, partial, archive)
        except DAMAGED as error:
            shutil.rmtree(partial, ignore_errors=True)
            if isinstance(error, OSError) and error.errno in FULL:
                raise
            reason = " ".join(str(error).split())
            raise SourceError(f"{archive}: no tar archive, or a damaged one ({reason}); get the archive anew") from None
        os.replace(partial, folder)
    return folder


def _unpack(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, archive: Path) -> None:
    """Writes a plain file below `folder`; nothing else that an archive may hold, links and devices among it, is needed.

    By hand, since the filters of `tarfile` came with Python 3.11.4. Raises SourceError for a file outside the folder.
    """
    target = (folder / member.name).resolve()
    if not target.is_relative_to(folder.resolve()):
        raise SourceError(f"{archive}: its member {member.name} lies outside the folder; get the archive anew")
    content = tar.extractfile(member) if member.isfile() else None
    if content is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
        with content, target.open("wb") as file:
            shutil.copyfileobj(content, file)
