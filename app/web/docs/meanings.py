"""What the words of the interface mean, read from where they are defined."""

import ast
import inspect
from collections.abc import Iterator
from enum import StrEnum
from functools import cache
from itertools import pairwise
from pathlib import Path

_HERE = Path(__file__).parent


def members(kind: type[StrEnum]) -> dict[str, str]:
    """Return each member with the docstring below it, which exists in the source alone."""
    (definition,) = (
        node for node in ast.parse(inspect.getsource(kind)).body if isinstance(node, ast.ClassDef)
    )
    told = dict(_documented(definition.body))
    return {member.value: told[member.name] for member in kind}


def _documented(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for statement, following in pairwise(body):
        match statement, following:
            case (
                ast.Assign(targets=[ast.Name(id=name)]),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield name, " ".join(text.split())


@cache
def warnings() -> list[tuple[str, str, str]]:
    """Return each warning's code, what it means, and what to do."""
    return [(code, meaning, remedy) for code, meaning, remedy in _rows("warnings.md")]


@cache
def errors() -> dict[str, str]:
    """Return what to do about each error that a request can be answered with."""
    return {code: remedy for code, remedy in _rows("errors.md")}  # noqa: C416 - exactly two cells


def _rows(name: str) -> Iterator[list[str]]:
    """Read a table of Markdown whose first cells are words in backticks."""
    for line in (_HERE / name).read_text().splitlines():
        if line.startswith("| `"):
            word, *others = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
            yield [word.strip("`"), *others]
