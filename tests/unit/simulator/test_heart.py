"""The heartbeat is code-server's: known to a minute, and kept up by open connections."""

import pytest

from app.simulator.heart import ALIVE_MS, Heart

START = 1_700_000_000_000


class Watch:
    def __init__(self) -> None:
        self.ms = START

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def heart(watch: Watch) -> Heart:
    return Heart(watch)


def test_nothing_happened_yet(heart: Heart) -> None:
    assert heart.as_json() == {"status": "expired", "lastHeartbeat": 0}


def test_a_use_is_alive_for_a_minute(heart: Heart, watch: Watch) -> None:
    heart.beat()
    assert heart.as_json() == {"status": "alive", "lastHeartbeat": START}
    watch.ms += ALIVE_MS
    assert heart.as_json() == {"status": "expired", "lastHeartbeat": START}


def test_a_use_within_the_minute_is_not_noted(heart: Heart, watch: Watch) -> None:
    heart.beat()
    watch.ms += ALIVE_MS - 1
    heart.beat()
    assert heart.last_ms == START


def test_for_tests_the_minute_can_be_shorter(watch: Watch) -> None:
    heart = Heart(watch, alive_ms=1000)
    heart.beat()
    watch.ms += 1000
    heart.look(connections=1)
    assert heart.last_ms == START + 1000


def test_an_open_connection_beats_once_a_minute(heart: Heart, watch: Watch) -> None:
    heart.beat()
    for minute in (1, 2, 3):
        watch.ms = START + minute * ALIVE_MS
        heart.look(connections=1)
        assert heart.last_ms == START + minute * ALIVE_MS


def test_nobody_connected_after_a_minute_ends_it(heart: Heart, watch: Watch) -> None:
    heart.beat()
    watch.ms += ALIVE_MS
    heart.look(connections=0)
    watch.ms += 1
    heart.look(connections=1)
    assert heart.last_ms == START


def test_a_connection_alone_does_not_begin_it(heart: Heart) -> None:
    heart.look(connections=1)
    assert heart.last_ms == 0
