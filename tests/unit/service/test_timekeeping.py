"""The round that ends what has had its time."""

from datetime import timedelta

import pytest
import structlog
from structlog.testing import capture_logs

from app.domain.errors import RegistryUnavailable
from app.domain.events import EventKind
from app.domain.model import DEFAULT_POOL, EndReason, InstanceId, InstanceState, PoolName, ProjectId
from app.domain.terms import Terms
from app.ports import Due
from app.service.timekeeping import UNAVAILABLE, Timekeeper
from tests.builders import NOW, an_instance_id
from tests.fakes import FakeMandate, FakeMeter
from tests.unit.service.pools import Pool

MINUTE = timedelta(minutes=1)
ALICE = ProjectId("alice")


@pytest.fixture
def ready(pool: Pool) -> Pool:
    """A pool with idle instances."""
    pool.tick(6)
    return pool


def claim(pool: Pool, project: ProjectId = ALICE, **terms: timedelta) -> InstanceId:
    now = pool.clock.now()
    claimed = pool.registry.claim(DEFAULT_POOL, project, actor="tester", now=now, terms=Terms(**terms))
    return claimed.allocation.instance


def end_of(pool: Pool, instance: InstanceId) -> EndReason | None:
    return pool.registry.instances(DEFAULT_POOL)[instance].end_reason


def test_a_round_with_nothing_due_does_and_says_nothing(ready: Pool) -> None:
    claim(ready, ttl=MINUTE, confirm_within=MINUTE)
    structlog.reset_defaults()

    with capture_logs() as told:
        assert not ready.timekeeper.round()

    assert told == []


def test_an_announcement_is_nothing_for_a_pass(ready: Pool) -> None:
    claim(ready, ttl=MINUTE)
    ready.clock.advance(MINUTE / 2)

    assert not ready.timekeeper.round()
    assert ready.registry.events(limit=1)[0].kind is EventKind.ALLOCATION_EXPIRING


def test_what_has_ended_is_for_a_pass_to_terminate(ready: Pool) -> None:
    instance = claim(ready, ttl=MINUTE)
    ready.clock.advance(MINUTE / 2)
    ready.timekeeper.round()
    ready.clock.advance(MINUTE / 2)

    assert ready.timekeeper.round()
    assert end_of(ready, instance) is EndReason.EXPIRED
    ready.tick(3)
    assert instance not in ready.cloud.members


def test_a_round_tells_how_many_it_ended(ready: Pool) -> None:
    claim(ready, ttl=MINUTE)
    claim(ready, ProjectId("bob"), confirm_within=MINUTE / 2)
    held = next(iter(ready.registry.instances(DEFAULT_POOL, {InstanceState.IDLE})))
    ready.registry.hold(held, ttl=MINUTE / 2, actor="tester", now=ready.clock.now())
    ready.clock.advance(MINUTE / 2)
    structlog.reset_defaults()

    with capture_logs() as told:
        ready.timekeeper.round()

    assert told == [
        {
            "event": "limits.kept",
            "log_level": "info",
            "pool": DEFAULT_POOL,
            "announced": 1,
            "expired": 0,
            "unconfirmed": 1,
            "holds_ended": 1,
            "failed": 0,
        }
    ]


def test_those_ended_are_counted_by_their_reason(ready: Pool) -> None:
    claim(ready, ttl=MINUTE)
    claim(ready, ProjectId("bob"), confirm_within=MINUTE)
    for _ in range(2):
        ready.clock.advance(MINUTE / 2)
        ready.timekeeper.round()

    assert ready.meter.ends == [(DEFAULT_POOL, EndReason.EXPIRED), (DEFAULT_POOL, EndReason.UNCONFIRMED)]


def test_what_nobody_confirmed_is_looked_at_once_more_before_it_ends(ready: Pool) -> None:
    instance = claim(ready, confirm_within=MINUTE)
    ready.timekeeper.round()
    assert ready.looked_at == []
    ready.clock.advance(MINUTE)

    ready.timekeeper.round()

    assert ready.looked_at == [[instance]]
    assert end_of(ready, instance) is EndReason.UNCONFIRMED


def test_what_is_seen_in_use_by_that_goes_on(ready: Pool) -> None:
    instance = claim(ready, confirm_within=MINUTE)
    ready.clock.advance(MINUTE)
    ready.use = lambda: ready.registry.confirm(ALICE, actor="poller", now=ready.clock.now())

    assert not ready.timekeeper.round()
    assert end_of(ready, instance) is None


def test_a_replica_that_may_not_lead_any_more_ends_nothing(ready: Pool) -> None:
    instance = claim(ready, confirm_within=MINUTE)
    ready.clock.advance(MINUTE)
    ready.mandate.trusted = False

    assert not ready.timekeeper.round()
    assert end_of(ready, instance) is None


def test_what_could_not_be_looked_at_is_not_ended_yet(ready: Pool) -> None:
    unseen = claim(ready, confirm_within=MINUTE)
    seen = claim(ready, ProjectId("bob"), confirm_within=MINUTE)
    ready.clock.advance(MINUTE)
    ready.unseen = {unseen}

    assert ready.timekeeper.round()
    assert (end_of(ready, unseen), end_of(ready, seen)) == (None, EndReason.UNCONFIRMED)


@pytest.mark.parametrize("error", [RegistryUnavailable("locked"), ZeroDivisionError()])
def test_where_looking_fails_nothing_is_ended_for_want_of_confirmation(ready: Pool, error: Exception) -> None:
    instance = claim(ready, confirm_within=MINUTE)
    ready.clock.advance(MINUTE)

    def fail() -> None:
        raise error

    ready.use = fail

    with pytest.raises(type(error)):
        ready.timekeeper.round()
    assert end_of(ready, instance) is None


class Stubborn:
    """Ends all but some, which are locked, or which a bug meets."""

    def __init__(self, due: list[InstanceId], errors: dict[InstanceId, Exception]) -> None:
        self._due, self._errors = due, errors
        self.asked: list[InstanceId] = []

    def due(self, pool: PoolName) -> Due:
        return Due(now=NOW, expired=self._due)

    def expire(self, instance: InstanceId) -> bool:
        self.asked.append(instance)
        if instance in self._errors:
            raise self._errors[instance]
        return True

    end_hold = announce = end_unconfirmed = expire


def keeper(lifetimes: Stubborn) -> Timekeeper:
    return Timekeeper(
        DEFAULT_POOL, lifetimes=lifetimes, see=lambda some: some, mandate=FakeMandate(), meter=FakeMeter()
    )


def test_one_that_is_locked_is_in_the_way_of_no_other() -> None:
    some = [an_instance_id() for _ in range(3)]
    lifetimes = Stubborn(some, {some[0]: RegistryUnavailable("locked")})

    with capture_logs() as told:
        assert keeper(lifetimes).round()

    assert lifetimes.asked == some
    assert [(line["expired"], line["failed"]) for line in told] == [(2, 1)]


def test_a_bug_at_one_is_told_when_all_others_have_had_their_turn() -> None:
    some = [an_instance_id() for _ in range(3)]
    lifetimes = Stubborn(some, {some[0]: ZeroDivisionError()})

    with pytest.raises(ZeroDivisionError):
        keeper(lifetimes).round()
    assert lifetimes.asked == some


def test_a_database_that_is_away_is_not_asked_for_each() -> None:
    some = [an_instance_id() for _ in range(9)]
    lifetimes = Stubborn(some, dict.fromkeys(some, RegistryUnavailable("away")))

    with pytest.raises(RegistryUnavailable):
        keeper(lifetimes).round()
    assert lifetimes.asked == some[:UNAVAILABLE]
