"""A program whose help lists its commands by section, and which loads only the one that runs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import click
from click.shell_completion import CompletionItem


@dataclass(frozen=True, slots=True)
class Entry:
    """One command as the program's help lists it."""

    name: str
    summary: str
    """One line; the command's own `short_help` is the same."""
    load: Callable[[], click.Command]
    """Imports what the command needs, and makes it."""


class Program(click.Group):
    """Commands in sections. Listing them loads none of them: help and completion answer at once."""

    sections: dict[str, tuple[Entry, ...]]

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """See click.Group: the names, as the help has them."""
        return [entry.name for entry in self._entries()]

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        cmd_name: str,
    ) -> click.Command | None:
        """See click.Group: load the command."""
        return next((entry.load() for entry in self._entries() if entry.name == cmd_name), None)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """See click.Group: what is not a command is answered with those that look like it."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            raise click.NoSuchCommand(
                error.command_name, possibilities=self.list_commands(ctx), ctx=ctx
            ) from None

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        formatter: click.HelpFormatter,
    ) -> None:
        """See click.Group: a list for each section."""
        column = max(len(entry.name) for entry in self._entries())
        for title, entries in self.sections.items():
            with formatter.section(title):
                formatter.write_dl([(entry.name.ljust(column), entry.summary) for entry in entries])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """See click.Group: names with their summaries, and the program's own options."""
        names = [
            CompletionItem(entry.name, help=entry.summary)
            for entry in self._entries()
            if entry.name.startswith(incomplete)
        ]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    def _entries(self) -> Iterator[Entry]:
        return (entry for entries in self.sections.values() for entry in entries)
