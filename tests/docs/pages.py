"""The pages for people: README and all below docs."""

import re
from dataclasses import dataclass
from pathlib import Path

PAGES = [Path(name) for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md")]
PAGES += sorted(Path("docs").rglob("*.md"))
BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
COMMAND = re.compile(r"`((?:python -m|brep-mae|make|dvc repro|dvc exp|pytest) [^`]+)`")
RECIPES = "\n## Recipes\n"
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Line:
    """A command of a page, whole though it may be broken into lines there, without its comment."""

    page: Path
    text: str


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return BLOCK.sub("", page.read_text())


def links(page: Path) -> list[str]:
    """Where the page's relative links lead."""
    return [target for target in LINK.findall(prose(page)) if not re.match(r"[a-z]+:", target)]


def anchors(page: Path) -> set[str]:
    """The places within a page that a link can name, as GitHub makes them of headings."""
    texts = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(prose(page)))
    return {text.strip().replace(" ", "-") for text in texts}


def named(page: Path) -> list[Line]:
    """The commands that stand in the text itself, such as `make docs`; not those that leave out what they are about."""
    found = COMMAND.findall(prose(page).split(RECIPES)[0])
    return [Line(page, " ".join(text.split())) for text in found if "COMMAND" not in text]


def scripts(page: Path) -> list[list[Line]]:
    """The commands of every `sh` block; the recipes of CONTRIBUTING.md have a test of their own."""
    found = []
    for language, text in BLOCK.findall(page.read_text().split(RECIPES)[0]):
        if language == "sh":
            lines = text.replace("\\\n", " ").splitlines()
            commands = (re.sub(r"(^|\s)#.*", "", line).strip() for line in lines)
            found.append([Line(page, command) for command in commands if command])
    return found
