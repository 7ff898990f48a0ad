"""The Outbox contract on SQLite, on real PostgreSQL, and in memory; and what the registry writes into it."""

from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, text

from app.domain.errors import PoolExhausted, RegistryUnavailable
from app.domain.events import EventKind
from app.domain.model import (
    DEFAULT_POOL,
    EndReason,
    InstanceId,
    InstanceState,
    Limit,
    PoolView,
    ProjectId,
)
from app.domain.telling import PATIENCE
from app.ports import Delivery, Message, Outbox
from app.registry import steps
from app.registry.messages import Ahead
from app.registry.outbox import SqlOutbox
from app.registry.schema import events, outbox
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from tests.builders import NOW, a_look
from tests.contract.outbox_contract import OutboxContract, Write, every
from tests.fake_outbox import FakeOutbox
from tests.fakes import FakeClock
from tests.receiving import parsed

PROJECT = ProjectId("my-project")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def transactions(engine: Engine, clock: FakeClock) -> Transactions:
    return Transactions(engine, clock=lambda _: clock.now(), tells=True)


@pytest.fixture
def registry(transactions: Transactions) -> SqlRegistry:
    return SqlRegistry(transactions)


@pytest.fixture
def box(transactions: Transactions) -> SqlOutbox:
    return SqlOutbox(transactions)


def an_idle_one(registry: SqlRegistry) -> InstanceId:
    look = a_look()
    registry.discover(DEFAULT_POOL, look, now=NOW)
    registry.mark_idle(look.id, "54.123.45.67", 8080, now=NOW)
    return look.id


def claimed(registry: SqlRegistry) -> InstanceId:
    instance = an_idle_one(registry)
    registry.claim(DEFAULT_POOL, PROJECT, actor="token:ci", now=NOW)
    return instance


def told(box: Outbox) -> list[dict[str, Any]]:
    """What the messages say, the oldest first."""
    return [parsed(one.body) for one in reversed(every(box))]


class TestSqlOutbox(OutboxContract):
    @pytest.fixture
    def outbox(self, box: SqlOutbox) -> Outbox:
        return box

    @pytest.fixture
    def write(self, transactions: Transactions, box: SqlOutbox, clock: FakeClock) -> Write:
        def write() -> Message:
            with transactions.exclusively() as tx:
                steps.record(tx, EventKind.POOL_LIMITED, DEFAULT_POOL, "poller", clock.now(), reason="quota")
            return box.messages(limit=1).items[0]

        return write

    def test_of_each_kind_so_many_are_kept_at_most(
        self, outbox: Outbox, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.registry.outbox.MOST", 2)
        delivered, pending = [write() for _ in range(3)], [write() for _ in range(3)]
        for one in delivered:
            outbox.delivered(one.number)

        assert (outbox.give_up(10), outbox.forget(10)) == (1, 1)

        kept = {state: [one.id for one in every(outbox, state)] for state in Delivery}
        assert kept == {
            Delivery.PENDING: [one.id for one in pending[:0:-1]],
            Delivery.DELIVERED: [one.id for one in delivered[:0:-1]],
            Delivery.DEAD: [pending[0].id],
        }

    def test_what_a_clock_that_is_ahead_tells_of_is_due_at_once(
        self, transactions: Transactions, outbox: Outbox, clock: FakeClock
    ) -> None:
        ahead = clock.now() + timedelta(hours=1)
        with transactions.exclusively() as tx:
            steps.record(tx, EventKind.POOL_LIMITED, DEFAULT_POOL, "poller", ahead, reason="quota")

        assert [one.at for one in outbox.due(10)] == [ahead]

    def test_a_number_is_never_used_twice(self, outbox: Outbox, write: Write, clock: FakeClock) -> None:
        before = write()
        outbox.delivered(before.number)
        clock.advance(timedelta(days=2))
        outbox.forget(10)

        assert write().number > before.number

    def test_a_database_that_does_not_answer_is_told_in_our_words(
        self, outbox: Outbox, engine: Engine
    ) -> None:
        with engine.begin() as connection:
            connection.execute(text("DROP TABLE outbox"))

        with pytest.raises(RegistryUnavailable):
            outbox.due(1)
        with pytest.raises(RegistryUnavailable):
            outbox.backlog()


class TestFakeOutbox(OutboxContract):
    @pytest.fixture
    def outbox(self, clock: FakeClock) -> FakeOutbox:
        return FakeOutbox(clock.now)

    @pytest.fixture
    def write(self, outbox: FakeOutbox) -> Write:
        return outbox.write


def test_a_claim_is_told_with_all_that_v1_says_of_the_allocation(
    registry: SqlRegistry, box: SqlOutbox
) -> None:
    instance = claimed(registry)

    (message,) = told(box)
    (event,) = (one.id for one in registry.events(limit=9) if one.kind == "allocation.created")
    assert message == {
        "type": "allocation.created",
        "timestamp": "2026-11-22T12:00:00.000Z",
        "data": {
            "project": "my-project",
            "pool": "default",
            "instance": instance,
            "address": "54.123.45.67",
            "url": "http://54.123.45.67:8080",
            "state": "allocated",
            "allocatedAt": "2026-11-22T12:00:00.000Z",
            "expiresAt": None,
            "confirmBy": None,
            "lastActivityAt": None,
            "reason": None,
            "actor": "token:ci",
            "event": event,
        },
    }


def test_a_message_says_of_what_kind_and_of_which_pool_it_is(registry: SqlRegistry, box: SqlOutbox) -> None:
    claimed(registry)

    (message,) = every(box)
    assert (message.kind, message.pool, message.at) == ("allocation.created", DEFAULT_POOL, NOW)
    assert message.id.startswith("msg_")


def test_a_claim_of_what_the_project_holds_tells_nothing_new(registry: SqlRegistry, box: SqlOutbox) -> None:
    claimed(registry)
    registry.claim(DEFAULT_POOL, PROJECT, actor="token:ci", now=NOW)

    assert len(told(box)) == 1


def test_a_release_is_told_with_its_reason(registry: SqlRegistry, box: SqlOutbox) -> None:
    claimed(registry)
    registry.release(PROJECT, actor="token:ci", now=NOW)

    last = told(box)[-1]
    assert last["type"] == "allocation.released"
    assert (last["data"]["reason"], last["data"]["state"]) == ("released", "terminating")


def test_a_destroyed_instance_that_nobody_held_is_not_told(registry: SqlRegistry, box: SqlOutbox) -> None:
    registry.destroy(an_idle_one(registry), actor="admin", now=NOW)

    assert told(box) == []


def test_an_instance_that_ended_by_itself_is_told_as_lost(registry: SqlRegistry, box: SqlOutbox) -> None:
    instance = claimed(registry)
    registry.end(
        instance,
        expect=InstanceState.ALLOCATED,
        to=InstanceState.TERMINATED,
        reason=EndReason.LEFT,
        now=NOW,
    )

    last = told(box)[-1]
    assert (last["type"], last["data"]["reason"]) == ("allocation.lost", "left")


def test_an_announced_end_is_told_with_its_time_and_why(
    registry: SqlRegistry, transactions: Transactions, box: SqlOutbox
) -> None:
    instance = claimed(registry)
    ahead = Ahead(at=NOW + timedelta(minutes=10), why=EndReason.UNUSED)
    with transactions.exclusively() as tx:
        steps.record(
            tx,
            EventKind.ALLOCATION_EXPIRING,
            DEFAULT_POOL,
            "poller",
            NOW,
            instance=instance,
            project=PROJECT,
            reason="in words",
            ahead=ahead,
        )

    last = told(box)[-1]
    assert last["type"] == "allocation.expiring"
    assert (last["data"]["endsAt"], last["data"]["reason"]) == ("2026-11-22T12:10:00.000Z", "unused")


def test_without_a_webhook_nothing_is_written(engine: Engine, box: SqlOutbox) -> None:
    silent = SqlRegistry(Transactions(engine))
    claimed(silent)

    assert told(box) == []


def test_what_is_rolled_back_leaves_neither_event_nor_message(
    transactions: Transactions, engine: Engine
) -> None:
    def break_off() -> None:
        with transactions.exclusively() as tx:
            steps.record(tx, EventKind.POOL_LIMITED, DEFAULT_POOL, "poller", NOW, reason="quota")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_off()

    with engine.connect() as connection:
        for table in (events, outbox):
            assert connection.execute(select(func.count()).select_from(table)).scalar_one() == 0


def test_a_claim_that_gets_nothing_tells_nothing(registry: SqlRegistry, box: SqlOutbox) -> None:
    with pytest.raises(PoolExhausted):
        registry.claim(DEFAULT_POOL, PROJECT, actor="token:ci", now=NOW)

    assert told(box) == []


def test_racing_claims_are_told_once_each(registry: SqlRegistry, box: SqlOutbox) -> None:
    for _ in range(4):
        an_idle_one(registry)
    start = Barrier(8)

    def claim(number: int) -> None:
        start.wait()
        registry.claim(DEFAULT_POOL, ProjectId(f"p{number % 4}"), actor="token:ci", now=NOW)

    threads = [Thread(target=claim, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(one["data"]["project"] for one in told(box)) == ["p0", "p1", "p2", "p3"]


def limited(limit: Limit | None) -> PoolView:
    return PoolView(pool=DEFAULT_POOL, limited_by=limit, last_attempt_at=NOW)


def test_a_limit_that_lasts_is_told_once(registry: SqlRegistry, box: SqlOutbox, clock: FakeClock) -> None:
    for _ in range(5):
        registry.record_view(limited(Limit.MAX_SIZE))
        clock.advance(PATIENCE / 2)

    (message,) = told(box)
    assert message["type"] == "pool.limited"
    assert (message["data"]["pool"], message["data"]["limitedBy"]) == ("default", "max-size")
    assert "max size" in message["data"]["detail"]


def test_a_limit_that_is_over_is_told(registry: SqlRegistry, box: SqlOutbox, clock: FakeClock) -> None:
    registry.record_view(limited(Limit.QUOTA))
    clock.advance(PATIENCE)
    registry.record_view(limited(Limit.QUOTA))
    registry.record_view(limited(None))
    registry.record_view(limited(None))

    assert [(one["type"], one["data"]["limitedBy"]) for one in told(box)] == [
        ("pool.limited", "quota"),
        ("pool.recovered", "quota"),
    ]


def test_the_audit_trail_tells_of_limits_without_a_webhook_as_well(
    engine: Engine, clock: FakeClock, box: SqlOutbox
) -> None:
    silent = SqlRegistry(Transactions(engine, clock=lambda _: clock.now()))
    silent.record_view(limited(Limit.QUOTA))
    clock.advance(PATIENCE)
    silent.record_view(limited(Limit.QUOTA))
    silent.record_view(limited(None))

    assert [(one.kind, one.reason) for one in reversed(silent.events(limit=9))] == [
        ("pool.limited", "quota"),
        ("pool.recovered", "quota"),
    ]
    assert told(box) == []


def test_a_view_that_changes_nothing_asks_for_no_time(engine: Engine) -> None:
    def no_time(_: object) -> Any:
        raise AssertionError("nobody needs to know")

    registry = SqlRegistry(Transactions(engine, clock=no_time))

    registry.record_view(limited(None))
    registry.record_view(limited(None))
