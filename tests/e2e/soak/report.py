"""What a soak has to say: one table, and the history of whatever went wrong."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from io import StringIO

from rich.console import Console
from rich.table import Table

from tests.e2e.soak.engine import Outcome
from tests.e2e.soak.facts import (
    Calm,
    Claim,
    DatabaseLost,
    Deed,
    DesiredWritten,
    Fact,
    HungUp,
    Killed,
    Launched,
    Message,
    Release,
    Renewal,
    Retired,
    Serving,
    Spell,
    StatusRead,
    Trail,
)
from tests.e2e.soak.record import Record, Violation

TOLD = 10
"""Violations told in full."""
BEFORE, AFTER = 20.0, 3.0
"""Seconds around a violation of which the common story is told."""


def table(outcome: Outcome) -> str:
    """The summary, as text."""
    return drawn("Soak", _rows(outcome))


def drawn(title: str, rows: Iterable[tuple[str, str]]) -> str:
    """A table of what, and how many."""
    grid = Table("what", "how many", title=title, title_justify="left")
    for name, value in rows:
        grid.add_row(name, value)
    text = StringIO()
    Console(file=text, width=130).print(grid)
    return text.getvalue()


def histories(outcome: Outcome) -> str:
    """Each violation, with all that is known of its instances and projects, and of the minute around it."""
    lines = []
    for violation in outcome.verdict.violations[:TOLD]:
        lines += [
            "",
            f"VIOLATION of {violation.rule} (seed {outcome.plan.seed}): {violation.text}",
            *_history(violation, outcome.facts),
        ]
    left = len(outcome.verdict.violations) - TOLD
    if left > 0:
        lines += ["", f"... and {left} more:"]
        lines += [f"  {one.rule}: {one.text[:200]}" for one in outcome.verdict.violations[TOLD:][:50]]
    if outcome.crash:
        lines += ["", f"THE SOAK COULD NOT GO ON: {outcome.crash}"]
    return "\n".join(lines)


def _history(violation: Violation, facts: Iterable[Fact]) -> list[str]:
    common = (Killed, Serving, DatabaseLost, DesiredWritten, Calm, Spell)
    told = [
        fact
        for fact in facts
        if fact.subjects & violation.subjects
        or (isinstance(fact, common) and violation.at - BEFORE <= fact.at <= violation.at + AFTER)
        or (not violation.subjects and abs(fact.at - violation.at) < 2 and not isinstance(fact, StatusRead))
    ]
    return [
        f"  {time_of_day(fact.at)} {_short(fact)}" for fact in sorted(told, key=lambda fact: fact.at)[-120:]
    ]


def _short(fact: Fact) -> str:
    text = fact.told()
    return text if len(text) < 400 else f"{text[:400]} ..."


def time_of_day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S.%f")[:-3]


def _rows(outcome: Outcome) -> Iterable[tuple[str, str]]:
    record, verdict = Record(outcome.facts), outcome.verdict
    claims, releases = record.all(Claim), record.all(Release)
    yield "seed", str(outcome.plan.seed)
    yield "duration", f"{outcome.seconds:.0f} s, {len(outcome.plan.storms)} storm(s), on {outcome.database}"
    yield "kills -9", str(outcome.kills)
    yield "databases lost", str(len(record.losses))
    yield "faults by kind", _list(outcome.faults)
    yield "AWS calls", str(sum(outcome.outcomes.values()))
    yield "  that failed", _list(_failed(outcome))
    yield "claims by outcome", _list(Counter(_outcome(claim) for claim in claims))
    yield "  new allocations", str(sum(one.kind == "allocation.created" for one in record.all(Trail)))
    yield "  from tags", str(sum(one.kind == "allocation.adopted" for one in record.all(Trail)))
    yield "  after waiting in line", str(sum(bool(one.wait) for one in record.given))
    yield "clients that hung up", str(len(record.all(HungUp)))
    yield "renewals by outcome", _list(Counter(_outcome(renewal) for renewal in record.all(Renewal)))
    ends = [one.reason for one in record.all(Trail) if one.kind == "allocation.ended"]
    yield "allocations ended", _list(Counter(reason or "" for reason in ends))
    yield "messages taken by the webhook", str(len(record.all(Message)))
    yield "releases by outcome", _list(Counter(_outcome(release) for release in releases))
    yield "answers lost in a kill", str(sum(one.status is None for one in (*claims, *releases)))
    yield (
        "desired written",
        _list(Counter("by others" if one.others else "by the service" for one in record.all(DesiredWritten))),
    )
    yield "instances launched", str(sum(one.count for one in record.all(Launched)))
    yield (
        "  terminated by",
        _list(
            Counter(
                {
                    **Counter(_ender(one) for one in record.all(Retired)),
                    **Counter(f"{one.what} behind our back" for one in record.all(Deed)),
                }
            )
        ),
    )
    yield "allocations lost with it", str(sum(one.kind == "allocation.lost" for one in record.all(Trail)))
    yield "  given when already ended by AWS", str(_given_dead(record))
    yield "passes", str(outcome.passes)
    yield "log lines above info", _list(outcome.warnings)
    yield "claim latency", _latency(record)
    yield "quiet", ", ".join(f"{calm.seconds:.0f} s" for calm in record.all(Calm)) + " until at rest"
    yield "let pass, with a reason", _list(verdict.excused) or "nothing"
    yield "checks made", _list(verdict.checks)
    yield "violations", _list(Counter(one.rule for one in verdict.violations)) or "0"


def _failed(outcome: Outcome) -> Counter[str]:
    found: Counter[str] = Counter()
    for (_, result), times in outcome.outcomes.items():
        if result != "ok":
            found[result] += times
    return found


def _outcome(request: Claim | Release | Renewal) -> str:
    if request.status is None:
        return "connection broken"
    return f"{request.status} {request.code}" if request.code else str(request.status)


def _ender(retired: Retired) -> str:
    return {
        "service": "the service",
        "unhealthy": "the group, as unhealthy",
        "scale-in": "the group, to scale in",
    }[retired.by]


def _given_dead(record: Record) -> int:
    """How often a project was newly given what AWS had ended already, and no look could have told yet."""
    first = {claim.instance: claim.at for claim in reversed(record.given)}
    return sum(
        any(end.at < at and end.by != "service" for end in record.retired.get(instance or "", ()))
        for instance, at in first.items()
    )


def _latency(record: Record) -> str:
    at_once = [claim for claim in record.given if not claim.wait and not record.down_during(claim)]
    took = sorted((claim.until - claim.at) * 1000 for claim in at_once)
    if not took:
        return "-"
    return (
        ", ".join(
            f"p{share} {took[min(len(took) - 1, len(took) * share // 100)]:.0f} ms" for share in (50, 99)
        )
        + f", longest {took[-1]:.0f} ms"
    )


def _list(counts: Counter[str] | dict[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return "\n".join(f"{times} {name}" for name, times in ordered)
