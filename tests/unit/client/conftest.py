"""A service, and somebody who asks it."""

from collections.abc import Iterator

import pytest

from app.client import Client, ClientError
from app.exchange import Exchange
from tests.answering import AnsweringService
from tests.fake_clock import Stopwatch
from tests.unit.client.answers import TOKEN


@pytest.fixture
def service() -> Iterator[AnsweringService]:
    with AnsweringService() as running:
        yield running


@pytest.fixture
def client(service: AnsweringService) -> Iterator[Client]:
    with Client(service.url, TOKEN, timeout=30, patience=30) as one:
        yield one


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds between two questions: no other time goes by for a client, and nobody waits for these."""
    time, made = Stopwatch(), list[float]()

    def pause(_: Exchange, seconds: float, _error: ClientError) -> None:
        made.append(seconds)
        time.advance(seconds)

    monkeypatch.setattr(Exchange, "pause", pause)
    monkeypatch.setattr("app.client.monotonic", time)
    monkeypatch.setattr("app.exchange.monotonic", time)
    return made
