"""For mkdocs: a link to a file of the repository beside `docs`, which the site lacks, becomes the file's name."""

import re
from typing import Any

OUTSIDE = re.compile(r"\[([^\]]*)\]\(\.\./([^)#]*)[^)]*\)")
"""`[text](../folder/file.md#part)`."""


def on_page_markdown(markdown: str, **_: Any) -> str:
    return OUTSIDE.sub(_named, markdown)


def _named(link: re.Match[str]) -> str:
    text, file = link.groups()
    return text if file in text else f"{text} (`{file}`)"
