"""Draws who imports whom, from the code, into docs/architecture.md: `python -m docs.draw_imports`."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from grimp import ImportGraph, build_graph

from brep_mae.closure import LOADED_BY_NAME

PAGE = Path(__file__).parent / "architecture.md"
PICTURE = re.compile(r"(?<=```mermaid\n).*?(?=```)", re.DOTALL)
"""Mermaid text in the page, which GitHub and most editors show as a picture."""
BASE = "records, settings, seeds"
"""One box for all modules beside the rooms that import no room."""

Imports = dict[str, set[str]]
"""Box -> the boxes whose code it imports."""


def imports_between(graph: ImportGraph, box_of: Callable[[str], str]) -> Imports:
    """What is imported from one box into another. Modules whose box is "" are left out."""
    imports: Imports = {box: set() for module in graph.modules if (box := box_of(module))}
    for module in graph.modules:
        if importer := box_of(module):
            imported = {box_of(other) for other in graph.find_modules_directly_imported_by(module)}
            imports[importer] |= imported - {importer, ""}
    return imports


def between_rooms(graph: ImportGraph) -> Imports:
    """Among the packages of brep_mae, the modules beside them, and all of pipelines as one."""
    rooms = {child for child in graph.find_children("brep_mae") if graph.find_children(child)}

    def room_of(module: str) -> str:
        package, _, rest = module.partition(".")
        if not rest:
            return package if package == "pipelines" else ""
        return rest.split(".")[0] if package == "brep_mae" else package

    imports = imports_between(graph, room_of)
    names = {room.removeprefix("brep_mae.") for room in rooms}
    base = {name for name in imports if name not in names | {"pipelines"} and not imports[name] & names}
    return imports_between(graph, lambda module: BASE if room_of(module) in base else room_of(module))


def inside_brep(graph: ImportGraph) -> Imports:
    """Among the packages of brep."""
    packages = {child for child in graph.find_children("brep_mae.brep") if graph.find_children(child)}

    def package_of(module: str) -> str:
        package = ".".join(module.split(".")[:3])
        return package.removeprefix("brep_mae.").replace(".", "/") if package in packages else ""

    return imports_between(graph, package_of)


def reached(imports: Imports, boxes: Iterable[str]) -> set[str]:
    """All that `boxes` import, directly or not."""
    known: set[str] = set()
    todo = set(boxes)
    while todo:
        todo = {other for box in todo for other in imports[box]} - known
        known |= todo
    return known


def shortened(imports: Imports) -> Imports:
    """Without each arrow that a longer way replaces, such as a -> c beside a -> b -> c."""
    return {box: others - reached(imports, others) for box, others in imports.items()}


def mermaid() -> str:
    """Both pictures in one flowchart; the same text for the same imports."""
    graph = build_graph("brep_mae", "pipelines", exclude_type_checking_imports=True, cache_dir=None)
    lines = ["flowchart TD"]
    for imports in (shortened(between_rooms(graph)), shortened(inside_brep(graph))):
        lines += [f'    {_id(box)}["{box}"]' for box in sorted(imports)]
        lines += [f"    {_id(box)} --> {_id(other)}" for box in sorted(imports) for other in sorted(imports[box])]
    rooms = {(_room(module), _room(plugins)) for module, plugins in LOADED_BY_NAME.items()}
    lines += [f"    {_id(loader)} -.-> {_id(loaded)}" for loader, loaded in sorted(rooms) if loader != loaded]
    return "\n".join(lines) + "\n"


def _room(module: str) -> str:
    """The package of brep_mae that a module lies in."""
    return module.split(".")[1]


def _id(box: str) -> str:
    return re.sub(r"\W+", "_", box)


def drawn(page: str) -> str:
    """The page with the picture of the imports as they are."""
    return PICTURE.sub(lambda _: mermaid(), page, count=1)


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text()))
