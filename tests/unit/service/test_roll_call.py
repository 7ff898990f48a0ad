"""The roll call: a replica says that it is there, keeps nobody waiting, and is forgotten at its end."""

from collections.abc import Iterator
from datetime import timedelta
from threading import Event, Thread
from time import monotonic

import pytest
from structlog.testing import capture_logs

from app.domain.errors import RegistryUnavailable
from app.domain.replicas import Replica, SeenReplica
from app.ports import Presence
from app.service.roll_call import GRACE, RollCall
from tests.builders import NOW
from tests.fakes import FakeClock, FakePresence
from tests.waiting import until

SOON = 0.01
"""Seconds between two words in tests that want many."""
NEVER = 3600.0


class Calls:
    """Roll calls that end with the test."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.presence = FakePresence(self.clock.now)
        self._begun: list[RollCall] = []

    def call(self, beat: float = NEVER, presence: Presence | None = None) -> RollCall:
        made = RollCall(
            presence or self.presence, replica="host:1:abc", version="1.2.3", clock=self.clock, beat=beat
        )
        self._begun.append(made)
        return made

    @property
    def known(self) -> list[SeenReplica]:
        return list(self.presence.lately(timedelta(days=1)))

    def close(self) -> None:
        for call in self._begun:
            call.end()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the end wait so long for the last word that no busy machine takes longer."""
    monkeypatch.setattr("app.service.roll_call.GRACE", 60.0)


@pytest.fixture
def calls() -> Iterator[Calls]:
    made = Calls()
    yield made
    made.close()


class Hanging(FakePresence):
    """A database that answers nobody until it is freed."""

    def __init__(self) -> None:
        super().__init__()
        self.hanging, self.free = Event(), Event()
        self.forgotten = False

    def note(self, replica: Replica) -> None:
        self.hanging.set()
        assert self.free.wait(60)
        super().note(replica)

    def forget(self, name: str) -> None:
        super().forget(name)
        self.forgotten = True


class Broken(FakePresence):
    """A port with a bug."""

    fault: Exception = ZeroDivisionError("a bug")

    def note(self, replica: Replica) -> None:
        self.words += 1
        raise self.fault


def test_a_replica_is_known_soon_after_it_began(calls: Calls) -> None:
    calls.call().begin(serves=True, polls=False)

    until(lambda: calls.known)
    assert calls.known == [
        SeenReplica(name="host:1:abc", version="1.2.3", started_at=NOW, seen_at=NOW, serves=True, polls=False)
    ]


def test_it_says_again_and_again_that_it_is_there(calls: Calls) -> None:
    calls.call(SOON).begin(serves=True, polls=True)
    until(lambda: calls.known)

    calls.clock.advance(60)

    until(lambda: calls.known[0].seen_at == calls.clock.now())
    assert calls.known[0].started_at == NOW


def test_it_says_nothing_more_before_its_beat_is_over(calls: Calls) -> None:
    calls.call(NEVER).begin(serves=True, polls=True)
    until(lambda: calls.known)

    assert calls.presence.words == 1


def test_at_its_end_it_is_forgotten(calls: Calls, patient: None) -> None:
    call = calls.call()
    call.begin(serves=True, polls=True)
    until(lambda: calls.known)

    call.end()

    assert calls.known == []


def test_after_its_end_it_says_nothing_more(calls: Calls, patient: None) -> None:
    call = calls.call(SOON)
    call.begin(serves=True, polls=True)
    until(lambda: calls.presence.words > 2)

    call.end()

    said, over = calls.presence.words, monotonic() + 20 * SOON
    until(lambda: monotonic() > over)
    assert (calls.presence.words, calls.known) == (said, [])


def test_an_end_right_after_the_beginning_leaves_nothing_behind(calls: Calls, patient: None) -> None:
    for _ in range(20):
        call = calls.call()
        call.begin(serves=True, polls=True)
        call.end()

    assert calls.known == []


def test_the_end_of_what_never_began_does_nothing(calls: Calls) -> None:
    calls.call().end()

    assert calls.presence.words == 0


def test_a_second_end_does_nothing(calls: Calls) -> None:
    call = calls.call()
    call.begin(serves=True, polls=True)
    call.end()

    call.end()


def test_a_database_that_is_away_is_asked_again(calls: Calls) -> None:
    calls.presence.away = True
    calls.call(SOON).begin(serves=True, polls=True)
    until(lambda: calls.presence.words > 2)

    calls.presence.away = False

    until(lambda: calls.known)


def test_a_database_that_is_away_at_the_end_is_no_matter(calls: Calls) -> None:
    call = calls.call()
    call.begin(serves=True, polls=True)
    until(lambda: calls.known)
    calls.presence.away = True

    call.end()

    calls.presence.away = False
    assert len(calls.known) == 1  # the others find out by themselves


def test_a_database_that_hangs_delays_neither_the_beginning_nor_much_the_end(calls: Calls) -> None:
    assert GRACE <= 1.0
    presence = Hanging()
    call = calls.call(presence=presence)
    try:
        began = monotonic()
        call.begin(serves=True, polls=True)
        assert monotonic() - began < 30
        assert presence.hanging.wait(30)

        ending = Thread(target=call.end, daemon=True)
        ending.start()
        ending.join(30)

        assert not ending.is_alive()
    finally:
        presence.free.set()


def test_what_is_said_late_is_taken_back(calls: Calls) -> None:
    presence = Hanging()
    call = calls.call(presence=presence)
    call.begin(serves=True, polls=True)
    assert presence.hanging.wait(30)
    call.end()  # gives up

    presence.free.set()

    until(lambda: presence.forgotten)
    assert presence.words == 1
    assert list(presence.lately(timedelta(hours=1))) == []


def test_a_bug_is_told_once_and_tried_again(calls: Calls) -> None:
    presence = Broken()
    with capture_logs() as told:
        call = calls.call(SOON, presence)
        call.begin(serves=True, polls=True)
        until(lambda: presence.words > 3)
        call.end()

    assert [line["event"] for line in told] == ["roll_call.crashed"]


def test_a_database_that_is_away_is_told_elsewhere(calls: Calls) -> None:
    presence = Broken()
    presence.fault = RegistryUnavailable("no answer")

    with capture_logs() as told:
        call = calls.call(SOON, presence)
        call.begin(serves=True, polls=True)
        until(lambda: presence.words > 3)
        call.end()

    assert told == []
