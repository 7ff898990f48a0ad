"""Tables within any width, times as people write them, and a remedy for each warning."""

import io
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest
from rich.console import Console

from app.cli import remedies, tables, times
from app.cli.tables import Column, Table
from app.domain.model import Limit

NOW = datetime(2026, 11, 22, 20, 15, tzinfo=UTC)
TABLE = Table(
    (Column("INSTANCE"), Column("SINCE", rank=1), Column("N", rank=2, right=True), Column("WHY", text=True)),
    [
        ("i-0123456789abcdef0", NOW - timedelta(minutes=3), 7, "a reason that is rather long to tell"),
        ("i-0123456789abcdef1", NOW + timedelta(hours=2), None, None),
    ],
    NOW,
)


def on_screen(width: int, **options: bool) -> list[str]:
    file = io.StringIO()
    screen = Console(file=file, force_terminal=True, width=width, **options)  # type: ignore[arg-type]
    tables.show(screen, TABLE)
    return file.getvalue().splitlines()


@pytest.mark.parametrize("width", [120, 80, 60, 50, 40])
def test_a_table_stays_within_the_screen_and_its_first_column_whole(width: int) -> None:
    lines = on_screen(width, no_color=True)
    plain = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]

    assert all(len(line) <= width for line in plain)
    assert any(line.startswith("i-0123456789abcdef0 ") for line in plain)


def test_what_matters_least_is_left_out_first() -> None:
    heads = [re.sub(r"\x1b\[[0-9;]*m", "", on_screen(width)[0]).split() for width in (80, 45, 40)]

    assert heads == [["INSTANCE", "SINCE", "N", "WHY"], ["INSTANCE", "SINCE", "WHY"], ["INSTANCE", "WHY"]]


def test_people_are_told_ages_and_programs_moments() -> None:
    assert any(" 3m " in line for line in on_screen(80))
    assert TABLE.lines() == [
        "INSTANCE             SINCE                 N  WHY",
        "i-0123456789abcdef0  2026-11-22T20:12:00Z  7  a reason that is rather long to tell",
        "i-0123456789abcdef1  2026-11-22T22:15:00Z  -  -",
    ]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("45m", 2700),
        ("2h", 7200),
        ("1h30m", 5400),
        ("7d", 604_800),
        ("1d2h3m4s", 93_784),
    ],
)
def test_a_time_is_written_as_people_do(text: str, seconds: int) -> None:
    assert times.Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "0", "h", "2 h", "-5", "1.5h", "30m2h", "two", "none", "٣"])
def test_what_is_not_a_time_is_wrong_usage(text: str) -> None:
    with pytest.raises(click.BadParameter):
        times.Duration().convert(text, None, None)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (-5, "0s"),
        (59.9, "59s"),
        (60, "1m"),
        (250, "4m10s"),
        (600, "10m"),
        (3700, "1h1m"),
        (9e6, "104d"),
    ],
)
def test_how_long_it_took_is_told_in_two_units_at_most(seconds: float, text: str) -> None:
    assert times.long(timedelta(seconds=seconds)) == text


def test_there_is_a_remedy_for_each_warning_and_each_limit() -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "warnings.md").read_text()
    documented = set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE))

    assert remedies.LIMITS.keys() == set(Limit)
    assert remedies.WARNINGS.keys() >= documented - remedies.LIMITS.keys()


def test_what_aws_answered_is_looked_into_by_doctor() -> None:
    assert "doctor" in (remedies.of_warning("aws-denied") or "")
    assert remedies.of_warning("brand-new") is None
