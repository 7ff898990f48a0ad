"""Servers to probe."""

import contextlib
from collections.abc import Iterator

import pytest

from tests.unit.probe.servers import Serve


@pytest.fixture
def serve() -> Iterator[Serve]:
    with contextlib.ExitStack() as stack:
        yield Serve(stack)
