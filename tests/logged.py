"""Every call of the code that logs, as it stands in the source."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
_ENTRY_POINTS = ("wsgi.py", "scheduler.py", "gunicorn.conf.py")


@dataclass(frozen=True)
class Call:
    """One call: log.LEVEL("EVENT", FIELD=...)."""

    where: str
    level: str | None
    """None: it is chosen at run time."""
    event: str
    fields: frozenset[str]
    exception: bool | None
    """Whether it writes a traceback; None: that is decided at run time."""


@cache
def calls() -> list[Call]:
    """All of the service, and of the simulated cloud."""
    return [
        _call(f"{file}:{node.lineno}", node.func.attr, node)
        for file, tree in _trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "log"
        and node.func.attr in LEVELS | {"log"}
    ]


def loggers() -> Iterator[tuple[str, str]]:
    """Where a logger is made, and what it is called there; one that has no name of its own as it is made."""
    for file, tree in _trees().items():
        named = {
            id(node.value): ast.unparse(target)
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign)
            for target in node.targets
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("get_logger"):
                yield f"{file}:{node.lineno}", named.get(id(node), ast.unparse(node))


def users_of(module: str) -> list[str]:
    """The files that import it."""
    return [
        file
        for file, tree in _trees().items()
        for node in ast.walk(tree)
        if (isinstance(node, ast.Import) and module in {one.name for one in node.names})
        or (isinstance(node, ast.ImportFrom) and node.module == module)
    ]


@cache
def _trees() -> dict[str, ast.Module]:
    files = [*sorted((ROOT / "app").rglob("*.py")), *(ROOT / one for one in _ENTRY_POINTS)]
    return {str(file.relative_to(ROOT)): ast.parse(file.read_text()) for file in files}


def _call(where: str, method: str, node: ast.Call) -> Call:
    """Read it; the event and the names of the fields must stand there, not be made at run time."""
    event = node.args[1 if method == "log" else 0]
    assert isinstance(event, ast.Constant), f"{where}: the event is not named where it is logged"
    named = {one.arg: one.value for one in node.keywords}
    assert None not in named, f"{where}: the fields are not named where they are logged"
    traceback: bool | None = method == "exception" or "exc_info" in named
    return Call(
        where=where,
        level=None if method == "log" else "error" if method == "exception" else method,
        event=str(event.value),
        fields=frozenset(str(name) for name in named if name != "exc_info"),
        exception=None if method == "log" else traceback,
    )
