"""Writes a page for each method from the head of its file: `python -m docs.draw_methods`."""

import ast
import re
from pathlib import Path

from brep_mae.closure import ROOT

FOLDER = Path(__file__).parent / "methods"
CODE = ROOT / "brep_mae" / "pretext"
ARXIV = re.compile(r"arXiv:(\d{4}\.\d{5})")


def pages() -> dict[str, str]:
    """Name of a method -> the text of its page."""
    return {path.stem: page(path) for path in sorted(CODE.glob("[!_]*.py"))}


def page(path: Path) -> str:
    said = ast.get_docstring(ast.parse(path.read_text())) or ""
    said = ARXIV.sub(r"[arXiv:\1](https://arxiv.org/abs/\1)", said)
    said = re.sub(r"\s+(Differs from the paper\b)", r"\n\n**\1**", said)
    return f"""# {path.stem}

{said}

| | |
|---|---|
| file | `brep_mae/pretext/{path.name}` |
| settings | `methods.{path.stem}` in `params.yaml` |
| acceptance checks | `tests/pretext`, and `tests/contracts`, which hold for every method |
| evidence | [default data](../results.md), [what papers promise](../claims.md), [few labels](../transfer.md) |

[All methods](../methods.md)
"""


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for old in set(FOLDER.glob("*.md")) - {FOLDER / f"{name}.md" for name in pages()}:
        old.unlink()
    for name, text in pages().items():
        (FOLDER / f"{name}.md").write_text(text)
