"""Leadership: what a replica may believe of itself, and when it may change anything at AWS."""

from itertools import pairwise

import pytest
from structlog.testing import capture_logs

from app.domain.errors import NotLeading, RegistryUnavailable
from app.poller.poller import BEAT, KEEP
from app.ports import Mandate
from app.registry.postgresql import LIMITS
from app.service.leadership import ASIDE, CHANGE, MARGIN, RENEW, TTL, Leadership
from tests.fake_clock import Stopwatch
from tests.fake_leases import CutLeases, FakeLeases

LASTS = TTL.total_seconds()
DRIFT = 0.01
"""How much faster or slower than the database's a replica's clock may run."""


class Replica:
    """A replica, its own clock, and its own way to the row."""

    def __init__(self, name: str, leases: FakeLeases) -> None:
        self.time = Stopwatch()
        self.way = CutLeases(leases)
        self.leadership = Leadership(self.way, replica=name, monotonic=self.time)

    def keep(self) -> None:
        self.leadership.keep()

    def leads(self) -> bool:
        return self.leadership.mandate is not None

    def mandate(self) -> Mandate:
        mandate = self.leadership.mandate
        assert mandate is not None
        return mandate

    def may_change(self, mandate: Mandate) -> bool:
        try:
            mandate.confirm()
        except (NotLeading, RegistryUnavailable):
            return False
        return True


class World:
    """Two replicas, and the row between them; time passes for all of them together, or for one alone."""

    def __init__(self) -> None:
        self.database = Stopwatch()
        self.leases = FakeLeases(self.database)
        self.first, self.second = Replica("first", self.leases), Replica("second", self.leases)

    def wait(self, seconds: float) -> None:
        for time in (self.database, self.first.time, self.second.time):
            time.seconds += seconds

    def go_on(self, seconds: float) -> None:
        """Let time pass, and both do what they do twice a second."""
        for _ in range(round(seconds * 2)):
            self.wait(0.5)
            self.first.keep()
            self.second.keep()


@pytest.fixture
def world() -> World:
    world = World()
    world.first.keep()
    world.second.keep()
    return world


def test_the_first_to_stand_leads_and_the_other_does_not(world: World) -> None:
    assert (world.first.leads(), world.second.leads()) == (True, False)


def test_before_it_stood_nobody_leads() -> None:
    assert not World().first.leads()


def test_a_leader_that_is_heard_leads_on(world: World) -> None:
    mandate = world.first.mandate()

    world.go_on(10 * LASTS)

    assert world.first.mandate() is mandate
    assert world.leases.term == 1


def test_a_leader_asks_the_database_no_more_often_than_it_must(world: World) -> None:
    renewals: list[float] = []
    world.first.way.while_asked = lambda: renewals.append(world.first.time())

    world.go_on(10)

    assert [later - sooner for sooner, later in pairwise(renewals)] == [RENEW] * 4


def test_in_touch_with_its_database_a_leader_may_change_things_at_any_time(world: World) -> None:
    mandate = world.first.mandate()

    for _ in range(60):
        world.go_on(0.5)
        assert world.first.may_change(mandate)


def test_a_leader_that_is_cut_off_stops_before_its_term_does(world: World) -> None:
    world.first.way.cut = True

    world.wait(LASTS - MARGIN - 0.1)
    assert world.first.leads()
    world.wait(0.1)

    assert not world.first.leads()
    assert world.leases.leader() is not None


def test_a_leader_that_is_cut_off_begins_no_change_that_could_outlast_its_trust(world: World) -> None:
    mandate = world.first.mandate()

    world.wait(LASTS - MARGIN - CHANGE)
    assert world.first.may_change(mandate)
    world.wait(0.1)

    assert world.first.leads()
    assert not world.first.may_change(mandate)


def test_a_change_that_could_not_be_asked_about_is_not_made(world: World) -> None:
    mandate = world.first.mandate()
    world.first.way.cut = True

    with pytest.raises(RegistryUnavailable):
        mandate.confirm()


def test_the_time_that_asking_takes_counts(world: World) -> None:
    mandate = world.first.mandate()
    world.first.way.while_asked = lambda: world.wait(LASTS - MARGIN - CHANGE + 0.1)

    with pytest.raises(NotLeading):
        mandate.confirm()


def test_cut_off_and_back_in_time_it_leads_on_in_the_same_term(world: World) -> None:
    mandate = world.first.mandate()
    world.first.way.cut = True
    world.go_on(LASTS - MARGIN)
    assert not world.first.leads()

    world.first.way.cut = False
    world.go_on(0.5)

    assert world.first.mandate() is mandate
    assert not world.second.leads()


def test_a_leader_that_died_is_followed_when_its_term_expires(world: World) -> None:
    world.first.way.cut = True
    world.go_on(LASTS - 0.5)
    assert not world.second.leads()

    world.go_on(1)

    assert world.second.leads()
    assert world.leases.term == 2


def test_who_was_followed_never_leads_in_the_old_term_again(world: World) -> None:
    old = world.first.mandate()
    world.first.way.cut = True
    world.go_on(LASTS + 1)
    world.first.way.cut = False

    world.go_on(LASTS)

    assert not world.first.leads()
    assert not old.trusted
    assert not world.first.may_change(old)


def test_a_new_term_of_the_same_replica_is_no_comfort_to_the_old_one(world: World) -> None:
    old = world.first.mandate()
    world.first.way.cut = True
    world.go_on(LASTS + 1)
    world.second.leadership.resign()
    world.first.way.cut = False
    world.go_on(1)

    assert world.first.mandate() is not old
    assert not old.trusted
    assert not world.first.may_change(old)


def test_an_answer_that_comes_late_makes_nobody_a_leader() -> None:
    world = World()
    world.first.way.while_asked = lambda: world.wait(LASTS - MARGIN)

    world.first.keep()

    assert world.leases.leader() is not None
    assert not world.first.leads()


def test_a_renewal_counts_from_when_it_was_asked_for(world: World) -> None:
    world.wait(RENEW)
    world.first.way.while_asked = lambda: world.wait(5)
    world.first.keep()
    world.first.way.while_asked = lambda: None
    world.first.way.cut = True

    world.wait(LASTS - MARGIN - 5 - 0.1)
    assert world.first.leads()
    world.wait(0.1)

    assert not world.first.leads()


def test_who_does_not_know_that_it_won_stands_again_and_leads() -> None:
    world = World()
    world.first.way.answers_lost = True
    world.first.keep()
    assert not world.first.leads()
    world.first.way.answers_lost = False

    world.first.keep()

    assert world.first.leads()
    assert world.leases.term == 2


def test_a_clean_end_frees_the_term_at_once(world: World) -> None:
    old = world.first.mandate()

    world.first.leadership.resign()
    world.second.keep()

    assert world.second.leads()
    assert not old.trusted


def test_after_its_end_a_replica_never_stands_again(world: World) -> None:
    world.first.leadership.resign()

    world.first.keep()

    assert not world.first.leads()
    assert world.leases.leader() is None


def test_who_ends_while_it_stands_gives_the_term_back() -> None:
    world = World()

    def end() -> None:
        world.first.way.while_asked = lambda: None
        world.first.leadership.resign()

    world.first.way.while_asked = end
    world.first.keep()

    assert not world.first.leads()
    assert world.leases.leader() is None


def test_an_end_in_the_very_moment_of_the_election_frees_the_term(world: World) -> None:
    """As `_stand` has it: it leads first, and looks then whether it is over."""
    world.first.leadership.resign()
    told: list[str] = []

    def end() -> None:
        told.append("asked")
        world.second.leadership.resign()

    world.second.way.while_asked = end
    world.second.keep()

    assert told
    assert world.leases.leader() is None


def test_who_steps_aside_stops_at_once_and_lets_another_lead_once_no_change_can_be_under_way(
    world: World,
) -> None:
    old = world.first.mandate()

    world.first.leadership.step_aside()
    world.second.keep()

    assert not old.trusted
    assert not world.second.leads()
    world.go_on(LASTS)
    assert (world.first.leads(), world.second.leads()) == (False, True)


def test_alone_who_steps_aside_leads_again_a_moment_later(world: World) -> None:
    world.second.leadership.resign()
    world.first.leadership.step_aside()

    world.go_on(LASTS + ASIDE - 0.5)
    assert not world.first.leads()
    world.go_on(1)

    assert world.first.leads()


def test_a_candidate_that_is_not_heard_says_so_once(world: World) -> None:
    world.second.way.cut = True
    with capture_logs() as told:
        world.go_on(5)
        world.second.way.cut = False
        world.go_on(1)
        world.second.way.cut = True
        world.go_on(1)

    assert [line["event"] for line in told] == ["leadership.unheard"] * 2


def test_another_leads_within_fifteen_seconds_of_a_kill() -> None:
    waits_for_the_row = LIMITS.lock or 0.0
    assert LASTS + KEEP + BEAT + waits_for_the_row <= 15


def test_a_change_is_over_before_another_can_lead() -> None:
    """A replica asks at least once in RENEW + KEEP seconds, and has half a second then to get its answer."""
    assert CHANGE < LASTS - MARGIN - RENEW - KEEP + 0.5
    assert MARGIN >= 2 * DRIFT * LASTS


def test_an_end_without_a_database_is_an_end_all_the_same(world: World) -> None:
    world.first.way.cut = True

    world.first.leadership.resign()

    assert not world.first.leads()


def test_a_database_whose_clock_jumped_gives_the_term_away_and_the_old_leader_finds_out(world: World) -> None:
    mandate = world.first.mandate()
    world.database.seconds += 3600
    world.second.keep()
    assert world.second.leads()
    assert mandate.trusted  # by all that it can know alone

    assert not world.first.may_change(mandate)

    assert not world.first.leads()


def test_a_term_that_expired_by_a_jump_and_was_not_followed_goes_on(world: World) -> None:
    mandate = world.first.mandate()
    world.database.seconds += 3600
    assert not world.first.may_change(mandate)

    world.wait(RENEW)
    world.first.keep()

    assert world.first.may_change(mandate)


def test_a_process_that_stood_still_finds_out_before_it_changes_anything(world: World) -> None:
    """Its own clock stood still as well, as a virtual machine's does that was paused."""
    mandate = world.first.mandate()
    for time in (world.database, world.second.time):
        time.seconds += LASTS + 1
    world.second.keep()
    assert world.second.leads()

    assert not world.first.may_change(mandate)


def test_what_happens_to_leadership_is_told_once_each_time(world: World) -> None:
    world.first.way.cut = True
    with capture_logs() as told:
        world.go_on(LASTS + 1)
        world.first.way.cut = False
        world.go_on(LASTS)
        world.second.leadership.resign()
        world.go_on(1)

    assert [line["event"] for line in told] == [
        "leadership.suspended",
        "leadership.taken",
        "leadership.lost",
        "leadership.resigned",
        "leadership.taken",
    ]
