"""What all commands have in common: help, version, exit codes, completion."""

import os
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from brep_mae.cli import main
from tests.cli.small_tasks import ok, run


def commands(
    command: click.Command = main, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    for name, each in command.commands.items() if isinstance(command, click.Group) else ():
        yield from commands(each, (*path, name))


ALL = dict(commands())


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_help_is_whole_and_says_what_every_option_does(path: tuple[str, ...]) -> None:
    shown = ok(*path, "-h")
    assert shown == ok(*path, "--help")
    assert "..." not in shown.split("\n", 1)[1], "a sentence is cut off"
    silent = [each.name for each in ALL[path].params if isinstance(each, click.Option) and not each.help]
    assert not silent


def test_a_list_of_commands_shows_whole_sentences_whatever_their_length() -> None:
    sentence = "Says " + "at great length " * 20 + "what it does."
    group = main.commands["task"].__class__("group", commands=[click.Command("one", help=sentence)])
    with click.Context(group) as context:
        assert " ".join(group.get_help(context).split()).endswith(sentence)


def test_the_package_runs_as_a_module_and_says_its_version() -> None:
    done = subprocess.run([sys.executable, "-m", "brep_mae", "--version"], capture_output=True, text=True)
    assert done.stdout == ok("--version").replace("main", "brep-mae") and done.stdout.startswith("brep-mae 0.")


def test_the_shell_is_told_how_to_complete() -> None:
    asked = os.environ | {"_BREP_MAE_COMPLETE": "bash_complete", "COMP_WORDS": "brep-mae ver", "COMP_CWORD": "1"}
    done = subprocess.run([sys.executable, "-m", "brep_mae"], env=asked, capture_output=True, text=True)
    assert done.stdout == "plain,verify\n"


def test_wrong_usage_an_error_and_ctrl_c_have_each_their_exit_code(tmp_path, monkeypatch) -> None:
    assert run("verify").exit_code == 2
    assert run("verify", tmp_path / "nowhere").exit_code == 1

    def interrupted(folder):
        raise KeyboardInterrupt

    monkeypatch.setattr("brep_mae.output.note.noted", interrupted)
    assert run("verify", tmp_path).exit_code == 130
