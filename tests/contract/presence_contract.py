"""What every implementation of the Presence port promises."""

from dataclasses import asdict, replace
from datetime import datetime, timedelta

from app.domain.replicas import Replica, SeenReplica
from app.ports import Presence
from tests.builders import NOW

HOUR = timedelta(hours=1)


def a_replica(name: str = "one:1:a", *, started_at: datetime = NOW) -> Replica:
    return Replica(name=name, version="1.2.3", started_at=started_at, serves=True, polls=False)


def told(presence: Presence, within: timedelta = HOUR) -> list[Replica]:
    """Those seen lately, without when."""
    return [_bare(seen) for seen in presence.lately(within)]


def _bare(seen: SeenReplica) -> Replica:
    return Replica(**{name: value for name, value in asdict(seen).items() if name != "seen_at"})


class PresenceContract:
    """Subclasses give a fixture `presence`, which knows nobody yet, and let time pass."""

    def pass_time(self, presence: Presence, by: timedelta) -> None:
        """Have all that was said be said so much longer ago."""
        raise NotImplementedError

    def test_before_the_first_word_there_is_nobody(self, presence: Presence) -> None:
        assert told(presence) == []

    def test_a_replica_is_kept_as_it_was_given(self, presence: Presence) -> None:
        presence.note(a_replica())

        assert told(presence) == [a_replica()]

    def test_a_later_word_takes_the_place_of_an_earlier_one(self, presence: Presence) -> None:
        later = replace(a_replica(), version="1.2.4", serves=False, polls=True)
        presence.note(a_replica())
        self.pass_time(presence, HOUR / 2)

        presence.note(later)

        assert told(presence, HOUR / 4) == [later]

    def test_who_was_seen_just_then_is_told_and_who_was_seen_before_is_not(self, presence: Presence) -> None:
        presence.note(a_replica("before"))
        self.pass_time(presence, HOUR / 2)
        presence.note(a_replica("just then"))

        assert told(presence, HOUR / 4) == [a_replica("just then")]

    def test_when_it_was_seen_is_told(self, presence: Presence) -> None:
        presence.note(a_replica("before"))
        self.pass_time(presence, HOUR / 2)
        presence.note(a_replica("just then"))

        before, just_then = sorted(presence.lately(HOUR), key=lambda one: one.name)

        assert abs(just_then.seen_at - before.seen_at - HOUR / 2) < HOUR / 4

    def test_the_oldest_start_is_told_first(self, presence: Presence) -> None:
        presence.note(a_replica("young", started_at=NOW))
        presence.note(a_replica("old", started_at=NOW - HOUR))
        presence.note(a_replica("brother", started_at=NOW))

        assert [replica.name for replica in told(presence)] == ["old", "brother", "young"]

    def test_who_has_ended_is_told_no_more(self, presence: Presence) -> None:
        presence.note(a_replica("one"))
        presence.note(a_replica("two"))

        presence.forget("one")

        assert [replica.name for replica in told(presence)] == ["two"]

    def test_to_forget_who_is_not_known_is_harmless(self, presence: Presence) -> None:
        presence.forget("nobody")

    def test_who_comes_back_is_told_again(self, presence: Presence) -> None:
        presence.note(a_replica())
        presence.forget(a_replica().name)

        presence.note(a_replica())

        assert told(presence) == [a_replica()]

    def test_who_was_not_seen_for_an_hour_is_forgotten_at_the_next_word(self, presence: Presence) -> None:
        presence.note(a_replica("gone"))
        self.pass_time(presence, HOUR * 3 / 4)
        presence.note(a_replica("silent"))
        self.pass_time(presence, HOUR / 2)

        presence.note(a_replica("alive"))

        assert [replica.name for replica in told(presence, 2 * HOUR)] == ["alive", "silent"]

    def test_a_replica_whose_clock_is_ahead_drives_nobody_out(self, presence: Presence) -> None:
        presence.note(a_replica("one"))

        presence.note(a_replica("ahead", started_at=NOW + 1000 * HOUR))

        assert [replica.name for replica in told(presence)] == ["one", "ahead"]
