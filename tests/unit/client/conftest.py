from collections.abc import Iterator

import pytest

from app.client import Client
from tests.answering import AnsweringService
from tests.unit.client.answers import TOKEN


@pytest.fixture
def service() -> Iterator[AnsweringService]:
    with AnsweringService() as running:
        yield running


@pytest.fixture
def client(service: AnsweringService) -> Iterator[Client]:
    with Client(service.url, TOKEN, timeout=5, patience=5) as one:
        yield one
