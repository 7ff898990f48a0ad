"""The invariants, as pure functions of a record: each says what is wrong, and counts what it looked at.

1. `one-instance`: no instance is given to two projects, and a project keeps its own until somebody ends it.
2. `used-is-safe`: we end nothing that a project holds; what we end was released, or was never handed out.
3. `never-lowered`: we write desired capacity only to raise it.
4. `comes-to-rest`: after quiet time idle = buffer, or /status says why not; all figures agree with AWS.
5. `in-time`: what has a time limit ends neither early nor unannounced; what was renewed goes on.
6. `no-ghosts`: who hung up is given nothing.
7. `told`: each change that has a message is told to the webhook, once or more, and always the same.
And `answers`, `status` and `log`: nobody is told anything but what is promised, and nothing crashes.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise

from tests.e2e.aws import SET_DESIRED, TERMINATE
from tests.e2e.soak import lives, messages
from tests.e2e.soak.facts import (
    AwsCall,
    Calm,
    Claim,
    Denial,
    DesiredWritten,
    Fact,
    Killed,
    LogLine,
    Release,
    Renewal,
    Request,
    StatusRead,
    TagsRead,
    Trail,
)
from tests.e2e.soak.record import BY_ITSELF, CLOCK, NEVER, Record, Rule, Verdict, Violation

ANSWERED_WITHIN = 15.0
"""Seconds beyond those that a request was to wait in line."""
LOOK = "DescribeAutoScalingGroups"
PROTECT = "SetInstanceProtection"
HANDED_OUT = frozenset({"allocation.created", "allocation.adopted"})
UNREADY = frozenset({"boot-timeout", "unhealthy"})
NOBODY = "i-00000000000000000"
"""What the service asks AWS to terminate at its start, to see whether it would be allowed to."""


def examine(facts: Iterable[Fact]) -> Verdict:
    """Apply every rule to a record."""
    record, verdict = Record(facts), Verdict()
    for rule in RULES:
        verdict.violations.extend(rule(record, verdict))
    return verdict


# 1. One project to one instance.


def nobody_shares(record: Record, verdict: Verdict) -> Iterator[Violation]:
    """No instance is given to two projects. With the database, what no tag told is forgotten."""
    holders: dict[str, dict[str, tuple[float, float]]] = defaultdict(dict)
    for claim in record.given:
        verdict.checks["one-instance"] += 1
        _widen(holders[claim.instance or ""], claim.project, claim.at, claim.until)
    for line in record.all(Trail):
        if line.kind in HANDED_OUT and line.instance and line.project:
            verdict.checks["one-instance"] += 1
            _widen(holders[line.instance], line.project, line.at, line.at)
    for instance, projects in holders.items():
        spans = sorted(projects.items(), key=lambda item: item[1])
        for (one, (begin, _)), (other, (_, end)) in pairwise(spans):
            if any(loss.tags.get(instance) != one for loss in record.lost_between(begin, end)):
                verdict.excused["handed on after the database was lost before its tag was written"] += 1
                continue
            text = f"{instance} was given to {one} and to {other}"
            yield Violation("one-instance", text, frozenset({instance, one, other}), end)


def everybody_keeps_theirs(record: Record, verdict: Verdict) -> Iterator[Violation]:
    """A project that asks again gets the same instance, unless somebody has ended it."""
    first: dict[str, dict[str, float]] = defaultdict(dict)
    for claim in record.given:
        verdict.checks["one-instance"] += 1
        seen = first[claim.project].get(claim.instance or "", NEVER)
        first[claim.project][claim.instance or ""] = min(seen, claim.until)
    for project, instances in first.items():
        order = sorted(instances, key=instances.__getitem__)
        for number, one in enumerate(order):
            for other in order[number + 1 :]:
                if record.let_go(project, one) <= instances[other]:
                    continue
                if record.let_go(project, other) <= instances[one]:
                    continue  # the answers came in the other order
                text = f"{project} held {one}, which nobody had ended, and was given {other}"
                yield Violation("one-instance", text, frozenset({project, one, other}), instances[other])


def nothing_comes_back(record: Record, verdict: Verdict) -> Iterator[Violation]:
    """What was released, or what we told AWS to end, is not given again, but after a loss of the database."""
    over: dict[str, float] = {}
    for release in record.all(Release):
        if release.status == 200:
            over[release.instance] = min(over.get(release.instance, NEVER), release.until)
    for call in record.all(AwsCall):
        if call.action == TERMINATE and call.instance:
            over[call.instance] = min(over.get(call.instance, NEVER), call.at)
    for claim in record.given:
        instance = claim.instance or ""
        verdict.checks["one-instance"] += 1
        ended = over.get(instance, NEVER)
        if claim.at > ended and not record.lost_between(ended, claim.until):
            text = (
                f"{claim.project} was given {instance}, which had been ended {claim.at - ended:.2f} s before"
            )
            yield Violation("one-instance", text, frozenset({claim.project, instance}), claim.at)


def losses_have_a_cause(record: Record, verdict: Verdict) -> Iterator[Violation]:
    """What is reported lost was ended by others; what is reported ended, somebody asked us to end."""
    for line in record.all(Trail):
        instance = line.instance or ""
        subjects = frozenset({instance, line.project or ""})
        if line.kind == "allocation.lost":
            verdict.checks["one-instance"] += 1
            ends = [*record.deeds.get(instance, ()), *record.retired.get(instance, ())]
            if not any(end.at <= line.at + CLOCK for end in ends):
                text = f"{instance} of {line.project} was reported lost ({line.reason}), and nobody ended it"
                yield Violation("one-instance", text, subjects, line.at)
        elif line.kind == "allocation.ended":
            verdict.checks["used-is-safe"] += 1
            if line.reason in BY_ITSELF:
                continue
            if not any(sent.at <= line.at + CLOCK for sent in record.sent.get(instance, ())):
                text = f"{instance} of {line.project} was ended ({line.reason}), and nobody released it"
                yield Violation("used-is-safe", text, subjects, line.at)


def tags_bring_back(record: Record, verdict: Verdict) -> Iterator[Violation]:
    """With the database gone, who holds what comes back from the tags."""
    for read in record.all(TagsRead):
        verdict.checks["one-instance"] += 1
        if read.forgotten:
            text = f"after the loss of the database not taken for used, as their tags say: {read.forgotten}"
            yield Violation("one-instance", text, frozenset(read.forgotten), read.at)


# 2. A used instance is never terminated by us.


def only_the_free_are_ended(record: Record, verdict: Verdict) -> Iterator[Violation]:
    """Each terminate call is for what was released, or what no project ever had and we decided to replace."""
    used: dict[str, float] = {}
    for claim in record.given:
        used[claim.instance or ""] = min(used.get(claim.instance or "", NEVER), claim.at)
    reasons: dict[str, list[Trail]] = defaultdict(list)
    for line in record.all(Trail):
        if line.kind in HANDED_OUT and line.instance:
            used[line.instance] = min(used.get(line.instance, NEVER), line.at)
        elif line.kind == "instance.terminating" and line.instance:
            reasons[line.instance].append(line)
    for call in record.all(AwsCall):
        if call.action != TERMINATE or call.instance == NOBODY:
            continue
        verdict.checks["used-is-safe"] += 1
        instance = call.instance or ""
        if record.let_go_before(instance, call.at):
            continue
        given = used.get(instance, NEVER)
        unready = any(
            line.reason in UNREADY and line.at <= call.at + CLOCK for line in reasons.get(instance, ())
        )
        if given <= call.at and not _voided(record, instance, given, call.at):
            text = f"we asked AWS to terminate {instance}, which was in use and not released"
            yield Violation("used-is-safe", text, frozenset({instance}), call.at)
        elif not unready:
            text = f"we asked AWS to terminate {instance} without a decision in the audit trail"
            yield Violation("used-is-safe", text, frozenset({instance}), call.at)


def used_are_protected(record: Record, verdict: Verdict) -> Iterator[Violation]:
    """Nobody's lower desired capacity ends what a project holds, unless AWS denied us the protection."""
    given: dict[str, float] = {}
    for claim in record.given:
        given.setdefault(claim.instance or "", claim.at)
    denials = [denial.at for denial in record.all(Denial) if denial.action == PROTECT]
    for instance, at in given.items():
        verdict.checks["used-is-safe"] += 1
        scaled = [one.at for one in record.retired.get(instance, ()) if one.by == "scale-in"]
        if not scaled or scaled[0] < at:
            continue
        if record.let_go_before(instance, scaled[0]):
            continue
        started = max((begin for begin, end in record.downs if end <= at), default=0.0)
        if any(started <= denial <= scaled[0] for denial in denials):
            verdict.excused["scaled in while AWS denied protection"] += 1
            continue
        text = f"{instance} was in use, and AWS chose it as a victim: it was handed out unprotected"
        yield Violation("used-is-safe", text, frozenset({instance}), scaled[0])


# 3. Desired capacity is never lowered but by terminate-with-decrement.


def desired_is_only_raised(record: Record, verdict: Verdict) -> Iterator[Violation]:
    """Each SetDesiredCapacity that AWS accepted is above what desired was then.

    AWS has no compare-and-set: what somebody else writes between our look and our write cannot be seen. That
    is let pass, and counted; so is a call of a killed process that takes effect after its death.
    """
    calls = record.all(AwsCall)
    looks = [call for call in calls if call.action == LOOK]
    for write in record.all(DesiredWritten):
        if write.others:
            continue
        verdict.checks["never-lowered"] += 1
        if write.after > write.before:
            continue
        asked = [
            call.at
            for call in calls
            if call.action == SET_DESIRED and call.desired == write.after and call.at <= write.at
        ]
        sent = asked[-1] if asked else write.at
        looked = max((look.at for look in looks if look.at <= sent), default=0.0)
        meanwhile = [one for one in record.all(DesiredWritten) if looked <= one.at < write.at]
        if any(one.others for one in meanwhile):
            verdict.excused["desired written by others between our look and our write"] += 1
        elif any(sent <= killed.at <= write.at for killed in record.all(Killed)):
            verdict.excused["desired written by a call of a killed process"] += 1
        else:
            text = f"we wrote desired capacity from {write.before} to {write.after}"
            yield Violation("never-lowered", text, frozenset(), write.at)


# 4. After quiet time.


def it_comes_to_rest(record: Record, verdict: Verdict) -> Iterator[Violation]:
    for calm in record.all(Calm):
        faults = {
            f"{calm.idle} idle instead of {calm.buffer}, and /status gives no reason": (
                calm.idle != calm.buffer and not calm.reason
            ),
            f"{calm.booting} booting, and /status gives no reason": calm.booting and not calm.reason,
            f"{calm.terminating} are left terminating": calm.terminating,
            f"total {calm.total} is not idle {calm.idle} + used {calm.used}": (
                calm.total != calm.idle + calm.used
            ),
            f"desired is {calm.desired}, and there are {calm.total}": (
                calm.desired != calm.total and not calm.reason
            ),
            f"/status lists what is no member in service: {sorted(calm.listed - calm.members)}": (
                calm.listed - calm.members
            ),
            f"/status does not list members in service: {sorted(calm.members - calm.listed)}": (
                calm.members - calm.listed and not calm.reason
            ),
            f"leaked: {sorted(calm.alive - calm.members)}": calm.alive - calm.members and not calm.booting,
            f"projects that do not get what they hold: {calm.refused}": calm.refused,
        }
        for text, broken in faults.items():
            verdict.checks["comes-to-rest"] += 1
            if broken:
                subjects = frozenset(
                    {*calm.refused, *(calm.listed ^ calm.members), *(calm.alive - calm.members)}
                )
                yield Violation(
                    "comes-to-rest", f"after {calm.seconds:.0f} s of quiet: {text}", subjects, calm.at
                )
        if calm.idle != calm.buffer and calm.reason:
            verdict.excused[f"buffer not met, and said why: {calm.reason}"] += 1


# And what nobody may ever see.


def answers_are_as_promised(record: Record, verdict: Verdict) -> Iterator[Violation]:
    kinds: tuple[type[Request], ...] = (Claim, Release, Renewal, StatusRead)
    for request in [one for kind in kinds for one in record.all(kind)]:
        verdict.checks["answers"] += 1
        wrong = _what_is_wrong(request, record)
        if wrong:
            yield Violation("answers", f"{wrong}: {request.told()}", request.subjects, request.at)


def _what_is_wrong(request: Request, record: Record) -> str | None:
    if request.status is None:
        return None if record.down_during(request) else "the connection broke, and nobody killed the service"
    if not request.proper:
        return "an answer of the wrong form"
    if isinstance(request, Claim) and request.until - request.at > request.wait + ANSWERED_WITHIN:
        return "it waited longer than it wanted to"
    if request.status in {200, 201, 503} or (request.status == 404 and isinstance(request, Renewal)):
        return None  # what is not renewed is over: another rule says whether it was
    if request.status == 404 and isinstance(request, Release):
        instance = request.instance
        ends = [*record.deeds.get(instance, ()), *record.retired.get(instance, ()), *record.losses]
        if any(end.at <= request.until for end in ends):
            return None  # gone before it was released, or released twice
    return "an answer that nobody promised"


def status_agrees_with_itself(record: Record, verdict: Verdict) -> Iterator[Violation]:
    for read in record.all(StatusRead):
        if read.status != 200:
            continue
        verdict.checks["status"] += 1
        instances = [instance for instance, _ in read.held]
        projects = [project for _, project in read.held if project is not None]
        unnamed = [instance for instance, project in read.held if project is None]
        twice = {name for name, times in Counter([*instances, *projects]).items() if times > 1}
        if read.total != read.idle + read.used:
            yield Violation("status", f"total is not idle + used: {read.told()}", at=read.at)
        if twice:
            yield Violation("status", f"listed twice: {sorted(twice)}", frozenset(twice), read.at)
        if unnamed and not any(loss.at <= read.until for loss in record.losses):
            yield Violation("status", f"used by nobody: {unnamed}", frozenset(unnamed), read.at)


def the_log_is_clean(record: Record, verdict: Verdict) -> Iterator[Violation]:
    verdict.checks["log"] += 1
    for line in record.all(LogLine):
        yield Violation("log", f"{line.event}: {line.text}", at=line.at)


RULES: tuple[Rule, ...] = (
    nobody_shares,
    everybody_keeps_theirs,
    nothing_comes_back,
    losses_have_a_cause,
    tags_bring_back,
    only_the_free_are_ended,
    used_are_protected,
    desired_is_only_raised,
    it_comes_to_rest,
    answers_are_as_promised,
    status_agrees_with_itself,
    the_log_is_clean,
    lives.nothing_ends_before_its_time,
    lives.every_end_is_announced,
    lives.nobody_gets_what_is_not_waited_for,
    messages.everything_is_told,
    messages.a_message_stays_what_it_is,
)


def _voided(record: Record, instance: str, given: float, at: float) -> bool:
    """Whether the allocation was lost with the database because its tag had not been written."""
    return any(instance not in loss.tags for loss in record.lost_between(given, at))


def _widen(spans: dict[str, tuple[float, float]], key: str, begin: float, end: float) -> None:
    first, last = spans.get(key, (begin, end))
    spans[key] = (min(first, begin), max(last, end))
