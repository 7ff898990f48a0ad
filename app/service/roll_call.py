"""This process says every few seconds that it is there, for those who look at the service as a whole."""

from contextlib import suppress
from threading import Event, Thread

import structlog

from app.domain.errors import RegistryUnavailable
from app.domain.replicas import BEAT, Replica
from app.ports import Clock, Presence
from app.service.unattended import Unattended

log = structlog.get_logger()

GRACE = 1.0
"""Seconds that the end waits at most for the last word to be written."""


class RollCall:
    """Says every BEAT that this replica is there, and at the end that it is no more.

    In a thread of its own, so that no start, no request and no end waits for the database. A word that cannot
    be said now is left out: the next one says the same. Who ends without a word is taken for gone after GONE.
    """

    def __init__(
        self,
        presence: Presence,
        *,
        replica: str,
        version: str,
        clock: Clock,
        beat: float = BEAT.total_seconds(),
    ) -> None:
        """`replica` names this process and no other; `beat` is in seconds."""
        self._presence = presence
        self._replica = replica
        self._version = version
        self._clock = clock
        self._beat = beat
        self._ended = Event()
        self._thread: Thread | None = None

    def begin(self, *, serves: bool, polls: bool) -> None:
        """Answer from now on. Call it once, after the fork: threads do not survive one."""
        replica = Replica(
            name=self._replica,
            version=self._version,
            started_at=self._clock.now(),
            serves=serves,
            polls=polls,
        )
        thread = Thread(target=self._answer, args=(replica,), name="roll-call", daemon=True)
        with suppress(RuntimeError):  # no more threads: nobody sees this replica, and it works all the same
            thread.start()
            self._thread = thread

    def end(self) -> None:
        """Be forgotten. Harmless where it was never begun, and once more."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(GRACE)

    def _answer(self, replica: Replica) -> None:
        say = Unattended(
            lambda: self._presence.note(replica), lambda error: log.error("roll_call.crashed", exc_info=error)
        )
        while True:
            say()
            if self._ended.wait(self._beat):
                break
        with suppress(RegistryUnavailable):  # the others find out by themselves
            self._presence.forget(replica.name)
