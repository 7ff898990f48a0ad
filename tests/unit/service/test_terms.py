"""Passes of a replica whose term ends, or may have ended: the rest is left to the one that follows."""

import pytest

from app.domain.errors import NotLeading, RegistryUnavailable
from app.domain.model import DEFAULT_POOL, InstanceState
from tests.fakes import FakeMandate
from tests.unit.service.pools import Pool


class Lasting(FakeMandate):
    """A term that is over after so many questions."""

    def __init__(self, questions: int) -> None:
        super().__init__()
        self._left = questions

    @property
    def trusted(self) -> bool:
        self._left -= 1
        return self._left >= 0

    @trusted.setter
    def trusted(self, value: bool) -> None:
        """Is decided by the count."""


def test_a_pass_of_a_replica_that_does_not_lead_any_more_changes_nothing(pool: Pool) -> None:
    pool.mandate.trusted = False

    with pytest.raises(NotLeading):
        pool.tick()

    assert pool.called("raise_desired") == 0
    assert pool.registry.instances(DEFAULT_POOL) == {}


def test_a_term_that_ends_within_a_pass_ends_it_there(pool: Pool) -> None:
    pool.tick(1)
    pool.mandate = Lasting(3)
    pool.restarted()

    with pytest.raises(NotLeading):
        pool.tick()

    assert len(pool.registry.instances(DEFAULT_POOL)) == 2  # of five that there were to discover


def test_the_replica_that_follows_does_the_rest(pool: Pool) -> None:
    pool.tick(1)
    pool.mandate = Lasting(3)
    pool.restarted()
    with pytest.raises(NotLeading):
        pool.tick()

    pool.mandate = FakeMandate()
    pool.restarted()
    pool.tick(6)

    assert pool.count(InstanceState.IDLE) == 5
    assert pool.cloud.desired == 5


@pytest.mark.parametrize("refusal", [NotLeading("another leads"), RegistryUnavailable("no answer")])
def test_a_termination_that_was_not_begun_is_not_in_doubt_and_repeated_at_once(
    pool: Pool, refusal: NotLeading | RegistryUnavailable
) -> None:
    pool.tick(6)
    ending = pool.claim("alice").allocation.instance
    pool.destroy(ending)
    pool.cloud.fail("terminate", refusal)
    with pytest.raises(type(refusal)):
        pool.tick()

    pool.restarted()
    pool.tick()

    assert pool.called("terminate") == 2


def test_a_new_leader_does_not_take_the_writes_of_the_last_one_for_somebody_elses(pool: Pool) -> None:
    pool.tick(6)
    first = pool.reconciler
    pool.restarted()
    pool.tick()
    pool.claim("alice")
    first.tick()  # raises desired in a term of its own

    pool.restarted()
    pool.tick()

    assert pool.cloud.desired == 6
    assert pool.notices == []
