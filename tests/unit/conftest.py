"""Fixtures that more than one folder of unit tests needs."""

from collections.abc import Iterator

import pytest

from tests.ports import a_port


@pytest.fixture
def nobody() -> Iterator[str]:
    """The URL of a port on which nothing listens."""
    with a_port() as port:
        yield f"http://127.0.0.1:{port}"
