"""Every command of README and of the pages below docs is one that there is, with options that there are."""

import re
import shlex
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import click
import pytest
import yaml

from brep_mae.cli import main
from brep_mae.closure import source
from tests.docs.pages import PAGES, Line, named, scripts

LINES = [line for page in PAGES for script in scripts(page) for line in script]
NAMED = [line for page in PAGES for line in named(page)]


def of_brep_mae(words: list[str]) -> None:
    """Parses the words as click would, but for whether files are there; runs nothing."""
    command: click.Command = main
    context = click.Context(main, info_name="brep-mae", **main.context_settings)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        assert words[0] in command.commands, f"no command {words[0]}"
        command = command.commands[words.pop(0)]
    with suppress(click.exceptions.Exit):  # of --help and --version
        command.make_context(command.name, words, parent=context)


def of_make(words: list[str]) -> None:
    targets = re.findall(r"^\.PHONY: (.*)", Path("Makefile").read_text(), re.MULTILINE)[0].split()
    settings = set(re.findall(r"^(\w+) \?=", Path("Makefile").read_text(), re.MULTILINE))
    assert {word for word in words if "=" not in word} <= set(targets)
    assert {word.split("=")[0] for word in words if "=" in word} <= settings


def of_python(words: list[str]) -> None:
    """A module of the repository, and options that stand in its text."""
    assert words.pop(0) == "-m"
    module = words.pop(0)
    if module == "brep_mae":
        return of_brep_mae(words)
    text = source(module).read_text()
    missing = [word for word in words if word.startswith("--") and f'"{word}"' not in text]
    assert not missing, f"{module} has no {missing}"


def of_torchrun(words: list[str]) -> None:
    of_python(words[words.index("-m") :])


def of_dvc(words: list[str]) -> None:
    """A graph or stage that there is, and settings of params.yaml."""
    params = yaml.safe_load(Path("params.yaml").read_text())
    for setting in (words[i + 1] for i, word in enumerate(words) if word == "-S"):
        value = params
        for key in setting.partition("=")[0].split("."):
            value = value[key]
    for word in words:
        if "dvc.yaml" in word:
            graph, _, stage = word.partition(":")
            assert not stage or stage.split("@")[0] in yaml.safe_load(Path(graph).read_text())["stages"]


def of_pytest(words: list[str]) -> None:
    files = [word.split("::")[0] for word in words if "/" in word]
    assert all(Path(file).exists() for file in files), files


PROGRAMS: dict[str, Callable[[list[str]], None]] = {
    "brep-mae": of_brep_mae,
    "make": of_make,
    "python": of_python,
    "dvc": of_dvc,
    "torchrun": of_torchrun,
    "pytest": of_pytest,
    "git": lambda words: None,
    "cd": lambda words: None,
}


def checked(text: str) -> None:
    for one in text.split("&&"):
        words = [word for word in shlex.split(one.replace("<", "").replace(">", ""))]
        while "=" in words[0]:  # a variable of the environment
            words.pop(0)
        program = words.pop(0).removeprefix(".venv/bin/")
        assert program in PROGRAMS, f"what is {program}?"
        PROGRAMS[program](words)


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line.page}: {line.text}")
def test_a_command_of_a_page_is_one_that_there_is(line: Line) -> None:
    checked(line.text)


@pytest.mark.parametrize("line", NAMED, ids=lambda line: f"{line.page}: {line.text}")
def test_a_command_that_a_sentence_names_is_one_that_there_is(line: Line) -> None:
    with suppress(click.MissingParameter, click.exceptions.NoArgsIsHelpError):  # it is named in short
        checked(line.text)


@pytest.mark.parametrize(
    "wrong",
    [
        "brep-mae guess my_parts",
        "brep-mae parse my_parts --to shards",
        "brep-mae parse my_parts",
        "brep-mae generate --kind nonsense --count 3 --out parts",
        "make everything",
        "python -m benchmarks.mlo_mae --nothing 3",
        "dvc exp run -S dataset.colour=red",
        "dvc repro dvc.yaml:nothing",
        "pytest tests/nowhere.py",
        "rm -r models",
    ],
)
def test_a_command_that_there_is_not_is_found(wrong: str) -> None:
    with pytest.raises((AssertionError, click.UsageError, KeyError)):
        checked(wrong)


def test_the_list_of_commands_names_no_other_ones() -> None:
    listed = re.findall(r"^\| `([\w-]+)` \|", Path("docs/command-line.md").read_text(), re.MULTILINE)
    assert listed and set(listed) <= main.commands.keys()
