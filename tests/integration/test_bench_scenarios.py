"""What the benchmarks of a large pool say, here of a small one: every figure is there."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bench import alone, passes, start, status, waits
from bench.waits import Turn

LIVING = 100


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the service has no other clock


def values(found: dict[str, Any]) -> dict[str, float]:
    """The figures, once all have rounds of theirs, too."""
    assert all(figure["rounds"] for figure in found["figures"].values())
    return {key: figure["value"] for key, figure in found["figures"].items()}


def test_a_pass_at_rest_is_one_call_and_a_sweep_one_more_for_each_page(tmp_path: Path, now: datetime) -> None:
    found = values(passes.measure(tmp_path, now, quick=True, living=LIVING))

    assert (found["pass_calls"], found["sweep_calls"]) == (1, 2)
    assert found["pass_cpu"] > 0


def test_a_pool_in_which_something_is_left_to_do_is_not_at_rest(tmp_path: Path, now: datetime) -> None:
    with pytest.raises(Exception, match="returned non-zero"):
        passes.measure(tmp_path, now, quick=True, living=passes.IDLE - 1)  # fewer than the buffer


def test_an_answer_of_status_has_its_cost(tmp_path: Path, now: datetime) -> None:
    assert values(status.measure(tmp_path, now, quick=True, living=LIVING)).keys() == {"status_cpu"}


def test_a_start_has_its_time_and_its_memory(tmp_path: Path, now: datetime) -> None:
    found = values(start.measure(tmp_path, now, quick=True, living=start.IDLE + LIVING, starts=1))

    assert found.keys() == {"start", "memory"}
    assert found["memory"] > 10


def test_waits_are_compared(tmp_path: Path, now: datetime) -> None:
    found = values(
        waits.measure(tmp_path, now, quick=True, large=LIVING, turn=Turn(delayed=0.2, tracked=1.0))
    )

    assert found.keys() == {"slow_aws", "tracked", "wire"}


def test_claims_by_themselves_are_compared(tmp_path: Path, now: datetime) -> None:
    found = alone.measure(tmp_path, now, quick=True, large=LIVING)

    assert values(found).keys() == {"alone"}
    assert found["details"]["claims of each"] == 100
