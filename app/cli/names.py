"""Names that the shell can complete: pools, projects, instances. Silent where the service cannot be asked."""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from app.cli import reach
from app.domain.errors import InvalidInstanceId
from app.domain.model import instance_id

if TYPE_CHECKING:
    from app.client import Client

QUICK = 1.0
"""Seconds that somebody waits for a completion."""
_MANY = 500

Names = Callable[["Client"], Iterable[tuple[str, str]]]


def _pools(client: "Client") -> Iterable[tuple[str, str]]:
    return ((pool.name, f"{pool.instances.idle} idle") for pool in client.pools())


def _projects(client: "Client") -> Iterable[tuple[str, str]]:
    return ((one.project, f"{one.instance} of {one.pool}") for one in client.allocations())


def _instances(client: "Client") -> Iterable[tuple[str, str]]:
    return ((one.id, " ".join(filter(None, (one.state, one.project)))) for one in client.instances())


def _completed(names: Names) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem[str]]]:
    def complete(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        try:
            with reach.connect(context, timeout=QUICK) as client:
                found = list(islice(names(client), _MANY))
        except Exception:  # noqa: BLE001 - a message here would stand in the middle of what is being typed
            return []
        return [CompletionItem(name, help=text) for name, text in found if name.startswith(incomplete)]

    return complete


def _not_empty(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value == "":
        raise click.BadParameter("it is empty.", context, parameter)
    return value


def _an_id(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else instance_id(value)
    except InvalidInstanceId as error:
        raise click.BadParameter(error.detail, context, parameter) from error


of_pools, of_projects, of_instances = _completed(_pools), _completed(_projects), _completed(_instances)


def pool_option(text: str) -> Callable[[Any], Any]:
    """Add `--pool`."""
    return click.option("--pool", metavar="POOL", help=text, shell_complete=of_pools)


def project_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """Take a project that holds an instance."""
    return click.argument("project", callback=_not_empty, shell_complete=of_projects)(command)


def instance_argument(*, required: bool = True) -> Callable[[Any], Any]:
    """Take an instance."""
    return click.argument("instance", required=required, callback=_not_empty, shell_complete=of_instances)


def instance_option(text: str) -> Callable[[Any], Any]:
    """Add `--instance`."""
    return click.option(
        "--instance", metavar="INSTANCE", help=text, callback=_an_id, shell_complete=of_instances
    )


def new_project_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """Take a project, which may hold nothing yet."""
    return click.argument("project", callback=_not_empty)(command)
