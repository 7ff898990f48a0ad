"""What every implementation of the Presence port promises."""

from dataclasses import replace
from datetime import datetime, timedelta

from app.domain.replicas import BEAT, Replica
from app.ports import Presence
from tests.builders import NOW

HOUR = timedelta(hours=1)
MOMENT = timedelta(microseconds=1)


def a_replica(name: str = "one:1:a", *, started_at: datetime = NOW, seen_at: datetime = NOW) -> Replica:
    return Replica(
        name=name, version="1.2.3", started_at=started_at, seen_at=seen_at, serves=True, polls=False
    )


class PresenceContract:
    """Subclasses give a fixture `presence`, which knows nobody yet."""

    def test_before_the_first_word_there_is_nobody(self, presence: Presence) -> None:
        assert list(presence.since(NOW - HOUR)) == []

    def test_a_replica_is_kept_as_it_was_given(self, presence: Presence) -> None:
        presence.note(a_replica())

        assert list(presence.since(NOW)) == [a_replica()]

    def test_a_later_word_takes_the_place_of_an_earlier_one(self, presence: Presence) -> None:
        later = replace(a_replica(), seen_at=NOW + BEAT, version="1.2.4", serves=False, polls=True)
        presence.note(a_replica())

        presence.note(later)

        assert list(presence.since(NOW)) == [later]

    def test_who_was_seen_just_then_is_told_and_who_was_seen_before_is_not(self, presence: Presence) -> None:
        presence.note(a_replica())

        assert list(presence.since(NOW)) == [a_replica()]
        assert list(presence.since(NOW + MOMENT)) == []

    def test_the_oldest_start_is_told_first(self, presence: Presence) -> None:
        presence.note(a_replica("young", started_at=NOW))
        presence.note(a_replica("old", started_at=NOW - HOUR))
        presence.note(a_replica("brother", started_at=NOW))

        assert [replica.name for replica in presence.since(NOW)] == ["old", "brother", "young"]

    def test_who_has_ended_is_told_no_more(self, presence: Presence) -> None:
        presence.note(a_replica("one"))
        presence.note(a_replica("two"))

        presence.forget("one")

        assert [replica.name for replica in presence.since(NOW)] == ["two"]

    def test_to_forget_who_is_not_known_is_harmless(self, presence: Presence) -> None:
        presence.forget("nobody")

    def test_who_comes_back_is_told_again(self, presence: Presence) -> None:
        presence.note(a_replica())
        presence.forget(a_replica().name)

        presence.note(a_replica())

        assert list(presence.since(NOW)) == [a_replica()]

    def test_who_was_not_seen_for_an_hour_is_forgotten_at_the_next_word(self, presence: Presence) -> None:
        presence.note(a_replica("gone"))
        presence.note(a_replica("silent", seen_at=NOW + MOMENT))

        presence.note(a_replica("alive", seen_at=NOW + HOUR + MOMENT))

        assert [replica.name for replica in presence.since(NOW)] == ["alive", "silent"]
