"""How soon the poller makes up for a pass that failed: its own arithmetic, without threads."""

import pytest
import structlog
from structlog.testing import capture_logs

from app.domain.errors import RegistryUnavailable
from app.service.reconcile import PassReport
from tests.unit.poller.beats import Beats

FAULTS = pytest.mark.parametrize("fault", [RegistryUnavailable("no answer"), ZeroDivisionError("a bug")])


@FAULTS
def test_a_pass_that_failed_is_tried_again_in_two_seconds_however_long_the_interval(fault: Exception) -> None:
    beats = Beats(fault, interval=300)

    beats.beat_for(9)

    assert beats.ran == [0, 2, 4, 6, 8]


@FAULTS
def test_what_another_process_asked_of_a_pass_that_failed_is_made_up_for(fault: Exception) -> None:
    beats = Beats(PassReport(), interval=300)
    beats.beat_for(10)
    beats.report, beats.bell.news = fault, True
    beats.beat_for(1)
    beats.report = PassReport()

    beats.beat_for(60)

    assert beats.ran == [0, 10, 12]


@FAULTS
def test_a_pass_that_could_not_begin_is_tried_again_as_soon(fault: Exception) -> None:
    beats = Beats(PassReport(), interval=300)
    beats.bell.news = fault
    beats.beat_for(10)
    beats.bell.news = False

    beats.beat_for(60)

    assert beats.ran == [10]


@FAULTS
def test_what_fails_with_each_beat_is_told_only_when_a_pass_is_due(fault: Exception) -> None:
    beats = Beats(PassReport(), interval=300)
    beats.bell.news = fault
    structlog.reset_defaults()

    with capture_logs() as told:
        for _ in range(10):
            beats.beat_for(1)
            beats.time.seconds -= 0.8  # two seconds, at the poller's own pace

    assert [line["log_level"] for line in told if line["event"].startswith("pass.")] == ["error"]


def test_a_pass_that_failed_while_aws_throttles_us_waits_all_the_same() -> None:
    beats = Beats(PassReport(throttled=True))
    beats.beat_for(20)
    beats.report = ZeroDivisionError("a bug")
    beats.beat_for(1)
    assert beats.ran == [0, 20]

    beats.report = PassReport(throttled=True)
    beats.beat_for(60)

    assert beats.ran == [0, 20, 22, 62]


def test_a_pass_that_could_not_look_is_repeated_before_a_long_interval_is_over() -> None:
    beats = Beats(PassReport(failed=True), interval=300)

    beats.beat_for(25)

    assert beats.ran == [0, 10, 20]
