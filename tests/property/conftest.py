"""How hard the property tests look, and that they do so in silence.

`pytest tests/property --hypothesis-profile=long` looks for several minutes.
"""

import logging
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

settings.register_profile(
    "default",
    max_examples=50,
    stateful_step_count=30,
    deadline=None,  # a busy machine is no fault of ours
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.register_profile("long", settings.get_profile("default"), max_examples=3000, stateful_step_count=60)


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    """Thousands of passes write as many lines, which cost more than the passes."""
    before = structlog.get_config()
    structlog.configure(
        **{**before, "wrapper_class": structlog.make_filtering_bound_logger(logging.CRITICAL)}
    )
    yield
    structlog.configure(**before)
