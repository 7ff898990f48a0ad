"""`ec2-orchestrator plan`."""

from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from app.cli import output
from app.cli.actions import Line, due_lines, line
from app.cli.sizing import in_words
from app.cli.wiring import Inspect, Load
from app.domain.counting import counted
from app.domain.model import DEFAULT_POOL, InstanceState, pool_name

if TYPE_CHECKING:
    from app.service.preview import Preview
    from app.settings import PoolSettings

_EXAMPLES = """\b
Examples:
  ec2-orchestrator plan
  ec2-orchestrator plan --pool gpu
  ec2-orchestrator plan --json | jq .sizing
"""
_INSTANCES = {name: name for name in ("found", "idle", "used", "booting", "terminating", "held", "waiting")}
_GROUP = {"desired": "desired", "minSize": "min", "maxSize": "max", "buffer": "buffer"}


def plan_command(load: Load, inspect: Inspect) -> click.Command:
    """Make the command."""

    @click.command(
        "plan", short_help="Show what the next pass would do, and why; changes nothing.", epilog=_EXAMPLES
    )
    @click.option("--pool", metavar="POOL", default=DEFAULT_POOL, show_default=True, help="Of which pool.")
    @output.json_option
    def plan(*, pool: str, as_json: bool) -> None:
        """Show what the next pass would do, and why.

        Looks at AWS and at the database as a pass of the service does, decides as it does, and stops there:
        nothing is changed. Where there is no database yet, the plan is that of a first start.
        """
        with output.refusals(), output.waiting("Looking at AWS ..."):
            settings, name = load(), pool_name(pool)
            preview = inspect(settings).preview(name)
        config = settings.pools[name]
        if as_json:
            output.write_json(_as_json(config, preview))
        else:
            _show(config, preview)

    return plan


def _as_json(config: "PoolSettings", preview: "Preview") -> dict[str, Any]:
    sizing = preview.todo.sizing
    return {
        "pool": config.name,
        "group": config.group,
        "region": config.region,
        "figures": _figures(preview),
        "sizing": {
            "allocated": sizing.allocated,
            "waiting": sizing.waiting,
            "buffer": preview.policy.buffer,
            "wanted": sizing.wanted,
            "current": sizing.current,
            "target": sizing.target,
            "limitedBy": sizing.limited_by,
            "text": in_words(sizing, preview.seen.group, preview.policy.buffer),
        },
        "actions": [
            {"action": told.name, "instances": told.instances, "project": told.project, "text": told.text}
            for told in _lines(preview)
        ],
        "warnings": [{"code": notice.code, "detail": notice.detail} for notice in preview.todo.notices],
    }


def _show(config: "PoolSettings", preview: "Preview") -> None:
    screen, figures = output.console(), _figures(preview)
    lines, notices = _lines(preview), preview.todo.notices
    sizing = in_words(preview.todo.sizing, preview.seen.group, preview.policy.buffer)
    output.write(screen, f"Group {config.group} in {config.region}, pool {config.name}")
    for row in (_INSTANCES, _GROUP):
        text = "   ".join(f"{label} {_figure(figures[key])}" for key, label in row.items())
        output.write(screen, text, lead="  ")
    screen.print()
    output.write(screen, f"{sizing[0].upper()}{sizing[1:]}.")
    screen.print()
    output.write(screen, "The next pass would:" if lines else "The next pass would do nothing.")
    for number, told in enumerate(lines, 1):
        output.write(screen, told.text, lead=f"{number:>3}. ")
    screen.print()
    for notice in notices:
        output.write(screen, f"{notice.code}: {notice.detail}", lead=Text("warning  ", style="yellow"))
    if notices:
        screen.print()
    summary = f"{_several(len(lines), 'action')}, {_several(len(notices), 'warning')}."
    output.write(screen, f"{summary.capitalize()} Nothing was changed.")


def _figures(preview: "Preview") -> dict[str, int | None]:
    count = counted(preview.known.values())
    group = preview.seen.group
    return {
        "found": sum(look.member for look in preview.seen.instances.values()),
        "idle": count.of(InstanceState.IDLE),
        "used": count.of(InstanceState.ALLOCATED),
        "booting": count.of(InstanceState.BOOTING),
        "terminating": count.of(InstanceState.TERMINATING),
        "held": count.held,
        "waiting": preview.todo.sizing.waiting,
        "desired": group.desired,
        "minSize": group.min_size,
        "maxSize": group.max_size,
        "buffer": preview.policy.buffer,
    }


def _figure(figure: int | None) -> str:
    return "unknown" if figure is None else str(figure)


def _lines(preview: "Preview") -> list[Line]:
    by_time = () if preview.due is None else due_lines(preview.due, preview.known)
    return [*by_time, *(line(action, preview.known) for action in preview.todo.actions)]


def _several(count: int, noun: str) -> str:
    return f"{count or 'no'} {noun}{'' if count == 1 else 's'}"
