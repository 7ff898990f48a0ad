"""The property tests look in silence, and as long as they need.

`pytest tests/property --hypothesis-profile=long` looks for several minutes, each time at other examples.
"""

import logging
from collections.abc import Iterator

import pytest
import structlog


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let a test last as long as its examples do: how many they are, the profile says."""
    item.add_marker(pytest.mark.timeout(1800))


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    """Thousands of passes write as many lines, which cost more than the passes."""
    before = structlog.get_config()
    structlog.configure(
        **{**before, "wrapper_class": structlog.make_filtering_bound_logger(logging.CRITICAL)}
    )
    yield
    structlog.configure(**before)
