"""Answers -> all that is made from them: a page, coloured STEP files and GLB files, in one pass over the CAD files."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from brep_mae.answers import SolidAnswers
from brep_mae.brep.reject import Reject
from brep_mae.brep.write.drawing import Drawing
from brep_mae.brep.write.pool import Made, WriteOptions, make_files
from brep_mae.cad_files import suffix_of
from brep_mae.output.files import write_whole
from brep_mae.output.folder import output_file, output_folder
from brep_mae.palette import Color, class_colors
from brep_mae.progress import progress
from brep_mae.viewer.page import DrawnFile, write_page


@dataclass(frozen=True)
class Outputs:
    """What to write; None = not.

    Args:
        html: a page that shows all files.
        step, glb: folders for a coloured file for each CAD file, replaced in one step.
    """

    html: Path | None = None
    step: Path | None = None
    glb: Path | None = None


@dataclass
class Written:
    """What was written.

    Args:
        paths: page and files.
        left_out: (file, reason) of every file or solid that is not in all of them.
    """

    paths: list[Path] = field(default_factory=list)
    left_out: list[tuple[str, Reject]] = field(default_factory=list)


def write_outputs(
    said: Sequence[SolidAnswers],
    classes: Sequence[str],
    outputs: Outputs,
    title: str,
    workers: int,
    deadline_s: float,
    memory_mb: int,
) -> Written:
    """Writes what was asked for of all files that something is said of. Nothing is left half-written.

    Args:
        said: solids of a file together.
        classes: those of the model, in its order, which gives them their colours.
        title: of the page.
        workers, deadline_s, memory_mb: as in `brep.workers`.

    Raises:
        OutputError: the system refuses, or an output holds what this program did not write.
        ValueError: none of the files could be used.
    """
    by_path = {path: list(group) for path, group in groupby(said, lambda answers: answers.path)}
    colors = class_colors([*classes, *sorted(set().union(*(answers.names for answers in said)) - set(classes))])
    drawn = bool(outputs.html or outputs.glb)
    options = WriteOptions(by_path, colors, bool(outputs.step), drawn, deadline_s, memory_mb)
    stems = _stems(by_path)
    result = Written()
    with ExitStack() as stack:
        if outputs.html:
            stack.enter_context(output_file(outputs.html))
        step, glb = (
            stack.enter_context(stack.enter_context(output_folder(out)).filled()) if out else None
            for out in (outputs.step, outputs.glb)
        )
        made = _made(list(by_path), options, workers, result)

        def shown() -> Iterator[DrawnFile]:
            for path, one in made:
                answers = {solid.solid: solid for solid in by_path[path]}
                drawings = [drawing for drawing in one.drawings if isinstance(drawing, Drawing)]
                if step and outputs.step and one.step is not None:
                    result.paths.append(_stored(step, outputs.step, f"{stems[path]}.step", one.step))
                if glb and outputs.glb and drawings:
                    data = _glb(drawings, answers, colors)
                    result.paths.append(_stored(glb, outputs.glb, f"{stems[path]}.glb", data))
                if drawings:
                    yield DrawnFile(by_path[path][0].file, drawings, answers)

        if outputs.html:
            write_page(outputs.html, title, shown(), colors)
            result.paths.append(outputs.html)
        else:
            for _ in shown():
                pass
        if not result.paths:
            raise ValueError(f"none of {len(by_path)} files could be written")
    return result


def _glb(drawings: list[Drawing], answers: dict[int, SolidAnswers], colors: dict[str, Color]) -> bytes:
    from brep_mae.brep.write.glb import glb_file

    return glb_file([(drawing, answers.get(drawing.solid)) for drawing in drawings], colors)


def _made(files: list[Path], options: WriteOptions, workers: int, result: Written) -> Iterator[tuple[Path, Made]]:
    """What could be made; the rest is noted in the result."""
    with progress(len(files), "write") as advance:
        for done, (path, one) in enumerate(make_files(files, options, workers), 1):
            advance(done, "")
            flaws = [one] if isinstance(one, Reject) else [flaw for flaw in one.drawings if isinstance(flaw, Reject)]
            result.left_out += [(options.answers[path][0].file, flaw) for flaw in flaws]
            if not isinstance(one, Reject):
                yield path, one


def _stems(by_path: dict[Path, list[SolidAnswers]]) -> dict[Path, str]:
    """The name of each file in an output folder, without a suffix; two that differ in the suffix alone keep it."""
    full = {path: answers[0].file for path, answers in by_path.items()}
    bare = {path: name[: len(name) - len(suffix_of(path))] for path, name in full.items()}
    taken = [name.lower() for name in bare.values()]
    return {path: bare[path] if taken.count(bare[path].lower()) == 1 else full[path] for path in full}


def _stored(folder: Path, shown_as: Path, name: str, data: bytes) -> Path:
    place = folder / name
    if not place.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{name}: leads out of the folder {shown_as}; remedy: give the file another name")
    place.parent.mkdir(parents=True, exist_ok=True)
    write_whole(place, data)
    return shown_as / name
