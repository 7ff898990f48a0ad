"""When the set-up is examined, and what is told of it."""

from threading import Event, Thread

import pytest
import structlog
from structlog.testing import capture_logs

from app.domain.controls import Change
from app.domain.finding import Finding, Verdict
from app.domain.model import DEFAULT_POOL, Notice, Policy
from app.service.examination import AGAIN, Examination
from tests.builders import NOW
from tests.fake_clock import Stopwatch
from tests.fakes import FakeControls, FakePreflight

OFF = Finding(check="a check", verdict=Verdict.WARNING, detail="It is off.", remedy="Turn it on.")
DENIED = Finding(check="a permission", verdict=Verdict.FAILURE, detail="It is denied.")
FINE = Finding(check="another", verdict=Verdict.OK, detail="Fine.")
UNKNOWN = Finding(check="a third", verdict=Verdict.UNKNOWN, detail="Nobody knows.")
TOLD = Notice(code="group-something", detail=OFF.detail)


class Bench:
    """An examination, and the looks it waits for."""

    def __init__(self, *findings: Finding) -> None:
        self.preflight = FakePreflight(*findings)
        self.time = Stopwatch()
        self.controls = FakeControls()
        self.examination = Examination(
            self.preflight, policy=Policy(), controls=self.controls, monotonic=self.time
        )

    def look(self, *notices: Notice) -> list[str]:
        return [notice.detail for notice in self.examination.notices(besides=notices)]

    def change(self, change: Change) -> None:
        self.controls.change(DEFAULT_POOL, change, configured=5, expect=None, actor="tester", now=NOW)

    def make_after(self, seconds: float) -> bool:
        self.time.seconds += seconds
        return self.examination.make()


def test_nothing_is_examined_before_the_first_look() -> None:
    bench = Bench(OFF)
    assert not bench.examination.make()
    assert bench.preflight.asked == 0

    bench.look()

    assert bench.examination.make()
    assert bench.preflight.asked == 1


def test_what_is_wrong_is_told_with_its_remedy_and_what_is_fine_or_unknown_is_not() -> None:
    bench = Bench(FINE, OFF, UNKNOWN, DENIED)
    bench.look()

    assert bench.examination.make()

    assert bench.look() == ["a check: It is off. Turn it on.", "a permission: It is denied."]


def test_where_all_is_well_one_examination_is_enough() -> None:
    bench = Bench(FINE, UNKNOWN)
    bench.look()
    assert not bench.examination.make()

    assert not bench.make_after(10 * AGAIN)

    assert bench.preflight.asked == 1
    assert bench.look() == []


def test_while_something_is_wrong_it_is_examined_again_once_an_hour() -> None:
    bench = Bench(OFF)
    bench.look()

    news = [bench.make_after(AGAIN / 4) for _ in range(10)]

    assert bench.preflight.asked == 3
    assert news == [True] + [False] * 9


def test_what_was_mended_is_news_and_ends_it() -> None:
    bench = Bench(OFF)
    bench.look()
    bench.examination.make()
    bench.preflight.findings = (FINE,)

    assert bench.make_after(AGAIN)

    assert bench.look() == []
    assert not bench.make_after(AGAIN)
    assert bench.preflight.asked == 2


def test_what_each_look_tells_is_not_told_twice_and_no_reason_to_examine_again() -> None:
    bench = Bench(OFF)
    bench.look(TOLD)
    assert not bench.examination.make()

    assert bench.look(TOLD) == []
    assert not bench.make_after(10 * AGAIN)
    assert bench.preflight.asked == 1


def test_what_looks_told_is_no_longer_told_once_they_find_it_mended() -> None:
    bench = Bench(OFF)
    bench.look(TOLD)
    bench.examination.make()

    assert bench.look() == []


def test_what_looks_tell_only_later_is_no_reason_either() -> None:
    bench = Bench(OFF)
    bench.look()
    bench.examination.make()

    assert bench.look(TOLD) == []
    assert not bench.make_after(AGAIN)
    assert bench.preflight.asked == 1


def test_something_else_that_is_wrong_is_a_reason() -> None:
    bench = Bench(OFF, DENIED)
    bench.look(TOLD)
    bench.examination.make()

    bench.make_after(AGAIN)

    assert bench.preflight.asked == 2
    assert bench.look(TOLD) == ["a permission: It is denied."]


def test_each_finding_is_logged() -> None:
    bench = Bench(OFF, FINE, DENIED)
    bench.look()
    structlog.reset_defaults()

    with capture_logs() as told:
        bench.examination.make()

    assert [line["check"] for line in told if line["event"] == "setup.warning"] == ["a check", "a permission"]


def test_an_examination_that_crashed_is_not_made_again_at_once() -> None:
    bench = Bench()
    bench.look()
    bench.preflight.findings = None  # type: ignore[assignment]
    with pytest.raises(TypeError):
        bench.examination.make()

    assert not bench.make_after(5)


def test_a_paused_pool_is_not_examined_before_it_is_resumed() -> None:
    bench = Bench(OFF)
    bench.look()
    bench.change(Change(paused=True))
    assert not bench.examination.make()
    assert bench.preflight.asked == 0

    bench.change(Change(paused=False))

    assert bench.examination.make()


def test_an_examination_in_which_the_pool_was_paused_tells_nothing_and_is_made_again() -> None:
    bench = Bench(OFF)
    bench.look()
    bench.preflight.meanwhile = lambda: bench.change(Change(paused=True))
    assert not bench.examination.make()
    assert bench.look() == []

    bench.preflight.meanwhile = lambda: None
    bench.change(Change(paused=False))

    assert bench.examination.make()


def test_it_is_examined_for_the_buffer_that_an_operator_set() -> None:
    bench = Bench()
    bench.look()
    bench.change(Change(buffer=12))

    bench.examination.make()

    assert bench.preflight.buffers == [12]


def test_while_it_is_examined_looks_tell_what_was_found_before() -> None:
    bench = Bench(OFF)
    bench.look()
    bench.examination.make()
    asked, answer = Event(), Event()

    def slow(_buffer: int) -> tuple[Finding, ...]:
        asked.set()
        assert answer.wait(60)
        return (DENIED,)

    bench.preflight.examine = slow  # type: ignore[assignment, method-assign]
    examining = Thread(target=bench.make_after, args=(AGAIN,))
    examining.start()
    assert asked.wait(60)
    try:
        assert bench.look() == ["a check: It is off. Turn it on."]
    finally:
        answer.set()
        examining.join()

    assert bench.look() == ["a permission: It is denied."]
