"""What a storm has to say: one table, and the history of whatever went wrong."""

from collections import Counter
from collections.abc import Iterable, Mapping
from statistics import median

from tests.e2e.replicas.checks import elections, leaderless, served, was_down
from tests.e2e.replicas.facts import Answer, DatabaseAway, Down, LeaderKilled, Term, Up, Write
from tests.e2e.replicas.storm import Outcome
from tests.e2e.soak.facts import Calm, Fact, Trail
from tests.e2e.soak.record import NEVER, Record, Violation
from tests.e2e.soak.report import drawn, time_of_day

TOLD = 8
"""Violations told in full."""
BEFORE, AFTER = 20.0, 3.0
"""Seconds around a violation of which the common story is told."""


def table(outcome: Outcome) -> str:
    """The summary, as text."""
    return drawn("Replicas", _rows(outcome))


def histories(outcome: Outcome) -> str:
    """Each violation, with what is known of its instances and projects, and of the time around it."""
    violations = outcome.verdict.violations
    lines = [f"seed {outcome.plan.seed}: REPLICAS_SEED repeats what was left to chance"]
    for violation in violations[:TOLD]:
        lines += ["", f"VIOLATION of {violation.rule}: {violation.text}", *_history(violation, outcome.facts)]
    lines += [f"  and {one.rule}: {one.text[:200]}" for one in violations[TOLD:][:50]]
    if outcome.crash:
        lines += ["", f"IT COULD NOT GO ON: {outcome.crash}"]
    return "\n".join(lines)


def _history(violation: Violation, facts: Iterable[Fact]) -> list[str]:
    common = (Down, Up, LeaderKilled, DatabaseAway, Term)
    told = [
        fact
        for fact in facts
        if fact.subjects & violation.subjects
        or (isinstance(fact, common) and violation.at - BEFORE <= fact.at <= violation.at + AFTER)
        or (violation.rule == "one-writer" and isinstance(fact, Write) and abs(fact.at - violation.at) < 1)
    ]
    return [
        f"  {time_of_day(fact.at)} {fact.told()[:300]}"
        for fact in sorted(told, key=lambda fact: fact.at)[-80:]
    ]


def _rows(outcome: Outcome) -> Iterable[tuple[str, str]]:
    record, verdict = Record(outcome.facts), outcome.verdict
    answers, writes = record.all(Answer), record.all(Write)
    took = [seconds for _, _, seconds in elections(record) if seconds != NEVER]
    spans = leaderless(record)
    yield "seed", str(outcome.plan.seed)
    yield "duration", f"{outcome.seconds:.0f} s, {outcome.plan.users} users"
    yield "done to them", _list(outcome.done)
    yield "ended by themselves", str(outcome.ended_themselves)
    yield "terms", str(len(record.all(Term)))
    if took:
        yield "a new leader after a kill", f"median {median(took):.1f} s, longest {max(took):.1f} s"
    yield "without a leader", f"{sum(end - begin for begin, end in spans):.0f} s in {len(spans)} spans"
    yield "  answered meanwhile", _list(served(record, spans))
    for what in ("claim", "release", "status", "healthz"):
        asked = [answer for answer in answers if answer.what == what]
        yield f"{what}: answers", _list(Counter(_outcome(answer) for answer in asked))
        yield "  took", _latency([answer for answer in asked if not was_down(answer, record)])
    yield "allocations", str(sum(one.kind == "allocation.created" for one in record.all(Trail)))
    yield "changes at AWS", _list(Counter(write.action for write in writes))
    yield "  by so many writers", str(len({write.writer for write in writes}))
    yield "AWS calls that failed", _list(_failed(outcome)) or "none"
    yield "log", _list(outcome.said)
    yield "quiet", ", ".join(f"{calm.seconds:.0f} s" for calm in record.all(Calm)) + " until at rest"
    yield "let pass, with a reason", _list(verdict.excused) or "nothing"
    yield "checks made", _list(verdict.checks)
    yield "violations", _list(Counter(one.rule for one in verdict.violations)) or "0"


def _outcome(answer: Answer) -> str:
    if answer.status is None:
        return f"connection broken ({answer.code})"
    return f"{answer.status} {answer.code}" if answer.code else str(answer.status)


def _failed(outcome: Outcome) -> Counter[str]:
    found: Counter[str] = Counter()
    for (action, result), times in outcome.calls.items():
        if result != "ok":
            found[f"{action} {result}"] += times
    return found


def _latency(answers: Iterable[Answer]) -> str:
    took = sorted((one.until - one.at) * 1000 for one in answers if one.status is not None)
    if not took:
        return "-"
    shares = (f"p{share} {took[len(took) * share // 100]:.0f} ms" for share in (50, 99))
    return f"{', '.join(shares)}, longest {took[-1]:.0f} ms"


def _list(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return "\n".join(f"{times} {name}" for name, times in ordered)
