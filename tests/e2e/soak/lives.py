"""What must hold for the life of an allocation: its time limit, and the line that it was waited for in."""

from collections import defaultdict
from collections.abc import Iterator

from app.domain.errors import RegistryUnavailable
from tests.e2e.soak.facts import Claim, HungUp, Renewal, Trail
from tests.e2e.soak.record import CLOCK, Record, Verdict, Violation

GONE_WITHIN = 3.0
"""Seconds after which who hung up is given nothing any more: fifteen looks, on a busy machine."""


def nothing_ends_before_its_time(record: Record, verdict: Verdict) -> Iterator[Violation]:
    """What expires does so when it was told to, by the last answer; no renewal is answered 200 after that."""
    for line, answers in _expired(record):
        verdict.checks["in-time"] += 1
        subjects = frozenset({line.instance or "", line.project or ""})
        late = [one for one in answers if isinstance(one, Renewal) and one.at > line.at + CLOCK]
        if late:
            yield Violation("in-time", f"{line.instance} was renewed after it had expired", subjects, line.at)
        told = max((one.ends_at or 0.0 for one in answers), default=None)
        if told is None and not (record.lost_between(0.0, line.at) or _in_the_dark(record, line)):
            yield Violation(
                "in-time", f"{line.instance} expired, and was never given a limit", subjects, line.at
            )
        elif told is not None and line.at < told - CLOCK:
            text = f"{line.instance} expired {told - line.at:.2f} s before the time that was told"
            yield Violation("in-time", text, subjects, line.at)


def every_end_is_announced(record: Record, verdict: Verdict) -> Iterator[Violation]:
    """An announcement stands in the audit trail before the end, and after the last renewal."""
    announced: dict[str, list[float]] = defaultdict(list)
    for line in record.all(Trail):
        if line.kind == "allocation.expiring":
            announced[line.instance or ""].append(line.at)
    for line, answers in _expired(record):
        verdict.checks["in-time"] += 1
        renewed = max((one.at for one in answers), default=0.0)
        found = [at for at in announced[line.instance or ""] if renewed - CLOCK <= at < line.at]
        if not found:
            text = f"{line.instance} of {line.project} expired, and that had not been announced"
            yield Violation("in-time", text, frozenset({line.instance or "", line.project or ""}), line.at)


def nobody_gets_what_is_not_waited_for(record: Record, verdict: Verdict) -> Iterator[Violation]:
    """A project whose only client has hung up is given nothing; only such a one is given up."""
    gone = {one.project: one for one in record.all(HungUp)}
    verdict.checks["no-ghosts"] += len(gone)
    for line in record.all(Trail):
        project = line.project or ""
        hung_up = gone.get(project)
        subjects = frozenset({line.instance or "", project})
        if line.kind == "allocation.created" and hung_up and line.at > hung_up.at + GONE_WITHIN:
            text = f"{project} was given {line.instance} {line.at - hung_up.at:.1f} s after it hung up"
            yield Violation("no-ghosts", text, subjects, line.at)
        abandoned = line.kind == "allocation.ended" and line.reason == "abandoned"
        if abandoned and (hung_up is None or line.at + CLOCK < hung_up.since):
            text = f"{line.instance} was taken from {project}, which had not hung up"
            yield Violation("no-ghosts", text, subjects, line.at)


def _in_the_dark(record: Record, line: Trail) -> bool:
    """Whether its project asked for this limit, and the answer was lost, or that to the service itself."""
    asked = [one for one in record.all(Claim) if one.project == line.project and one.ttl is not None]
    lost = [one for one in asked if one.status is None or one.code == RegistryUnavailable.code]
    made = [
        one.at
        for one in record.all(Trail)
        if (one.kind, one.instance) == ("allocation.created", line.instance) and one.at <= line.at
    ]
    since = max(made, default=0.0) - CLOCK
    return any(one.at <= line.at and since <= one.until for one in lost)


def _expired(record: Record) -> Iterator[tuple[Trail, list[Claim | Renewal]]]:
    """Each end of a time limit, with the answers that told of that."""
    told: dict[str, list[Claim | Renewal]] = defaultdict(list)
    answers: list[Claim | Renewal] = [*record.all(Claim), *record.all(Renewal)]
    for one in answers:
        if one.instance is not None and one.ends_at is not None:
            told[one.instance].append(one)
    for lines in record.ended.values():
        for line in lines:
            if line.reason == "expired":
                yield line, told[line.instance or ""]
