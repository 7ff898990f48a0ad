"""`ec2-orchestrator doctor`."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import click
from rich.text import Text

from app.cli import output
from app.cli.wiring import Inspect, Load
from app.domain.errors import SettingsInvalid
from app.domain.finding import Finding, Verdict
from app.domain.model import PoolName, pool_name
from app.service.doctor import settings_faults

_STYLES = {
    Verdict.OK: "green",
    Verdict.WARNING: "yellow",
    Verdict.FAILURE: "bold red",
    Verdict.UNKNOWN: "cyan",
}
_EXAMPLES = """\b
Examples:
  ec2-orchestrator doctor
  ec2-orchestrator doctor > report.txt
  ec2-orchestrator doctor --pool gpu
  ec2-orchestrator doctor --json | jq '.findings[] | select(.result != "ok")'
"""
_COLUMN = max(len(verdict) for verdict in Verdict) + 2


def doctor_command(load: Load, inspect: Inspect) -> click.Command:
    """Make the command."""

    @click.command(
        "doctor",
        short_help="Check that everything is set up so that nothing is lost.",
        epilog=_EXAMPLES,
    )
    @click.option("--pool", metavar="POOL", help="Only this pool, and what is common to all.")
    @output.json_option
    @click.pass_context
    def doctor(context: click.Context, *, pool: str | None, as_json: bool) -> None:
        """Check that everything is set up so that nothing is lost.

        Looks at the settings and the database, and for each pool at the AWS credentials, the group, the
        permissions, and whether instances can be reached. Each line says what was found and how to mend it.
        Nothing is changed in the database or at AWS; the service may be running or not.

        Exits with 0 where nothing failed (warnings are no failure), otherwise with 1.
        """
        with output.refusals(), output.waiting("Looking at database, AWS and instances ..."):
            findings = _examined(load, inspect, None if pool is None else pool_name(pool))
        if as_json:
            output.write_json(_as_json(findings))
        else:
            _show(findings)
        context.exit(1 if _count(findings)[Verdict.FAILURE] else 0)

    return doctor


def _examined(load: Load, inspect: Inspect, pool: PoolName | None) -> Sequence[Finding]:
    try:
        settings = load()
    except SettingsInvalid as error:
        return settings_faults(error)
    return inspect(settings).doctor.examine(pool)


def _count(findings: Sequence[Finding]) -> Counter[Verdict]:
    return Counter(finding.verdict for finding in findings)


def _as_json(findings: Sequence[Finding]) -> dict[str, Any]:
    count = _count(findings)
    return {
        "findings": [
            {
                "check": finding.check,
                "pool": finding.pool,
                "result": finding.verdict.value,
                "detail": finding.detail,
                "remedy": finding.remedy,
            }
            for finding in findings
        ],
        "failures": count[Verdict.FAILURE],
        "warnings": count[Verdict.WARNING],
    }


def _show(findings: Sequence[Finding]) -> None:
    screen = output.console()
    several = len({finding.pool for finding in findings if finding.pool is not None}) > 1
    last: PoolName | None = None
    for finding in findings:
        if several and finding.pool != last:
            screen.print()
            output.write(screen, f"Pool {finding.pool}")
        last = finding.pool
        verdict = Text(finding.verdict.value.ljust(_COLUMN), style=_STYLES[finding.verdict])
        output.write(screen, f"{finding.check}: {finding.detail}", lead=verdict)
        if finding.remedy:
            label = "Better" if finding.verdict is Verdict.OK else "To mend"
            write = output.write_whole if finding.remedy.startswith("aws ") else output.write
            write(screen, finding.remedy, lead=f"{' ' * _COLUMN}{label}: ")
    screen.print()
    output.write(screen, _summary(findings))


def _summary(findings: Sequence[Finding]) -> str:
    count = _count(findings)
    several = {Verdict.WARNING: "warnings", Verdict.FAILURE: "failures"}
    parts = [
        f"{count[verdict]} {verdict.value if count[verdict] == 1 else several.get(verdict, verdict.value)}"
        for verdict in (Verdict.FAILURE, Verdict.WARNING, Verdict.UNKNOWN, Verdict.OK)
        if count[verdict]
    ]
    return f"{len(findings)} checks: {', '.join(parts)}. {_conclusion(count)}"


def _conclusion(count: Counter[Verdict]) -> str:
    if count[Verdict.FAILURE]:
        return "The service cannot do its job like this."
    if count[Verdict.WARNING]:
        return "The service works, but something may go wrong that need not."
    if count[Verdict.UNKNOWN]:
        return "What is unknown may still be wrong."
    return "Nothing stands in the way."
