"""The postman: in order, again and again, and never faster than the receiver wants."""

from datetime import timedelta
from threading import Barrier

import pytest
from structlog.testing import capture_logs

from app.domain.errors import RegistryUnavailable
from app.domain.messages import LONGEST_ERROR
from app.domain.retries import LIFE, LONGEST_REST, PAUSES
from app.ports import Answer, Delivery, Message, MessageOutcome
from app.service.delivery import AT_ONCE, CLEAR, ROUND, SLICE, Postman
from tests.fake_clock import FakeClock, Stopwatch
from tests.fake_outbox import AWAY, REFUSED, TAKEN, FakeOutbox, FakeSender
from tests.fakes import FakeMeter

HOUR = timedelta(hours=1)


class Office:
    """A postman with all that it needs; time stands until it is moved."""

    def __init__(self, *answers: Answer) -> None:
        self.clock = FakeClock()
        self.watch = Stopwatch()
        self.outbox = FakeOutbox(self.clock.now)
        self.sender = FakeSender(*answers)
        self.meter = FakeMeter()
        self.postman = Postman(
            outbox=self.outbox,
            sender=self.sender,
            meter=self.meter,
            monotonic=self.watch,
            chance=lambda: 0.0,
        )

    def wait(self, by: timedelta) -> None:
        self.clock.advance(by)
        self.watch.advance(by.total_seconds())

    def kept(self) -> dict[str, Message]:
        return {one.id: one for one in self.outbox.messages(limit=100).items}

    def only(self) -> Message:
        (message,) = self.kept().values()
        return message


def test_where_nothing_is_due_nothing_is_sent() -> None:
    office = Office()

    office.postman.round()

    assert office.sender.sent == []


def test_a_round_sends_all_that_is_due() -> None:
    office = Office()
    ids = {office.outbox.write().id for _ in range(3 * AT_ONCE + 1)}

    office.postman.round()

    assert set(office.sender.sent) == ids
    assert {one.delivery for one in office.kept().values()} == {Delivery.DELIVERED}
    assert office.meter.attempts == [MessageOutcome.DELIVERED] * len(ids)


def test_batches_follow_the_order_in_which_messages_were_written() -> None:
    office = Office()
    ids = [office.outbox.write().id for _ in range(2 * AT_ONCE)]

    office.postman.round()

    assert set(office.sender.sent[:AT_ONCE]) == set(ids[:AT_ONCE])


def test_a_few_messages_are_on_their_way_at_the_same_time() -> None:
    office = Office()
    meeting = Barrier(AT_ONCE, timeout=60)

    class Meeting:
        def send(self, message: str, body: str) -> Answer:
            meeting.wait()
            return TAKEN

    office.postman._sender = Meeting()
    for _ in range(AT_ONCE):
        office.outbox.write()

    office.postman.round()

    assert {one.delivery for one in office.kept().values()} == {Delivery.DELIVERED}


def test_what_was_refused_is_sent_again_after_its_pause() -> None:
    office = Office(REFUSED, TAKEN)
    message = office.outbox.write()

    office.postman.round()
    office.wait(PAUSES[0] - timedelta(milliseconds=1))
    office.postman.round()
    assert office.sender.sent == [message.id]
    office.wait(timedelta(milliseconds=1))
    office.postman.round()

    assert office.sender.sent == [message.id] * 2
    assert office.only().delivery is Delivery.DELIVERED


def test_one_that_is_refused_does_not_hold_up_the_others() -> None:
    office = Office()
    bad = office.outbox.write()
    good = [office.outbox.write().id for _ in range(2 * AT_ONCE)]

    class Picky:
        def send(self, message: str, body: str) -> Answer:
            return REFUSED if message == bad.id else TAKEN

    office.postman._sender = Picky()
    office.postman.round()

    kept = office.kept()
    assert {kept[one].delivery for one in good} == {Delivery.DELIVERED}
    assert kept[bad.id].last_error == REFUSED.error


def test_after_the_last_try_a_message_is_given_up() -> None:
    office = Office(REFUSED)
    office.outbox.write()

    office.postman.round()
    for pause in PAUSES:
        assert office.only().delivery is Delivery.PENDING
        office.wait(pause)
        office.postman.round()

    assert office.only().delivery is Delivery.DEAD
    assert office.meter.attempts == [MessageOutcome.FAILED] * len(PAUSES) + [MessageOutcome.DEAD]


def test_a_receiver_that_is_gone_for_good_gets_a_message_once() -> None:
    office = Office(Answer(taken=False, error="hooks.example.com answered 410", gone=True))
    office.outbox.write()

    office.postman.round()

    assert office.only().delivery is Delivery.DEAD


def test_while_nobody_answers_one_message_is_tried_in_a_round() -> None:
    office = Office(AWAY)
    ids = [office.outbox.write().id for _ in range(AT_ONCE + 3)]

    office.postman.round()
    assert set(office.sender.sent) == set(ids[:AT_ONCE])
    office.postman.round()
    office.postman.round()

    assert office.sender.sent[AT_ONCE:] == ids[AT_ONCE : AT_ONCE + 2]


def test_once_somebody_answers_all_are_sent() -> None:
    office = Office(AWAY)
    ids = [office.outbox.write().id for _ in range(3 * AT_ONCE)]
    office.postman.round()

    office.sender.answers = [TAKEN]
    office.postman.round()

    assert set(office.sender.sent[AT_ONCE:]) == set(ids[AT_ONCE:])


def test_a_receiver_that_asks_for_time_gets_it_for_all_messages() -> None:
    busy = Answer(taken=False, error="busy", away=True, wish=timedelta(seconds=20))
    office = Office(busy)
    for _ in range(AT_ONCE + 1):
        office.outbox.write()
    office.postman.round()
    office.sender.answers = [TAKEN]

    office.wait(timedelta(seconds=20) - timedelta(milliseconds=1))
    office.postman.round()
    assert len(office.sender.sent) == AT_ONCE
    office.wait(timedelta(milliseconds=1))
    office.postman.round()

    assert {one.delivery for one in office.kept().values()} == {Delivery.DELIVERED}


def a_long_rest() -> Answer:
    return Answer(taken=False, error="busy", away=True, wish=timedelta(hours=1))


def test_a_long_rest_is_for_one_message_alone() -> None:
    office = Office(a_long_rest())
    first = office.outbox.write()
    office.postman.round()
    office.sender.answers = [TAKEN]
    second = office.outbox.write()

    office.wait(LONGEST_REST - timedelta(milliseconds=1))
    office.postman.round()
    assert office.sender.sent == [first.id]
    office.wait(timedelta(milliseconds=1))
    office.postman.round()

    assert office.sender.sent == [first.id, second.id]


def test_who_asks_for_a_message_again_ends_the_rest() -> None:
    office = Office(a_long_rest())
    first = office.outbox.write()
    office.postman.round()
    second = office.outbox.write()
    office.sender.answers = [TAKEN]

    office.wait(timedelta(seconds=5))
    office.outbox.retry(first.id)
    office.postman.round()

    assert office.sender.sent == [first.id, first.id, second.id]


def test_who_asked_for_a_message_before_the_rest_does_not_end_it() -> None:
    office = Office(a_long_rest())
    for one in [office.outbox.write() for _ in range(2 * AT_ONCE)]:
        office.outbox.retry(one.id)
    office.wait(timedelta(seconds=1))

    for _ in range(3):
        office.postman.round()
        office.wait(timedelta(seconds=1))

    assert len(office.sender.sent) == AT_ONCE


def test_a_receiver_cannot_ask_for_ever() -> None:
    office = Office(Answer(taken=False, error="busy", away=True, wish=timedelta(days=365)), TAKEN)
    office.outbox.write()
    office.postman.round()

    office.wait(HOUR)
    office.postman.round()

    assert office.only().delivery is Delivery.DELIVERED


def test_a_round_ends_in_time_however_much_there_is() -> None:
    office = Office()

    class Slow:
        def send(self, message: str, body: str) -> Answer:
            office.watch.advance(ROUND / 2)
            return TAKEN

    office.postman._sender = Slow()
    for _ in range(10 * AT_ONCE):
        office.outbox.write()

    office.postman.round()

    sent = [one for one in office.kept().values() if one.delivery is Delivery.DELIVERED]
    assert 0 < len(sent) <= 2 * AT_ONCE


def test_what_could_not_be_noted_is_sent_again_under_the_same_id() -> None:
    office = Office()
    message = office.outbox.write()

    class Breaking:
        def send(self, message: str, body: str) -> Answer:
            office.outbox.away = True
            office.sender.send(message, body)
            return TAKEN

    office.postman._sender = Breaking()
    with pytest.raises(RegistryUnavailable):
        office.postman.round()
    office.outbox.away = False
    office.postman._sender = office.sender
    office.postman.round()

    assert office.sender.sent == [message.id] * 2
    assert office.only().delivery is Delivery.DELIVERED


@pytest.mark.parametrize("broken", range(3))
def test_a_bug_of_the_sender_counts_as_a_failed_try(broken: int) -> None:
    office = Office()

    class Broken:
        def send(self, message: str, body: str) -> Answer:
            if message == bad.id:
                raise ZeroDivisionError
            return TAKEN

    office.postman._sender = Broken()
    written = [office.outbox.write() for _ in range(3)]
    bad = written.pop(broken)
    with capture_logs() as lines:
        office.postman.round()
        office.wait(PAUSES[0])
        office.postman.round()

    kept = office.kept()
    assert {kept[one.id].delivery for one in written} == {Delivery.DELIVERED}
    assert (kept[bad.id].attempts, kept[bad.id].delivery) == (2, Delivery.PENDING)
    assert "webhook.crashed" in [line["event"] for line in lines]


def test_what_cannot_be_noted_of_one_message_loses_nothing_of_the_others() -> None:
    office = Office()
    bad, *others = [office.outbox.write() for _ in range(3)]

    note = office.outbox.delivered

    def delivered(number: int) -> None:
        if number == bad.number:
            raise RegistryUnavailable
        note(number)

    office.outbox.delivered = delivered  # type: ignore[method-assign]
    with pytest.raises(RegistryUnavailable):
        office.postman.round()

    assert {office.kept()[one.id].delivery for one in others} == {Delivery.DELIVERED}


def test_what_went_wrong_is_logged_on_one_short_line() -> None:
    office = Office(Answer(taken=False, error="\x1b[2J" + "x" * 10_000))
    office.outbox.write()
    with capture_logs() as lines:
        office.postman.round()

    (line,) = lines
    assert line["detail"].startswith("?[2Jx")
    assert len(line["detail"]) == LONGEST_ERROR


def test_where_there_is_nobody_to_send_to_what_is_old_goes_all_the_same() -> None:
    office = Office()
    office.postman._sender = None
    office.outbox.write()

    with capture_logs() as lines:
        office.postman.round()
        assert office.only().delivery is Delivery.PENDING
        office.wait(LIFE)
        office.postman.round()

    assert office.only().delivery is Delivery.DEAD
    assert [(line["event"], line["messages"]) for line in lines] == [("webhook.too_old", 1)]


def test_what_is_old_goes_in_parts() -> None:
    office = Office()
    office.postman._sender = None
    for _ in range(SLICE + 1):
        office.outbox.write()
    office.wait(LIFE)

    office.postman.round()
    assert office.outbox.backlog().pending == 1
    office.postman.round()

    assert office.outbox.backlog().pending == 0


def test_old_messages_are_forgotten_now_and_then() -> None:
    office = Office()

    office.postman.round()
    office.postman.round()
    assert office.outbox.forgot == 1
    office.watch.advance(CLEAR)
    office.postman.round()

    assert office.outbox.forgot == 2


def told(office: Office, rounds: int) -> list[str]:
    with capture_logs() as lines:
        for _ in range(rounds):
            office.postman.round()
            office.wait(HOUR)
    return [line["event"] for line in lines]


def test_that_messages_are_not_taken_is_told_once() -> None:
    office = Office(REFUSED)
    office.outbox.write()
    office.outbox.write()

    assert told(office, 3) == ["webhook.failing"]


def test_that_messages_are_taken_again_is_told() -> None:
    office = Office(REFUSED, TAKEN)
    office.outbox.write()

    assert told(office, 3) == ["webhook.failing", "webhook.working"]


def test_each_message_that_is_given_up_is_told() -> None:
    office = Office(Answer(taken=False, error="hooks.example.com answered 410", gone=True))
    office.outbox.write()
    office.outbox.write()

    assert told(office, 1) == ["webhook.gave_up"] * 2
