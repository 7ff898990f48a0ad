"""What must hold where several replicas share a registry, as pure functions of a record.

To the soak's rules about instances and projects come these:
1. `one-writer`: of all changes asked of AWS, no two of different replicas overlap; each falls into a term of
   its replica, and ends before the next term begins.
2. `terms`: they strictly grow, in the order of time.
3. `election`: after a kill of the leader somebody else leads soon.
4. `leaderless`: claims, releases and status are answered meanwhile.
5. `answers`: 200 or 201; 404 to a release, or a renewal, of what is gone; 503 with a problem that we know,
   and with the database's only while the test keeps that away, and for a moment more. A connection breaks
   only where the test has killed who held it. Nobody waits long, and least of all who asks for health.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise

from app.domain.errors import RegistryUnavailable
from app.web.problems import STATUS
from tests.e2e.replicas.facts import STOPPED, Answer, DatabaseAway, Down, LeaderKilled, Term, Up, Write
from tests.e2e.soak.checks import RULES as OF_THE_SOAK
from tests.e2e.soak.checks import answers_are_as_promised
from tests.e2e.soak.facts import Fact, Release
from tests.e2e.soak.record import CLOCK, NEVER, Record, Rule, Verdict, Violation

ELECTED_WITHIN = 25.0
"""Seconds; fifteen are promised, and the machine may be busy."""
ANSWERED_WITHIN = 15.0
HEALTHY_WITHIN = 6.0
LONG_ENOUGH = 5.0
"""Seconds without a leader in which something must have been answered."""
BACK_WITHIN = 4.0
"""Seconds after which a database that can be reached again is used again."""
HELD = 8.0
"""Seconds for which others may be kept waiting by who is cut off, or stopped, in the middle of a transaction.
The server ends that after five, and who waits for its locks gives up after two."""
KNOWN = frozenset(error.code for error, status in STATUS.items() if status == 503)
GOES_ON = frozenset({"claim", "release", "status"})


def examine(facts: Iterable[Fact]) -> Verdict:
    """Apply every rule to a record."""
    record, verdict = Record(facts), Verdict()
    for rule in RULES:
        verdict.violations.extend(rule(record, verdict))
    return verdict


def nobody_writes_at_once(record: Record, verdict: Verdict) -> Iterator[Violation]:
    """No two calls of different writers are under way at the same time."""
    last: Write | None = None  # of those so far, the one that ends last
    for write in record.all(Write):
        verdict.checks["one-writer"] += 1
        if last is not None and last.writer != write.writer and write.at < last.until:
            text = (
                f"{write.action} of {write.writer} began while {last.action} of {last.writer} was under way"
            )
            yield Violation("one-writer", text, at=write.at)
        if last is None or write.until >= last.until:
            last = write


def writers_follow_terms(record: Record, verdict: Verdict) -> Iterator[Violation]:
    """Each change falls into a term of its writer, and has ended when the next one begins."""
    terms = record.all(Term)
    for write in record.all(Write):
        verdict.checks["one-writer"] += 1
        own = [term for term in terms if term.holder == write.writer and term.at <= write.at + CLOCK]
        if not own:
            text = f"{write.action} of {write.writer}, which did not lead before"
            yield Violation("one-writer", text, at=write.at)
            continue
        later = [term for term in terms if term.number > own[-1].number and term.at + CLOCK < write.until]
        if later:
            text = (
                f"{write.action} of {write.writer} in term {own[-1].number}, from {write.at:.2f} to "
                f"{write.until:.2f}: term {later[0].number} had begun at {later[0].at:.2f}"
            )
            yield Violation("one-writer", text, at=write.at)


def terms_grow(record: Record, verdict: Verdict) -> Iterator[Violation]:
    for one, next_one in pairwise(record.all(Term)):
        verdict.checks["terms"] += 1
        if next_one.number <= one.number:
            text = f"term {next_one.number} of {next_one.holder} after term {one.number} of {one.holder}"
            yield Violation("terms", text, at=next_one.at)


def elections(record: Record) -> Iterator[tuple[LeaderKilled, Term | None, float]]:
    """Each kill of a leader, who came next, and how long it took while anybody could reach the database."""
    everybody = {answer.replica for answer in record.all(Answer)}
    blackouts = [away for away in record.all(DatabaseAway) if away.replicas >= everybody]
    for killed in record.all(LeaderKilled):
        elected = next((term for term in record.all(Term) if term.number > killed.term), None)
        end = NEVER if elected is None else elected.at
        began = max([killed.at, *(away.until for away in blackouts if killed.at < away.until < end)])
        yield killed, elected, end - began


def somebody_leads_soon(record: Record, verdict: Verdict) -> Iterator[Violation]:
    for killed, elected, took in elections(record):
        verdict.checks["election"] += 1
        if took > ELECTED_WITHIN:
            when = "never" if elected is None else f"{took:.1f} s later"
            text = f"after term {killed.term} of {killed.holder} was ended by kill -9, the next began {when}"
            yield Violation("election", text, at=killed.at)


def leaderless(record: Record) -> list[tuple[float, float]]:
    """From when until when nobody led, after a kill."""
    return [(killed.at, elected.at) for killed, elected, _ in elections(record) if elected is not None]


def served(record: Record, spans: Iterable[tuple[float, float]]) -> dict[str, int]:
    """How often each thing was done within these spans."""
    kept = list(spans)
    found = dict.fromkeys(GOES_ON, 0)
    for answer in record.all(Answer):
        within = any(begin <= answer.at and answer.until <= end for begin, end in kept)
        if within and answer.status in {200, 201} and answer.what in found:
            found[answer.what] += 1
    return found


def work_goes_on_without_a_leader(record: Record, verdict: Verdict) -> Iterator[Violation]:
    spans = leaderless(record)
    if sum(end - begin for begin, end in spans) < LONG_ENOUGH:
        return
    for what, times in served(record, spans).items():
        verdict.checks["leaderless"] += 1
        if not times:
            yield Violation("leaderless", f"no {what} was answered while nobody led", at=spans[0][0])


def answers_are_what_is_promised(record: Record, verdict: Verdict) -> Iterator[Violation]:
    for answer in record.all(Answer):
        verdict.checks["answers"] += 1
        wrong = _what_is_wrong(answer, record)
        if wrong:
            yield Violation("answers", f"{wrong}: {answer.told()}", at=answer.at)
    for release in record.all(Release):
        gone = any(end.at <= release.until for end in record.retired.get(release.instance, ()))
        if release.status == 404 and not gone:
            text = f"404 to the release of what is there: {release.told()}"
            yield Violation("answers", text, release.subjects, release.at)


def _what_is_wrong(answer: Answer, record: Record) -> str | None:
    limit = HEALTHY_WITHIN if answer.what == "healthz" else ANSWERED_WITHIN
    if was_down(answer, record):
        if answer.status is None:
            return None
    elif answer.status is None:
        return "the connection broke, and nobody killed the replica"
    elif answer.until - answer.at > limit:
        return f"it took more than {limit:.0f} s"
    if answer.status in {200, 201} or (answer.status == 404 and answer.what in {"release", "renewal"}):
        return None
    return _what_is_wrong_with_a_refusal(answer, record)


def _what_is_wrong_with_a_refusal(answer: Answer, record: Record) -> str | None:
    if answer.status != 503 or answer.what == "healthz" or answer.code not in KNOWN:
        return "an answer that nobody promised"
    if answer.code == RegistryUnavailable.code and not database_was_away(answer, record):
        return "the database could be reached"
    return None if answer.proper else "an answer of the wrong form"


def was_down(answer: Answer, record: Record) -> bool:
    """Whether the replica was killed, or not back yet, at any moment of the request."""
    downs = (down for down in record.all(Down) if down.replica == answer.replica)
    return any(down.at <= answer.until and answer.at <= _back(down, record) for down in downs)


def database_was_away(answer: Answer, record: Record) -> bool:
    """Whether at any moment of it the test kept the database from the replica, or had others keep locks."""
    spans = []
    for away in record.all(DatabaseAway):
        own = answer.replica in away.replicas
        spans.append((away.at, away.until + BACK_WITHIN if own else away.at + HELD))
    for down in record.all(Down):
        if down.how == STOPPED:
            own = answer.replica == down.replica
            spans.append((down.at, _back(down, record) + BACK_WITHIN if own else down.at + HELD))
    return any(begin <= answer.until and answer.at <= end for begin, end in spans)


def _back(down: Down, record: Record) -> float:
    ups = (up.at for up in record.all(Up) if up.replica == down.replica and up.at > down.at)
    return min(ups, default=NEVER)


RULES: tuple[Rule, ...] = (
    *(rule for rule in OF_THE_SOAK if rule is not answers_are_as_promised),
    nobody_writes_at_once,
    writers_follow_terms,
    terms_grow,
    somebody_leads_soon,
    work_goes_on_without_a_leader,
    answers_are_what_is_promised,
)
