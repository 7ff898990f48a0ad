"""What is remembered beside the registry, in memory: samples, replicas and sessions."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby

from app.domain.access import Session
from app.domain.errors import RegistryUnavailable
from app.domain.history import GRAIN, KEPT, Sample, grain_of
from app.domain.model import PoolName
from app.domain.replicas import Replica, SeenReplica
from tests.builders import NOW


class _Away:
    def __init__(self) -> None:
        self.away = False
        """Whether it does not answer."""

    def _answer(self) -> None:
        if self.away:
            raise RegistryUnavailable("The database did not answer as it should. Try again.")


class FakeHistory(_Away):
    """The History port; `noted` has each call's samples, and `now` is the database's clock."""

    def __init__(self, now: Callable[[], datetime] = lambda: NOW) -> None:
        super().__init__()
        self._now = now
        self.noted: list[list[Sample]] = []
        self._kept: dict[tuple[PoolName, datetime], Sample] = {}

    def note(self, samples: Iterable[Sample]) -> None:
        self._answer()
        given = list(samples)
        self.noted.append(given)
        if given:
            present = grain_of(self._now())
            for sample in given:
                kept = replace(sample, at=min(sample.at, present))
                self._kept.setdefault((kept.pool, kept.at), kept)
            self._kept = {key: one for key, one in self._kept.items() if present - KEPT < one.at <= present}

    def since(self, pool: PoolName, start: datetime, *, step: timedelta) -> Sequence[Sample]:
        self._answer()
        taken = sorted(
            (one for one in self._kept.values() if one.pool == pool and one.at >= start),
            key=lambda one: one.at,
        )
        return [
            _put_together(at, list(some)) for at, some in groupby(taken, lambda one: _floor(one.at, step))
        ]

    def short_since(self, pool: PoolName) -> datetime | None:
        self._answer()
        since: datetime | None = None
        for sample in self.since(pool, datetime.min.replace(tzinfo=UTC), step=GRAIN):
            since = None if sample.idle >= sample.buffer else since or sample.at
        return since


def _floor(at: datetime, step: timedelta) -> datetime:
    seconds = step.total_seconds()
    return datetime.fromtimestamp(at.timestamp() // seconds * seconds, at.tzinfo)


def _put_together(at: datetime, some: Sequence[Sample]) -> Sample:
    return Sample(
        pool=some[0].pool,
        at=at,
        idle=min(one.idle for one in some),
        allocated=max(one.allocated for one in some),
        booting=max(one.booting for one in some),
        waiting=max(one.waiting for one in some),
        buffer=min(one.buffer for one in some),
        desired=max((one.desired for one in some if one.desired is not None), default=None),
    )


class FakePresence(_Away):
    """The Presence port; `words` counts how often a replica said that it is there, or tried to.

    `now` is the database's clock.
    """

    def __init__(self, now: Callable[[], datetime] = lambda: NOW) -> None:
        super().__init__()
        self._now = now
        self.words = 0
        self._known: dict[str, SeenReplica] = {}

    def note(self, replica: Replica) -> None:
        self.words += 1
        self._answer()
        now = self._now()
        self._known[replica.name] = SeenReplica(**asdict(replica), seen_at=now)
        oldest = now - timedelta(hours=1)
        self._known = {name: one for name, one in self._known.items() if one.seen_at >= oldest}

    def forget(self, name: str) -> None:
        self._answer()
        self._known.pop(name, None)

    def lately(self, within: timedelta) -> Sequence[SeenReplica]:
        self._answer()
        known = tuple(self._known.values())  # a thread may note something meanwhile
        seen = [one for one in known if one.seen_at >= self._now() - within]
        return sorted(seen, key=lambda one: (one.started_at, one.name))


class FakeSessions(_Away):
    """The SessionStore port; `reads` counts how often a session was looked for."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self._kept: dict[str, Session] = {}

    def add(self, session: Session) -> None:
        self._answer()
        self._kept = {
            digest: one for digest, one in self._kept.items() if one.expires_at > session.created_at
        }
        self._kept[session.digest] = session

    def find(self, digest: str, *, now: datetime) -> Session | None:
        self.reads += 1
        self._answer()
        found = self._kept.get(digest)
        return None if found is None or found.expires_at <= now else found

    def end(self, digest: str) -> None:
        self._answer()
        self._kept.pop(digest, None)
