"""`make docs`: write docs/reference/ anew from the code; with --check, only tell what is stale.

What the code knows is not written twice: states, settings, errors and events come from their definitions, and
what was measured from bench/results.json.
"""

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import AliasChoices, SecretStr
from pydantic.fields import FieldInfo

from app.domain import errors
from app.domain.errors import OrchestratorError
from app.domain.events import EventKind
from app.domain.model import TRANSITIONS, EndReason, InstanceState, Limit
from app.ports import AllocationOutcome
from app.settings import PoolEntry, Settings
from app.settings.pools import VARIABLES
from app.simulator import control
from app.simulator.faults import Fault
from app.telemetry import log_events
from app.telemetry.families import FAMILIES, Family, Kind, Source
from app.web.docs import meanings
from app.web.problems import STATUS
from bench import page

FOLDER = Path(__file__).parent / "reference"
NOTE = "<!-- Written by `make docs` from the code. Change the code, not this page. -->\n\n"


def states() -> str:
    """Draw the life of an instance from TRANSITIONS."""
    arrows = [f"    {start} --> {end}" for start, ends in TRANSITIONS.items() for end in sorted(ends)]
    return (
        "# The life of an instance\n\n```mermaid\nstateDiagram-v2\n    [*] --> booting\n"
        + "\n".join(arrows)
        + "\n    terminated --> [*]\n```\n\n"
        "No arrow leads from `allocated` back to `idle`: a released instance is terminated, never reused.\n\n"
        + _table(("state", "meaning"), _members(InstanceState))
        + "\nWhy an instance is terminating or terminated:\n\n"
        + _table(("reason", "meaning"), _members(EndReason))
    )


def settings() -> str:
    """List every variable with its default and meaning."""
    rows = [
        (", ".join(f"`{name}`" for name in _names(field, info)), _default(info), str(info.description))
        for field, info in Settings.model_fields.items()
    ]
    return (
        "# Settings\n\nFrom the environment, or from `.env` in the folder the service is started from "
        "(`ORCHESTRATOR_ENV_FILE` names another file, or none when empty); the environment wins. "
        "`AWS_ENDPOINT_URL` and all other variables of botocore work as botocore has them. "
        "Every fault is reported at once, and the service does not start.\n\n"
        + _table(("variable", "default", "meaning"), rows)
        + "\n## The file with several pools\n\n`ORCHESTRATOR_POOLS_FILE` names a TOML file with a table "
        "`[pools.NAME]` for each pool; `default` must be among them. How to: "
        "[several pools](../howto/pools.md).\n\n" + _table(("key", "default", "meaning"), list(_pool_keys()))
    )


def _pool_keys() -> Iterator[tuple[str, ...]]:
    for key, info in PoolEntry.model_fields.items():
        default = "-, it must be there" if info.is_required() else f"`{VARIABLES[key]}`"
        yield f"`{key}`", default, str(info.description)


def errors_page() -> str:
    """List every error code with its status over HTTP."""
    rows = [
        (f"`{kind.code}`", str(_status(kind) or "-"), kind.title() + ".")
        for kind in _tree(OrchestratorError)
        if "code" in vars(kind)
    ]
    return (
        "# Errors\n\nEvery error is `application/problem+json` (RFC 9457) with `type`, `title`, `status`, "
        "`detail` and `code`. Codes never change. Those without a status are not answers: they stand in the "
        "logs, and in `warnings` of `GET /status`. Besides these, HTTP's own errors have their name as code "
        "(`not-found`, `method-not-allowed`, `request-entity-too-large`, `unsupported-media-type`), "
        "`invalid-body` and `invalid-query` list every fault in `errors`, `not-ready` is what `/readyz` "
        "answers, and a bug is `internal-error`.\n\n" + _table(("code", "status", "meaning"), rows)
    )


def events() -> str:
    """List every kind of line in the audit trail."""
    return (
        "# Events\n\nThe audit trail: the table `events` of the registry, never changed, only added to. Each "
        "line has `at`, `kind`, `pool`, `actor`, and where they apply `instance_id`, `project`, `reason`. "
        "The actor is `poller`, `token:NAME`, `admin` (with the admin token of the settings), `anonymous` "
        "(where no token is needed), `cli:USER` (who made or revoked a token), or a replica's name.\n\n"
        + _table(("kind", "meaning"), _members(EventKind))
    )


def log_lines() -> str:
    """List every event of the log, with its fields."""
    sections = []
    for topic, some in log_events.EVENTS.items():
        rows = [
            (
                f"`{one.name}`",
                ", ".join(one.levels),
                one.when,
                ", ".join(f"`{name}`" for name in (*one.fields, *([log_events.EXCEPTION] * one.exception)))
                or "-",
            )
            for one in some
        ]
        sections.append(f"\n## {topic}\n\n" + _table(("event", "level", "when", "fields"), rows))
    return (
        "# Log lines\n\nOne line an event on standard output: a JSON object, or text for people on a "
        "terminal (`ORCHESTRATOR_LOG_FORMAT`). How to read them: "
        "[watch the service](../howto/observe.md#logs). Events and fields keep their names and meanings; new "
        "ones may come. A field that is listed is on each such line, null where there is nothing to tell "
        "(text for people leaves it out then).\n\nEvery line has:\n\n"
        + _table(("field", "meaning"), _described(log_events.LINES))
        + "\nAnd every line that is written on the way of a request:\n\n"
        + _table(("field", "meaning"), _described(log_events.OF_A_REQUEST))
        + "".join(sections)
        + f"\n## Fields\n\n`{log_events.EXCEPTION}` is a traceback, in one string. The others:\n\n"
        + _table(("field", "meaning"), _described(log_events.FIELDS))
    )


def _described(words: Mapping[str, str]) -> list[tuple[str, ...]]:
    return [(f"`{word}`", told) for word, told in words.items()]


def metrics() -> str:
    """List every metric with its labels."""
    header = ("name", "type", "unit", "labels", "meaning")
    tables = {
        source: _table(header, [_metric(one) for one in FAMILIES if one.source is source])
        for source in Source
    }
    buckets = [
        (f"`{one.name}`", ", ".join(f"{end:g}" for end in one.buckets))
        for one in FAMILIES
        if one.kind is Kind.HISTOGRAM
    ]
    return (
        "# Metrics\n\nWhat `GET /metrics` serves, as text for Prometheus or as OpenMetrics. Names, labels "
        "and meanings stay as they are; new ones may come. How to collect and read them: "
        "[watch the service](../howto/observe.md#metrics).\n\n"
        "A service is here one gunicorn with its workers, or one `scheduler.py`: what Prometheus asks.\n\n"
        "## Counted by each service\n\nSince it was started, by all of its worker processes together, and by "
        "those that have ended meanwhile. Add up what the services say: `sum by (pool) (rate(...))`. Counts "
        "with a label `pool` begin at 0; those of actions and routes begin with the first one, which a rate "
        "does not see.\n\n"
        + tables[Source.PROCESS]
        + "\nThe outcomes of requests for an instance:\n\n"
        + _table(("outcome", "meaning"), _members(AllocationOutcome))
        + "\n## Read from the database\n\nAt the moment of the scrape. Every service that answers requests "
        "says the same: take one of them, `max by (pool) (...)`, and do not add them up. Only "
        "`ec2_orchestrator_registry_up` is each service's own. `scheduler.py` has none of these.\n\n"
        + tables[Source.REGISTRY]
        + "\n## Buckets\n\nThe upper ends of each histogram's buckets, in seconds; the last one has no end."
        "\n\n" + _table(("name", "buckets"), buckets)
    )


def _metric(one: Family) -> tuple[str, ...]:
    labels = [
        f"`{label.name}`: {label.told}"
        + (f": {', '.join(f'`{value}`' for value in label.values)}" if label.values else "")
        for label in one.labels
    ]
    return f"`{one.name}`", one.kind.value, one.unit or "-", "<br>".join(labels) or "-", one.meaning


def warnings() -> str:
    """List what the pools may warn of, and why a buffer may be out of reach."""
    rows = [(f"`{code}`", *others) for code, *others in meanings.warnings()]
    return (
        '# Warnings\n\nWhat `warnings` in `GET /status` may say: `{"code", "detail"}` each. Besides these '
        "codes, those beginning with `aws-` say what AWS answered: [errors](errors.md). Taking a pool out: "
        "[pools](../howto/pools.md#changing-the-file); what looks at all of the set-up: "
        "[doctor](../howto/doctor.md).\n\n"
        + _table(("code", "meaning", "what to do"), rows)
        + "\n`limitedBy` says why the buffer cannot be met:\n\n"
        + _table(("value", "meaning"), _members(Limit))
        + "\nWhile `idleMachines` is below `buffer`, `limitedBy` is null and no warning names a reason, "
        "what is missing is on its way: `bootingMachines` says how many.\n"
    )


def simulated_cloud() -> str:
    """Show the control API as its module tells it."""
    return (
        f"# The simulated cloud's control API\n\n{inspect.getdoc(control)}\n\n"
        f"## Faults\n\n{inspect.getdoc(Fault)}\n\nFields: "
        + ", ".join(f"`{name}`" for name in sorted(control.FAULT_FIELDS))
        + ".\n"
    )


PAGES: dict[str, Callable[[], str]] = {
    "states.md": states,
    "settings.md": settings,
    "errors.md": errors_page,
    "events.md": events,
    "metrics.md": metrics,
    "warnings.md": warnings,
    "logs.md": log_lines,
    "simulated-cloud.md": simulated_cloud,
    "performance.md": page.page,
}


def stale() -> list[str]:
    """Name the committed pages that are not what the code says."""
    return [
        name
        for name, text in PAGES.items()
        if not (FOLDER / name).exists() or (FOLDER / name).read_text() != NOTE + text()
    ]


def main() -> None:
    """Write, or check."""
    if "--check" in sys.argv:
        sys.exit(f"Stale, run make docs: {', '.join(found)}" if (found := stale()) else 0)
    FOLDER.mkdir(exist_ok=True)
    for name, text in PAGES.items():
        (FOLDER / name).write_text(NOTE + text())


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)


def _members(kind: type[StrEnum]) -> list[tuple[str, ...]]:
    return [(f"`{word}`", told) for word, told in meanings.members(kind).items()]


def _names(field: str, info: FieldInfo) -> list[str]:
    alias = info.validation_alias
    if isinstance(alias, AliasChoices):
        return [str(choice) for choice in alias.choices]
    return [str(alias or f"ORCHESTRATOR_{field.upper()}")]


def _default(info: FieldInfo) -> str:
    kind: Any = info.annotation
    if info.default is None or SecretStr in get_args(kind):
        return "-"
    number = int(info.default) if isinstance(info.default, float) else info.default
    choices = [str(choice) for choice in get_args(kind)] if get_origin(kind) is not None else []
    others = [f"`{choice}`" for choice in choices if choice != info.default]
    return f"`{number}`" + (f" (or {', '.join(others)})" if others else "")


def _tree(kind: type[OrchestratorError]) -> Iterator[type[OrchestratorError]]:
    yield kind
    for below in kind.__subclasses__():
        if below.__module__ == errors.__name__:
            yield from _tree(below)


def _status(kind: type[OrchestratorError]) -> int | None:
    return next((STATUS[above] for above in kind.__mro__ if above in STATUS), None)


if __name__ == "__main__":
    main()
