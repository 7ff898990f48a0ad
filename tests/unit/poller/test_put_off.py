"""What our own budget of AWS calls puts off, and what is urgent: the poller's own arithmetic, no threads."""

import pytest

from app.aws.budget import LOOK_DEBT, PER_SECOND, RESERVE, shares
from app.domain.errors import BudgetSpent
from app.domain.model import DEFAULT_POOL, PoolName
from app.poller.pace import AFTERWARDS, GAP, Pace
from app.poller.poller import STUCK
from app.service.reconcile import PassReport
from tests.fake_clock import Stopwatch
from tests.unit.poller.beats import Beats

RESTING = PassReport()
PUT_OFF = PassReport(put_off=6.0)
GPU = PoolName("gpu")


def test_what_was_put_off_is_made_up_for_once_there_is_room() -> None:
    beats = Beats(PUT_OFF, interval=300)

    beats.beat_for(20)

    assert beats.ran == [0, 6, 12, 18]


@pytest.mark.parametrize(
    "report", [PassReport(put_off=6.0, changed=True), PassReport(put_off=6.0, unsettled=True)]
)
def test_no_look_uses_up_before_that_what_it_waits_for(report: PassReport) -> None:
    beats = Beats(report, interval=300)

    beats.beat_for(10)

    assert beats.ran == [0, 6]


def test_room_that_is_far_off_puts_off_no_pass_that_is_due() -> None:
    beats = Beats(PassReport(put_off=60.0), interval=10)

    beats.beat_for(15)

    assert beats.ran == [0, 10]


def test_there_is_a_gap_between_two_passes_however_soon_there_is_room() -> None:
    beats = Beats(PassReport(put_off=0.0), interval=300)
    beats.beat_for(1)
    beats.time.seconds -= 1 - GAP / 2

    beats.beat_for(1)

    assert beats.ran == [0]


def test_a_storm_of_claims_in_two_pools_does_not_hinder_for_ever_what_the_budget_puts_off() -> None:
    time = Stopwatch()
    pools = [
        (budget, Pace(DEFAULT_POOL, interval=10.0, monotonic=time, chance=lambda: 0.0))
        for budget in shares(time, per_second=PER_SECOND["autoscaling"], among=2)
    ]
    changed_at = [0.0, 0.0]

    for _ in range(1200):
        time.seconds += 0.25
        for pool, (budget, pace) in enumerate(pools):
            pace.want()
            if not pace.is_due():
                continue
            try:
                budget.let_in("a look", leaving=-LOOK_DEBT)
                budget.charge()
                budget.let_in("a change", leaving=RESERVE)
                budget.charge()
                changed_at[pool] = time()
                pace.follow(RESTING)
            except BudgetSpent as spent:
                pace.follow(PassReport(put_off=spent.wait))

    assert min(changed_at) > time() - 60


def test_a_wish_during_a_pass_that_had_to_leave_something_gives_the_budget_time() -> None:
    time = Stopwatch()
    pace = Pace(DEFAULT_POOL, interval=10.0, monotonic=time, chance=lambda: 0.0)
    pace.is_due()
    pace.want()
    pace.follow(PUT_OFF)

    time.seconds += (GAP + AFTERWARDS) / 2
    too_soon = pace.is_due()
    time.seconds += AFTERWARDS

    assert (too_soon, pace.is_due()) == (False, True)


def test_a_claim_does_not_wait_for_room() -> None:
    beats = Beats(PUT_OFF, interval=300)
    beats.beat_for(2)
    beats.poller.wake()

    beats.beat_for(2)

    assert beats.ran == [0, 2]


def test_a_leader_that_only_saves_calls_lets_no_other_try() -> None:
    beats = Beats(PUT_OFF)

    beats.beat_for(2 * int(STUCK))

    assert beats.leases.term == 1


# Urgent


def test_the_pass_that_somebody_wished_for_is_urgent_and_no_other() -> None:
    beats = Beats(RESTING, others={GPU: RESTING})
    beats.beat_for(2)
    beats.poller.wake(PoolName("default"))

    beats.beat_for(15)

    assert beats.urgent == [False, True, False]
    assert beats.urgent_in[GPU] == [False, False]


def test_a_wish_of_another_process_makes_a_pass_urgent_as_well() -> None:
    beats = Beats(RESTING, interval=300)
    beats.beat_for(2)
    beats.bell.news = True

    beats.beat_for(1)

    assert beats.urgent == [False, True]


def test_what_was_wished_for_stays_urgent_until_there_is_room() -> None:
    beats = Beats(RESTING, interval=300)
    beats.beat_for(2)
    beats.report = PUT_OFF
    beats.poller.wake()
    beats.beat_for(1)
    beats.report = RESTING

    beats.beat_for(30)

    assert (beats.ran, beats.urgent) == ([0, 2, 8], [False, True, True])


def test_a_pass_can_tell_whether_the_next_one_is_waited_for() -> None:
    pace = Pace(DEFAULT_POOL, interval=10.0, monotonic=Stopwatch(), chance=lambda: 0.0)
    pace.want()
    before = pace.is_due(), pace.wanted()
    pace.want()

    assert (*before, pace.wanted()) == (True, False, True)
