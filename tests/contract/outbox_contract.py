"""What every implementation of the Outbox port promises."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from app.domain.errors import MessageNotFound
from app.domain.messages import LONGEST_ERROR
from app.domain.retries import LIFE
from app.ports import Backlog, Delivery, Message, Outbox
from app.ports.outbox import DEAD_KEPT, DELIVERED_KEPT
from tests.builders import NOW
from tests.fakes import FakeClock

Write = Callable[[], Message]
MINUTE = timedelta(minutes=1)
MOMENT = timedelta(milliseconds=1)


def every(outbox: Outbox, state: Delivery | None = None) -> list[Message]:
    return list(outbox.messages(state=state, limit=100).items)


def fail(outbox: Outbox, message: Message, again_in: timedelta | None = MINUTE) -> bool:
    return outbox.failed(message.number, "no", attempts=message.attempts, again_in=again_in)


class OutboxContract:
    """Subclasses give `outbox`, the `clock` it goes by, and `write`, which puts a message into it."""

    def test_an_empty_one_has_nothing_to_send(self, outbox: Outbox) -> None:
        assert outbox.due(10) == []
        assert outbox.backlog() == Backlog()

    def test_what_is_written_is_due_at_once(self, outbox: Outbox, write: Write) -> None:
        message = write()

        assert outbox.due(10) == [message]
        assert (message.delivery, message.attempts, message.ended_at) == (Delivery.PENDING, 0, None)

    def test_messages_have_ids_of_their_own(self, write: Write) -> None:
        assert len({write().id for _ in range(5)}) == 5

    def test_the_oldest_are_due_first(self, outbox: Outbox, write: Write) -> None:
        first, second, _ = write(), write(), write()

        assert outbox.due(2) == [first, second]

    def test_what_was_delivered_is_not_due_any_more(self, outbox: Outbox, write: Write) -> None:
        message = write()

        outbox.delivered(message.number)

        assert outbox.due(10) == []
        (kept,) = every(outbox, Delivery.DELIVERED)
        assert (kept.id, kept.attempts, kept.ended_at, kept.due_at) == (message.id, 1, NOW, None)

    def test_to_deliver_twice_is_to_deliver_once(
        self, outbox: Outbox, write: Write, clock: FakeClock
    ) -> None:
        message = write()
        outbox.delivered(message.number)
        (before,) = every(outbox)
        clock.advance(60)

        outbox.delivered(message.number)

        assert every(outbox) == [before]

    def test_what_failed_is_due_again_when_its_time_has_come(
        self, outbox: Outbox, write: Write, clock: FakeClock
    ) -> None:
        message = write()

        assert fail(outbox, message)

        clock.advance(MINUTE - MOMENT)
        assert outbox.due(10) == []
        clock.advance(MOMENT)
        (again,) = outbox.due(10)
        assert (again.id, again.body, again.attempts) == (message.id, message.body, 1)
        assert again.last_error == "no"

    def test_those_after_one_that_failed_go_on(self, outbox: Outbox, write: Write) -> None:
        first, second = write(), write()

        fail(outbox, first)

        assert outbox.due(10) == [second]

    def test_what_is_given_up_is_dead(self, outbox: Outbox, write: Write, clock: FakeClock) -> None:
        message = write()

        assert fail(outbox, message, again_in=None)

        clock.advance(timedelta(days=10))
        assert outbox.due(10) == []
        (dead,) = every(outbox, Delivery.DEAD)
        assert (dead.id, dead.attempts, dead.ended_at, dead.last_error) == (message.id, 1, NOW, "no")

    def test_a_failure_does_not_undo_a_delivery(self, outbox: Outbox, write: Write) -> None:
        message = write()
        outbox.delivered(message.number)

        assert not fail(outbox, message)

        assert [one.delivery for one in every(outbox)] == [Delivery.DELIVERED]

    def test_a_delivery_undoes_a_death(self, outbox: Outbox, write: Write) -> None:
        """Who sent it at the same time had better luck."""
        message = write()
        fail(outbox, message, again_in=None)

        outbox.delivered(message.number)

        assert [one.delivery for one in every(outbox)] == [Delivery.DELIVERED]
        assert outbox.backlog() == Backlog()

    def test_of_two_who_failed_with_the_same_try_one_counts(self, outbox: Outbox, write: Write) -> None:
        message = write()

        assert fail(outbox, message)
        assert not fail(outbox, message, again_in=None)

        assert [(one.delivery, one.attempts) for one in every(outbox)] == [(Delivery.PENDING, 1)]

    @pytest.mark.parametrize("end", [Delivery.DEAD, Delivery.DELIVERED, Delivery.PENDING])
    def test_whatever_became_of_it_a_message_can_be_sent_once_more(
        self, outbox: Outbox, write: Write, end: Delivery
    ) -> None:
        message = write()
        if end is Delivery.DELIVERED:
            outbox.delivered(message.number)
        else:
            fail(outbox, message, again_in=None if end is Delivery.DEAD else timedelta(days=1))

        again = outbox.retry(message.id)

        assert (again.id, again.attempts, again.delivery) == (message.id, 0, Delivery.PENDING)
        assert again.ended_at is None
        assert outbox.due(10) == [again]
        assert every(outbox) == [again]

    def test_who_failed_before_it_was_asked_for_again_does_not_count(
        self, outbox: Outbox, write: Write
    ) -> None:
        message = write()
        fail(outbox, message)
        (tried,) = every(outbox)
        again = outbox.retry(message.id)

        assert not fail(outbox, tried, again_in=None)

        assert outbox.due(10) == [again]

    def test_of_what_is_due_those_that_somebody_asked_for_can_be_had_alone(
        self, outbox: Outbox, write: Write, clock: FakeClock
    ) -> None:
        early, late, _ = write(), write(), write()
        outbox.retry(early.id)
        clock.advance(10)
        again = outbox.retry(late.id)

        assert outbox.due(10, asked_within=timedelta(seconds=5)) == [again]

        fail(outbox, again, again_in=timedelta())
        assert outbox.due(10, asked_within=timedelta(seconds=5)) == []

    def test_all_dead_ones_can_be_sent_once_more_in_parts(self, outbox: Outbox, write: Write) -> None:
        dead = [write() for _ in range(3)]
        write()
        for one in dead:
            fail(outbox, one, again_in=None)

        assert [outbox.retry_dead(2) for _ in range(3)] == [2, 1, 0]

        assert {one.id for one in dead} < {one.id for one in outbox.due(10)}
        assert outbox.backlog().dead == 0

    def test_a_message_can_be_discarded(self, outbox: Outbox, write: Write) -> None:
        message, other = write(), write()

        assert outbox.discard(message.id) == message

        assert every(outbox) == [other]
        with pytest.raises(MessageNotFound):
            outbox.discard(message.id)

    def test_all_dead_ones_can_be_discarded_in_parts(self, outbox: Outbox, write: Write) -> None:
        pending = write()
        for one in [write() for _ in range(3)]:
            fail(outbox, one, again_in=None)

        assert [outbox.discard_dead(2) for _ in range(3)] == [2, 1, 0]

        assert every(outbox) == [pending]

    def test_a_test_message_is_sent_as_all_others_are(self, outbox: Outbox) -> None:
        message = outbox.test("token:ci")

        assert outbox.due(10) == [message]
        assert message.kind == "webhook.test"
        assert "token:ci" in message.body

    def test_what_there_is_not_cannot_be_sent_once_more(self, outbox: Outbox) -> None:
        with pytest.raises(MessageNotFound):
            outbox.retry("msg_0")

    def test_messages_are_listed_from_the_newest_on(self, outbox: Outbox, write: Write) -> None:
        numbers = [write().number for _ in range(5)]

        part = outbox.messages(limit=2)
        rest = outbox.messages(before=part.items[-1].number, limit=10)

        assert ([one.number for one in part.items], part.more) == (numbers[:2:-1], True)
        assert ([one.number for one in rest.items], rest.more) == (numbers[2::-1], False)

    def test_messages_are_listed_by_what_became_of_them(self, outbox: Outbox, write: Write) -> None:
        pending, delivered, dead = write(), write(), write()
        outbox.delivered(delivered.number)
        fail(outbox, dead, again_in=None)

        found = {state: [one.number for one in every(outbox, state)] for state in Delivery}

        assert found == {
            Delivery.PENDING: [pending.number],
            Delivery.DELIVERED: [delivered.number],
            Delivery.DEAD: [dead.number],
        }

    def test_the_backlog_counts_what_is_to_be_sent_and_what_is_dead(
        self, outbox: Outbox, write: Write, clock: FakeClock
    ) -> None:
        write()
        clock.advance(1)
        refused, dead, delivered = write(), write(), write()
        fail(outbox, refused)
        fail(outbox, dead, again_in=None)
        outbox.delivered(delivered.number)
        clock.advance(1)

        two, one = timedelta(seconds=2), timedelta(seconds=1)
        assert outbox.backlog() == Backlog(pending=2, dead=1, oldest=two, late=two, refused=one)

    def test_what_waits_for_its_next_try_is_not_late(
        self, outbox: Outbox, write: Write, clock: FakeClock
    ) -> None:
        fail(outbox, write())
        clock.advance(MINUTE)
        assert outbox.backlog().late == timedelta()

        clock.advance(1)
        assert outbox.backlog().late == timedelta(seconds=1)

    def test_a_message_is_refused_since_its_first_try(
        self, outbox: Outbox, write: Write, clock: FakeClock
    ) -> None:
        clock.advance(60)
        message = write()
        clock.advance(60)
        fail(outbox, message)
        clock.advance(60)
        fail(outbox, every(outbox)[0])
        clock.advance(60)

        assert outbox.backlog().refused == timedelta(minutes=2)

    @pytest.mark.parametrize("end", ["delivered", "dead", "retry", "discard", "given up"])
    def test_nothing_is_refused_any_more_once_it_came_to_an_end(
        self, outbox: Outbox, write: Write, clock: FakeClock, end: str
    ) -> None:
        message = write()
        fail(outbox, message)
        match end:
            case "delivered":
                outbox.delivered(message.number)
            case "dead":
                fail(outbox, every(outbox)[0], again_in=None)
            case "retry":
                outbox.retry(message.id)
            case "discard":
                outbox.discard(message.id)
            case _:
                clock.advance(LIFE)
                outbox.give_up(10)

        assert outbox.backlog().refused == timedelta()

    def test_what_is_too_old_is_given_up_tried_or_not(
        self, outbox: Outbox, write: Write, clock: FakeClock
    ) -> None:
        tried, new = write(), write()
        fail(outbox, tried)

        clock.advance(LIFE - MOMENT)
        assert outbox.give_up(10) == 0
        clock.advance(MOMENT)
        assert [outbox.give_up(1) for _ in range(3)] == [1, 1, 0]

        assert {one.id: one.last_error for one in every(outbox, Delivery.DEAD)} == {
            tried.id: "no",
            new.id: "It was not sent in time.",
        }

    def test_who_is_asked_for_again_begins_a_new_life(
        self, outbox: Outbox, write: Write, clock: FakeClock
    ) -> None:
        message = write()
        clock.advance(LIFE - MOMENT)
        outbox.retry(message.id)

        clock.advance(LIFE - MOMENT)

        assert outbox.give_up(10) == 0

    def test_an_error_is_kept_as_it_can_be_shown(self, outbox: Outbox, write: Write) -> None:
        outbox.failed(write().number, "a\x00b\x1b[31m" + "x" * 10_000, attempts=0, again_in=None)

        (kept,) = every(outbox)
        assert kept.last_error == ("a?b?[31m" + "x" * 10_000)[:LONGEST_ERROR]

    def test_what_is_old_is_forgotten_in_parts(self, outbox: Outbox, write: Write, clock: FakeClock) -> None:
        for one in [write() for _ in range(3)]:
            outbox.delivered(one.number)
        clock.advance(DELIVERED_KEPT)

        assert [outbox.forget(2) for _ in range(3)] == [2, 1, 0]

    def test_what_was_delivered_is_forgotten_after_a_day(
        self, outbox: Outbox, write: Write, clock: FakeClock
    ) -> None:
        message = write()
        outbox.delivered(message.number)

        clock.advance(DELIVERED_KEPT - MOMENT)
        outbox.forget(10)
        assert [one.id for one in every(outbox)] == [message.id]
        clock.advance(MOMENT)
        outbox.forget(10)
        assert every(outbox) == []

    def test_what_is_dead_is_forgotten_after_thirty_days(
        self, outbox: Outbox, write: Write, clock: FakeClock
    ) -> None:
        fail(outbox, write(), again_in=None)

        clock.advance(DEAD_KEPT - MOMENT)
        outbox.forget(10)
        assert len(every(outbox)) == 1
        clock.advance(MOMENT)
        outbox.forget(10)
        assert every(outbox) == []

    def test_what_is_still_to_be_sent_is_never_forgotten(
        self, outbox: Outbox, write: Write, clock: FakeClock
    ) -> None:
        new, tried = write(), write()
        fail(outbox, tried)

        clock.advance(10 * DEAD_KEPT)
        outbox.forget(10)

        assert {one.id for one in every(outbox)} == {new.id, tried.id}
