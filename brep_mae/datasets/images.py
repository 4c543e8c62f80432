"""Natural images as frames: any folder or tar archive of images, decoded once into a store of one size.

An image is a solid of one frame without faces: every method that reads frames alone can train on it, and the encoder
goes on to renders of the same size. Subfolders are classes, which methods that learn from the class of a solid read as
such. Folders called train, val or test are the split.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa
import torch

from brep_mae.datasets.batch import Batch, Faces, Frames
from brep_mae.datasets.frames import FrameWriter, open_frames
from brep_mae.datasets.image_files import Refused, decode, read_files
from brep_mae.datasets.lazy.listed import REJECTS, write_list
from brep_mae.datasets.loader import Samples
from brep_mae.datasets.source import SourceError
from brep_mae.datasets.splits import make_split
from brep_mae.output.folder import output_folder
from brep_mae.progress import progress
from brep_mae.schema import UNLABELLED

VERSION = 3
"""Raised whenever a stored image changes its meaning."""

ABOUT = "images.json"
LEFT_OUT = pa.schema({name: pa.string() for name in ("file", "reason", "detail")})
"""Columns of the list of files that were left out, beside it."""
SIDE_OF = {"train": "train", "val": "validation", "valid": "validation", "validation": "validation", "test": "test"}


@dataclass(frozen=True)
class ImageSet:
    """What a store holds; `images.json` in its folder.

    Args:
        digest: of names and pixels' files.
        classes: names of the labels, sorted.
        labels: uid -> class, UNLABELLED where the image lies in no folder.
        split: side -> uids.
        reasons: how many files were left out for what.
    """

    digest: str
    classes: list[str]
    labels: dict[str, int]
    split: dict[str, list[str]]
    reasons: dict[str, int]


class Images(Samples):
    """The stored images of some sides of the split ("train", "validation", "test").

    Args:
        read: with "faces" in it a batch holds the classes, as `faces.part` (B,) of solids without a face.

    Shapes: batch of B -> frames.image (B, 1, 3, size, size) in [0, 1], frames.face (B, 1, size, size) all -1.
    """

    def __init__(self, folder: Path, *sides: str, read: frozenset[str] = frozenset({"frames"})) -> None:
        self.about = read_about(folder)
        self.uids = tuple(uid for side in sides for uid in self.about.split[side])
        self.read = read
        self._frames = open_frames(folder)

    @property
    def size(self) -> int:
        return self._frames.size

    def labels(self) -> np.ndarray:
        """(len(self),) int64 class of each image, UNLABELLED = none."""
        return self._classes(self.uids)

    def _classes(self, uids: Sequence[str]) -> np.ndarray:
        return np.array([self.about.labels[uid] for uid in uids], np.int64)

    def labelled(self, uids: Sequence[str]) -> np.ndarray:
        known: np.ndarray = self._classes(uids) != UNLABELLED
        return known & ("faces" in self.read)

    def _faces(self, uids: Sequence[str]) -> Faces:
        none = torch.zeros(0, dtype=torch.long)
        classes = torch.from_numpy(self._classes(uids))
        return Faces(solid=none, surface=none, scalars=torch.zeros(0, 2), label=none, part=classes)

    def batch(self, uids: Sequence[str]) -> Batch:
        pixels = torch.from_numpy(np.stack([self._frames[uid][0] for uid in uids]))
        image = pixels.permute(0, 1, 4, 2, 3).float().div_(255)
        face = torch.full((1, 1, 1, 1), -1).expand(len(uids), 1, self.size, self.size)
        faces = self._faces(uids) if "faces" in self.read else None
        return Batch(tuple(uids), faces, Frames(image, face))


def store_images(path: Path, size: int, limit: int, validation: float, test: float, work: Path) -> Path:
    """Decodes all images of `path` into a folder below `work`, unless it is there; returns that folder.

    Args:
        path: folder or tar archive.
        size: side of the stored images in pixels.
        limit: at most so many, 0 = all.
        validation, test: shares of the images, where `path` has no folders of those names.

    Two files with the same content are one image, so that none can train and test: the first that is read is kept.
    Raises SourceError where `path` is no such thing or none of its images can be read.
    """
    folder = work / f"images-{_key(path, size, limit, validation, test)}"
    if (folder / ABOUT).is_file():
        return folder
    with output_folder(folder) as claim, claim.filled() as new:
        _fill(new, path, size, limit, validation, test)
    return folder


def _fill(new: Path, path: Path, size: int, limit: int, validation: float, test: float) -> None:
    digests: dict[str, str] = {}
    rejects: list[dict[str, str]] = []
    total, files = read_files(path, limit)
    with FrameWriter(new, 1, size) as writer, progress(total, "images") as advance:
        first: dict[str, str] = {}
        for given, content in files:
            name = given.encode("utf-8", "replace").decode()  # a file's name need not be text
            digest = "" if isinstance(content, Refused) else hashlib.sha256(content).hexdigest()
            pixels = content if isinstance(content, Refused) else decode(name, content, size)
            if digest in first or name in digests:
                pixels = Refused("duplicate", f"{name}: the same bytes or name as {first.get(digest, name)}")
            if isinstance(pixels, Refused):
                rejects.append({"file": name, "reason": pixels.reason, "detail": pixels.detail})
                continue
            first[digest], digests[name] = name, digest
            writer.add(name, pixels[None], np.full((1, size, size), -1, np.int16))
            advance(len(digests), f"{len(rejects)} left out" if rejects else "")
    reasons = dict(sorted(Counter(reject["reason"] for reject in rejects).items()))
    if not digests:
        raise SourceError(f"{path}: none of its images can be read: {reasons}; first: {rejects[0]['detail']}")
    classes, labels = _labels(digests)
    digest = hashlib.sha256("".join(f"{name} {digests[name]}\n" for name in sorted(digests)).encode()).hexdigest()
    about = ImageSet(digest, classes, labels, _split(digests, validation, test), reasons)
    write_list(new / REJECTS, rejects, LEFT_OUT)
    (new / ABOUT).write_text(json.dumps(asdict(about), indent=1) + "\n")


def read_about(folder: Path) -> ImageSet:
    return ImageSet(**json.loads((folder / ABOUT).read_text()))


def _key(path: Path, size: int, limit: int, validation: float, test: float) -> str:
    """All that a store depends on. Of the files it takes name, size and time: reading them is what it is to save."""
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path] if path.is_file() else []
    stats = [(str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in files]
    return hashlib.sha256(repr((VERSION, size, limit, validation, test, stats)).encode()).hexdigest()[:16]


def _folders(name: str) -> tuple[str, ...]:
    return PurePosixPath(name).parts[:-1]


def _labels(names: Iterable[str]) -> tuple[list[str], dict[str, int]]:
    """A class is the innermost folder, unless that is the folder around everything or a side of the split."""
    names = list(names)
    around = {_folders(name)[:1] for name in names}
    shared = next(iter(around)) if len(around) == 1 else ()
    inner = {name: _folders(name)[len(shared) :] for name in names}
    of = {name: folders[-1] for name, folders in inner.items() if folders and folders[-1].lower() not in SIDE_OF}
    classes = sorted(set(of.values()))
    place = {name: number for number, name in enumerate(classes)}
    return classes, {name: place[of[name]] if name in of else UNLABELLED for name in names}


def _split(names: Iterable[str], validation: float, test: float) -> dict[str, list[str]]:
    """By the folders; a side for which there is no folder is drawn from the rest by the hash of the name."""
    given = {n: next((SIDE_OF[f.lower()] for f in _folders(n) if f.lower() in SIDE_OF), "train") for n in names}
    split = {side: sorted(n for n, s in given.items() if s == side) for side in ("train", "validation", "test")}
    drawn = make_split({name: name for name in split["train"]}, validation, test)
    for side in ("validation", "test"):
        if not split[side]:
            split[side] = drawn[side]
            split["train"] = sorted(set(split["train"]) - set(drawn[side]))
    return split
