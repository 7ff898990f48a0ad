"""What every implementation of the SessionStore port promises."""

from datetime import datetime, timedelta

from app.domain.access import Session
from app.ports import SessionStore
from tests.builders import NOW

HOUR = timedelta(hours=1)
MOMENT = timedelta(microseconds=1)


def a_session(number: int = 1, *, begins: datetime = NOW, lasts: timedelta = HOUR) -> Session:
    return Session(
        digest=f"{number:064x}", credential=f"{number:08x}", created_at=begins, expires_at=begins + lasts
    )


class SessionStoreContract:
    """Subclasses give a fixture `store`, which has none yet."""

    def test_what_was_never_kept_is_not_found(self, store: SessionStore) -> None:
        assert store.find(a_session().digest, now=NOW) is None

    def test_a_session_is_found_as_it_was_given(self, store: SessionStore) -> None:
        store.add(a_session())

        assert store.find(a_session().digest, now=NOW) == a_session()

    def test_a_session_is_found_up_to_its_end_and_not_at_it(self, store: SessionStore) -> None:
        session = a_session()
        store.add(session)

        assert store.find(session.digest, now=session.expires_at - MOMENT) == session
        assert store.find(session.digest, now=session.expires_at) is None

    def test_one_of_several_is_found_by_its_digest(self, store: SessionStore) -> None:
        for number in (1, 2, 3):
            store.add(a_session(number))

        assert store.find(a_session(2).digest, now=NOW) == a_session(2)

    def test_the_same_credential_may_open_several(self, store: SessionStore) -> None:
        store.add(Session(digest="a" * 64, credential="admin", created_at=NOW, expires_at=NOW + HOUR))
        store.add(Session(digest="b" * 64, credential="admin", created_at=NOW, expires_at=NOW + HOUR))

        assert store.find("a" * 64, now=NOW)
        assert store.find("b" * 64, now=NOW)

    def test_an_ended_session_is_not_found_any_more(self, store: SessionStore) -> None:
        store.add(a_session(1))
        store.add(a_session(2))

        store.end(a_session(1).digest)

        assert store.find(a_session(1).digest, now=NOW) is None
        assert store.find(a_session(2).digest, now=NOW) == a_session(2)

    def test_to_end_what_is_not_there_is_harmless(self, store: SessionStore) -> None:
        store.add(a_session(1))
        store.end(a_session(1).digest)

        store.end(a_session(1).digest)

    def test_a_new_session_has_those_forgotten_that_were_over_when_it_began(
        self, store: SessionStore
    ) -> None:
        store.add(a_session(1, lasts=HOUR))
        store.add(a_session(2, lasts=HOUR + MOMENT))

        store.add(a_session(3, begins=NOW + HOUR))

        assert store.find(a_session(1).digest, now=NOW) is None
        assert store.find(a_session(2).digest, now=NOW) is not None
