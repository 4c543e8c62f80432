"""What a model says of solids: the one form in which predictions are printed, drawn and written into files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Unit = Literal["face", "solid", "file"]
UNITS: tuple[Unit, ...] = ("face", "solid", "file")
"""What something is said of."""
UNSURE = 0.6
"""An answer with a smaller share than this wants a person's look."""


@dataclass(frozen=True)
class Answer:
    """What is said of one face, solid or file.

    Args:
        classes: one name; of a model with several labels any number of them, () = none of its classes.
        share: how sure the model is, in [0, 1]; of several classes the least sure one's.
        shares: of a model with several labels, how sure it is of each of `classes`.
    """

    classes: tuple[str, ...]
    share: float
    shares: tuple[float, ...] = ()

    @property
    def name(self) -> str:
        """The classes in one word, as it is printed, coloured and written into a file."""
        return ", ".join(self.classes) or "none"

    @property
    def unsure(self) -> bool:
        return self.share < UNSURE


@dataclass(frozen=True)
class SolidAnswers:
    """What is said of one solid.

    Args:
        path: the CAD file.
        file: its name as people are shown it, relative to the folder that holds all files that were asked about.
        solid: the number of the solid in its file, as `brep-mae inspect` gives it.
        surfaces: type of each face's surface, by the face's number.
        faces: an answer for each face, by its number; () where solids or files are what has a class.
        whole: the answer for the solid, or for its whole file; None where faces are what has a class.
        face_names: name of each face in the file, by the face's number; () where no face has one.
    """

    path: Path
    file: str
    solid: int
    surfaces: tuple[str, ...]
    faces: tuple[Answer, ...] = ()
    whole: Answer | None = None
    face_names: tuple[str, ...] = ()

    def of_face(self, number: int) -> Answer:
        """The answer that holds for a face: its own, or its solid's."""
        answer = self.faces[number] if self.faces else self.whole
        assert answer is not None
        return answer

    @property
    def names(self) -> set[str]:
        """Of all that is said of the solid and its faces."""
        return {answer.name for answer in (*self.faces, self.whole) if answer is not None}


@dataclass(frozen=True)
class LeftOut:
    """A solid that nothing is said of, or a whole file where it gave none, and why; `solid` is its number."""

    path: Path
    file: str
    solid: int
    reason: str
    detail: str
