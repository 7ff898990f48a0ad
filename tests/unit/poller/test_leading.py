"""Who runs passes of several replicas, and what becomes of a leader that gets nothing done."""

from datetime import timedelta
from threading import Event, Thread

import pytest
import structlog
from structlog.testing import capture_logs

from app.domain.errors import NotLeading, RegistryUnavailable
from app.domain.model import DEFAULT_POOL
from app.poller.poller import PROBE, STUCK
from app.service.leadership import RENEW, TTL
from app.service.reconcile import PassReport
from tests.fake_clock import FastWatch, Stopwatch
from tests.unit.poller.beats import Beats
from tests.unit.poller.world import World, lasting
from tests.waiting import LONG, until

# Who leads


def test_a_replica_that_does_not_lead_runs_nothing(world: World) -> None:
    asked: list[str] = []

    def note(what: str) -> bool:
        asked.append(what)
        return False

    world.probe = lambda: note("probe")
    world.examine = lambda: note("examination")
    world.another_leads()
    world.poller.start()
    world.poller.wake()

    until(lasting(1))

    assert (world.passes.started, asked) == (0, [])


def test_a_replica_leads_soon_after_nobody_does(world: World) -> None:
    world.another_leads()
    world.poller.start()
    until(lambda: world.leases.asked > 1)

    world.nobody_leads()

    world.passes.until_finished(1)


def test_a_replica_that_stops_ends_its_term(running: World) -> None:
    assert running.leases.leader() is not None

    running.poller.stop()

    assert running.leases.leader() is None


def test_a_leader_that_is_followed_by_another_runs_no_more_passes(running: World) -> None:
    running.another_leads()
    until(lambda: running.leadership.mandate is None)
    finished = running.passes.finished

    running.bell.news = True

    until(lasting(1))
    assert running.passes.finished == finished


def test_each_term_has_jobs_of_its_own_and_begins_with_a_pass(running: World) -> None:
    running.another_leads()
    until(lambda: running.leadership.mandate is None)

    running.nobody_leads()

    until(lambda: len(running.mandates) == 2)
    running.passes.until_finished(2)
    old, new = running.mandates
    assert (old.trusted, new.trusted) == (False, True)


def test_a_pass_that_finds_out_it_may_not_lead_is_tried_again(world: World) -> None:
    world.passes.reports.append(NotLeading("too late"))
    world.poller.start()

    world.passes.until_finished(2)


def test_what_runs_beside_the_passes_runs_no_more_once_another_leads(running: World) -> None:
    running.another_leads()
    until(lambda: running.leadership.mandate is None)
    asked: list[str] = []

    def probe() -> bool:
        asked.append("probe")
        return False

    until(lasting(PROBE))
    running.probe = probe

    until(lasting(2 * PROBE))
    assert asked == []


def test_a_probe_that_finds_out_it_may_not_lead_is_no_crash(world: World) -> None:
    asked = Event()

    def probe() -> bool:
        asked.set()
        raise NotLeading("too late")

    world.probe = probe
    structlog.reset_defaults()
    with capture_logs() as told:
        world.poller.start()
        assert asked.wait(LONG)
        world.poller.stop()

    assert not [line for line in told if "crashed" in line["event"]]


def test_a_pass_that_takes_longer_than_a_term_costs_nobody_the_leadership() -> None:
    time = FastWatch()
    world = World(time=time)
    try:
        with world.passes.held():
            world.poller.start()
            until(lambda: world.passes.started == 1)
            mandate = world.leadership.mandate
            for _ in range(10):  # two seconds and a little each: renewed, and again
                time.advance(RENEW)
                until(lambda: world.leases.expires_at > time() + TTL.total_seconds() - 1)

            assert mandate is not None
            assert world.leadership.mandate is mandate
    finally:
        world.close()


# A leader that gets nothing done


@pytest.mark.parametrize(
    "report", [PassReport(failed=True), RegistryUnavailable("no answer"), ZeroDivisionError("a bug")]
)
def test_a_leader_whose_passes_fail_for_long_lets_another_try(report: PassReport | Exception) -> None:
    beats = Beats(report)
    beats.beat_for(int(STUCK) - 1)
    assert beats.leadership.mandate is not None

    beats.beat_for(2)

    assert beats.leadership.mandate is None


@pytest.mark.parametrize("report", [PassReport(), PassReport(failed=True, throttled=True)])
def test_a_leader_whose_passes_succeed_or_that_aws_throttles_goes_on(report: PassReport) -> None:
    beats = Beats(report)

    beats.beat_for(10 * int(STUCK))

    assert beats.leadership.mandate is not None
    assert beats.leases.term == 1


def test_one_good_pass_begins_the_count_anew() -> None:
    beats = Beats(PassReport(failed=True))
    beats.beat_for(int(STUCK) - 20)
    beats.report = PassReport()
    beats.beat_for(15)
    beats.report = PassReport(failed=True)

    beats.beat_for(int(STUCK) - 20)

    assert beats.leadership.mandate is not None


def test_the_interval_makes_no_difference_for_what_failed_is_tried_again_soon() -> None:
    beats = Beats(PassReport(failed=True), interval=3600)

    beats.beat_for(int(STUCK) + 1)

    assert beats.leadership.mandate is None


def test_a_leader_whose_pass_hangs_lets_another_lead() -> None:
    time = Stopwatch()
    world = World(time=time)
    world.poller._keep()
    with world.passes.held():
        hanging = Thread(target=world.poller._rounds[DEFAULT_POOL].beat)
        hanging.start()
        until(lambda: world.passes.started == 1)
        for _ in range(int(STUCK * 2)):
            assert world.leases.leader() is not None
            time.advance(0.5)
            world.poller._keep()
        time.advance(TTL.total_seconds())

        assert world.leases.take("another", timedelta(seconds=60)) is not None
    hanging.join()
