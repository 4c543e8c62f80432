"""A group of commands: its list shows whole sentences, and Ctrl-C has the exit code that shells give it."""

from typing import Any

import click

INTERRUPTED = 130
"""Exit code after Ctrl-C. The others are click's: 0 fine; 1 an error, with file, reason and remedy; 2 wrong usage."""


class Commands(click.Group):
    """A group that cuts no sentence off and ends by INTERRUPTED after Ctrl-C."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        longest = len(max((command.help or "" for _, command in found if command), key=len))
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.get_short_help_str(longest)) for name, command in found if command])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise click.exceptions.Exit(INTERRUPTED) from None
