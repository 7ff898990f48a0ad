"""Tables: coloured and within the width of the screen for people, whole and plain in a pipe."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import click
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from app.cli import output, times

STATES = {
    "booting": "yellow",
    "idle": "green",
    "allocated": "cyan",
    "terminating": "red",
    "terminated": "dim",
}
"""The colour of each state."""
NOTHING = "-"
_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_GAP = 2
_LEGIBLE = 16
"""Columns that a text needs at least to be read in several lines."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    title: str
    rank: int = 0
    """Those of the highest rank are left out first where the screen is narrow; 0 always stays."""
    right: bool = False
    text: bool = False
    """Whether its cells may take several lines."""


Cell = str | Text | datetime | int | None


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and rows; moments are told by their age to people, in full to programs."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    now: datetime

    def fitted(self, width: int) -> RenderableType:
        """Return it for a screen of so many columns."""
        cells = [[_for_people(cell, self.now) for cell in row] for row in self.rows]
        shown = self._fitting(cells, width)
        grid = Grid(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
        for index in shown:
            column = self.columns[index]
            grid.add_column(
                column.title,
                justify="right" if column.right else "left",
                no_wrap=not column.text,
                overflow="fold" if column.text else "ellipsis",
            )
        for row in cells:
            grid.add_row(*(row[index] for index in shown))
        return grid

    def lines(self) -> list[str]:
        """Return it for a pipe: nothing is cut off, and nothing depends on a width or on the time of day."""
        rows = [[column.title for column in self.columns]]
        rows += [[_for_programs(cell) for cell in row] for row in self.rows]
        widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
        return [
            "  ".join(
                cell.rjust(width) if column.right else cell.ljust(width)
                for column, cell, width in zip(self.columns, row, widths, strict=True)
            ).rstrip()
            for row in rows
        ]

    def _fitting(self, cells: Sequence[Sequence[Text]], width: int) -> list[int]:
        needs = [
            max([cell_len(column.title), *(row[index].cell_len for row in cells)])
            for index, column in enumerate(self.columns)
        ]
        needs = [
            min(need, _LEGIBLE) if column.text else need
            for need, column in zip(needs, self.columns, strict=True)
        ]
        shown = list(range(len(self.columns)))
        while sum(needs[index] + _GAP for index in shown) - _GAP > width:
            worst = max(shown, key=lambda index: (self.columns[index].rank, index))
            if not self.columns[worst].rank:
                break
            shown.remove(worst)
        return shown


def show(screen: Console, table: Table) -> None:
    """Print a table."""
    if screen.is_terminal:
        screen.print(table.fitted(screen.width))
    else:
        for line in table.lines():
            screen.print(Text(line), soft_wrap=True)


def show_or_say(table: Table, nothing: str) -> None:
    """Print a table; where it has no rows, say so to a person, beside the output."""
    if table.rows:
        show(output.console(wide=True), table)
    else:
        click.echo(nothing, err=True)


def state(name: str, *, held: bool = False) -> Text:
    """Return the name of a state in its colour, and whether the instance is held."""
    return Text.assemble((name, STATES.get(name, "")), (" held", "magenta") if held else "")


def condition(text: str) -> Text:
    """Return what is up with a pool in its colour."""
    return Text(text, style={"ok": "green", "paused": "bold red"}.get(text, "yellow"))


def _for_people(cell: Cell, now: datetime) -> Text:
    match cell:
        case Text():
            return cell
        case datetime():
            return Text(times.long(now - cell) if cell <= now else f"in {times.long(cell - now)}")
        case None:
            return Text(NOTHING, style="dim")
        case _:
            return Text(_harmless(str(cell)))


def _for_programs(cell: Cell) -> str:
    match cell:
        case Text():
            return cell.plain
        case datetime():
            return times.stamp(cell)
        case None:
            return NOTHING
        case _:
            return _harmless(str(cell))


def _harmless(text: str) -> str:
    """Take out what steers a terminal: some cells have words of others."""
    return _STEERING.sub("?", text)
