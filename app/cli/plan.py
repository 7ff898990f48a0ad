"""`ec2-orchestrator plan`."""

from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from app.cli import output
from app.cli.actions import Line, line
from app.cli.sizing import in_words
from app.cli.wiring import Inspect, Load
from app.domain.model import InstanceState
from app.settings import Settings

if TYPE_CHECKING:
    from app.service.preview import Preview

_EXAMPLES = """\b
Examples:
  ec2-orchestrator plan
  ec2-orchestrator plan --json | jq .sizing
"""
_INSTANCES = {name: name for name in ("found", "idle", "used", "booting", "terminating", "waiting")}
_GROUP = {"desired": "desired", "minSize": "min", "maxSize": "max", "buffer": "buffer"}


def plan_command(load: Load, inspect: Inspect) -> click.Command:
    """Make the command."""

    @click.command(
        "plan", short_help="Show what the next pass would do, and why; changes nothing.", epilog=_EXAMPLES
    )
    @output.json_option
    def plan(*, as_json: bool) -> None:
        """Show what the next pass would do, and why.

        Looks at AWS and at the database as a pass of the service does, decides as it does, and stops there:
        nothing is changed. Where there is no database yet, the plan is that of a first start.
        """
        with output.refusals(), output.waiting("Looking at AWS ..."):
            settings = load()
            preview = inspect(settings).preview()
        if as_json:
            output.write_json(_as_json(settings, preview))
        else:
            _show(settings, preview)

    return plan


def _as_json(settings: Settings, preview: "Preview") -> dict[str, Any]:
    sizing = preview.todo.sizing
    return {
        "pool": settings.pool,
        "group": settings.asg_name,
        "region": settings.aws_region,
        "figures": _figures(settings, preview),
        "sizing": {
            "allocated": sizing.allocated,
            "waiting": sizing.waiting,
            "buffer": settings.buffer,
            "wanted": sizing.wanted,
            "current": sizing.current,
            "target": sizing.target,
            "limitedBy": sizing.limited_by,
            "text": in_words(sizing, preview.seen.group, settings.buffer),
        },
        "actions": [
            {"action": told.name, "instances": told.instances, "project": told.project, "text": told.text}
            for told in _lines(preview)
        ],
        "warnings": [{"code": notice.code, "detail": notice.detail} for notice in preview.todo.notices],
    }


def _show(settings: Settings, preview: "Preview") -> None:
    screen, figures = output.console(), _figures(settings, preview)
    lines, notices = _lines(preview), preview.todo.notices
    sizing = in_words(preview.todo.sizing, preview.seen.group, settings.buffer)
    output.write(screen, f"Group {settings.asg_name} in {settings.aws_region}, pool {settings.pool}")
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


def _figures(settings: Settings, preview: "Preview") -> dict[str, int | None]:
    states = [instance.state for instance in preview.known.values()]
    group = preview.seen.group
    return {
        "found": sum(look.member for look in preview.seen.instances.values()),
        "idle": states.count(InstanceState.IDLE),
        "used": states.count(InstanceState.ALLOCATED),
        "booting": states.count(InstanceState.BOOTING),
        "terminating": states.count(InstanceState.TERMINATING),
        "waiting": preview.todo.sizing.waiting,
        "desired": group.desired,
        "minSize": group.min_size,
        "maxSize": group.max_size,
        "buffer": settings.buffer,
    }


def _figure(figure: int | None) -> str:
    return "unknown" if figure is None else str(figure)


def _lines(preview: "Preview") -> list[Line]:
    return [line(action, preview.known) for action in preview.todo.actions]


def _several(count: int, noun: str) -> str:
    return f"{count or 'no'} {noun}{'' if count == 1 else 's'}"
