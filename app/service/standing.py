"""The tokens in force, close at hand: a request asks the memory, and the memory is never old."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from math import inf
from threading import Event, Lock, Thread

from app.domain.access import Token
from app.domain.errors import RegistryUnavailable
from app.ports import Tokens

FRESH = 2.0
"""Seconds for which nobody reads the table again."""
LIMIT = 5.0
"""Seconds after which what was read is used no more: a revoked token is refused after as many."""
PATIENCE = 2.0
"""Seconds that a request waits at most for another one's look at the table."""
GRAIN = timedelta(minutes=1)
"""How exactly the last use of a token is known."""
GATHERING = 1.0
"""Seconds in which uses are gathered for one write."""


class Standing:
    """The tokens that are not revoked, as they were LIMIT seconds ago or later.

    `monotonic` returns seconds that never jump.
    """

    def __init__(self, tokens: Tokens, *, monotonic: Callable[[], float]) -> None:
        self._tokens = tokens
        self._monotonic = monotonic
        self._looking = Lock()
        self._seen: tuple[float, Mapping[str, Token]] = (-inf, {})

    def tokens(self) -> Mapping[str, Token]:
        """Return them by id; raise RegistryUnavailable where they cannot be known."""
        at, found = self._seen  # one tuple: another thread may be replacing it
        now = self._monotonic()
        age = now - at
        if age < FRESH:
            return found
        if age < LIMIT:
            self._look_unless_another_does()
            return self._seen[1]
        return self._read_since(now - FRESH)

    def anew(self) -> Mapping[str, Token]:
        """Return them by id as they are at this moment; raise RegistryUnavailable where that cannot be known.

        Requests that ask for it together share one look at the table.
        """
        return self._read_since(self._monotonic())

    def _read_since(self, moment: float) -> Mapping[str, Token]:
        if not self._looking.acquire(timeout=PATIENCE):
            raise RegistryUnavailable("The database is slow to tell which tokens there are. Try again.")
        try:
            if self._seen[0] <= moment:
                self._look()
            return self._seen[1]
        finally:
            self._looking.release()

    def _look_unless_another_does(self) -> None:
        if not self._looking.acquire(blocking=False):
            return
        try:
            self._look()
        except RegistryUnavailable:
            pass  # what we have will do for a moment
        finally:
            self._looking.release()

    def _look(self) -> None:
        began = self._monotonic()  # what is revoked from now on may be missed
        self._seen = (began, self._tokens.standing())


class Uses:
    """Notes when tokens were last used, to the minute. No request waits for it, and none fails of it."""

    def __init__(self, tokens: Tokens, *, gathering: float = GATHERING) -> None:
        self._tokens = tokens
        self._gathering = gathering
        self._changing = Lock()
        self._writing = Lock()
        self._noted: dict[str, datetime] = {}
        self._waiting: dict[str, datetime] = {}
        self._writer: Thread | None = None
        self._closing = Event()

    def note(self, token: Token, now: datetime) -> None:
        """Take note of a use; it is written in a moment, by a thread of its own."""
        for known in (self._noted.get(token.id), token.last_used_at):  # by us, or by another process
            if known is not None and now - known < GRAIN:
                return
        with self._changing:
            self._noted[token.id] = self._waiting[token.id] = now
            if self._writer is None and not self._closing.is_set():
                self._start()

    def write(self) -> None:
        """Write what waits to be written; what cannot be written now waits for the next time."""
        with self._writing:  # who closes waits for what is being written
            with self._changing:
                self._writer = None
                writing, self._waiting = self._waiting, {}
            if not writing:
                return
            try:
                self._tokens.note_used(writing)
            except RegistryUnavailable:
                with self._changing:
                    self._waiting = {**writing, **self._waiting}

    def close(self) -> None:
        """Write the last ones."""
        self._closing.set()
        writer = self._writer
        if writer is not None:
            writer.join()
        self.write()

    def _start(self) -> None:
        writer = Thread(target=self._gather, name="token-uses", daemon=True)
        try:
            writer.start()
        except RuntimeError:  # no more threads: it goes with a later use
            return
        self._writer = writer

    def _gather(self) -> None:
        self._closing.wait(self._gathering)
        self.write()
