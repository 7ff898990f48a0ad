"""What every implementation of the Leases port promises."""

from collections.abc import Callable
from datetime import timedelta
from threading import Barrier, Thread

from app.ports import Lease, Leases
from tests.waiting import until

LONG = timedelta(seconds=60)
SHORT = timedelta(seconds=0.2)

Another = Callable[[], Leases]
"""Makes another replica's way to the same row."""


def taken(leases: Leases, holder: str, ttl: timedelta = LONG) -> Lease:
    lease = leases.take(holder, ttl)
    assert lease is not None
    return lease


def expired(leases: Leases) -> bool:
    return leases.leader() is None


class LeasesContract:
    """Subclasses give a fixture `another`."""

    def test_before_the_first_term_nobody_leads(self, another: Another) -> None:
        assert another().leader() is None

    def test_who_takes_the_first_term_leads(self, another: Another) -> None:
        leases = another()

        lease = taken(leases, "a")

        assert (lease.holder, lease.term) == ("a", 1)
        assert leases.leader() == lease
        assert another().leader() == lease

    def test_while_a_term_runs_nobody_else_begins_one(self, another: Another) -> None:
        lease = taken(another(), "a")

        assert another().take("b", LONG) is None
        assert another().leader() == lease

    def test_who_holds_the_term_may_begin_another_for_it_may_not_know_of_it(self, another: Another) -> None:
        leases = another()
        first = taken(leases, "a")

        second = taken(leases, "a")

        assert second.term == first.term + 1
        assert not leases.holds(first)
        assert not leases.renew(first, LONG)

    def test_after_its_end_by_time_another_begins_the_next(self, another: Another) -> None:
        first, second = another(), another()
        old = taken(first, "a", SHORT)
        until(lambda: expired(second))

        new = taken(second, "b")

        assert (new.holder, new.term) == ("b", old.term + 1)
        assert new.since > old.since

    def test_renewed_it_runs_for_longer(self, another: Another) -> None:
        leases = another()
        lease = taken(leases, "a", timedelta(seconds=1))

        assert leases.renew(lease, LONG)

        until(lambda: leases.take("b", LONG) is None)
        assert leases.leader() == lease

    def test_renewed_for_less_it_ends_sooner(self, another: Another) -> None:
        leases = another()
        lease = taken(leases, "a", LONG)

        assert leases.renew(lease, SHORT)

        until(lambda: expired(leases))

    def test_one_that_ran_out_goes_on_if_nobody_followed(self, another: Another) -> None:
        leases = another()
        lease = taken(leases, "a", SHORT)
        until(lambda: expired(leases))
        assert not leases.holds(lease)

        assert leases.renew(lease, LONG)

        assert leases.holds(lease)
        assert another().take("b", LONG) is None

    def test_one_that_was_followed_is_over_for_good(self, another: Another) -> None:
        first, second = another(), another()
        old = taken(first, "a", SHORT)
        until(lambda: expired(second))
        new = taken(second, "b")

        assert not first.renew(old, LONG)
        assert not first.holds(old)
        first.resign(old)

        assert second.leader() == new

    def test_resigned_it_is_free_at_once(self, another: Another) -> None:
        first, second = another(), another()
        old = taken(first, "a")

        first.resign(old)

        assert second.leader() is None
        assert taken(second, "b").term == old.term + 1

    def test_resigned_it_cannot_be_renewed(self, another: Another) -> None:
        leases = another()
        lease = taken(leases, "a")
        leases.resign(lease)

        assert not leases.renew(lease, LONG)
        assert leases.leader() is None

    def test_of_many_that_race_one_gets_the_term(self, another: Another) -> None:
        racers = [another() for _ in range(8)]
        for round_ in range(5):
            start, won = Barrier(len(racers)), list[Lease]()

            def race(name: str, leases: Leases, start: Barrier = start, won: list[Lease] = won) -> None:
                start.wait(60)
                lease = leases.take(name, LONG)
                if lease is not None:
                    won.append(lease)

            threads = [Thread(target=race, args=(f"r{n}", one)) for n, one in enumerate(racers)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

            assert [lease.term for lease in won] == [round_ + 1]
            racers[0].resign(won[0])
