"""Where the sessions of people are kept."""

from datetime import datetime
from typing import Protocol

from app.domain.access import Session


class SessionStore(Protocol):
    """Keeps sessions, by the hash of their cookie alone. Each method may raise RegistryUnavailable."""

    def add(self, session: Session) -> None:
        """Keep a new session, and forget those that were over when it began."""
        ...

    def find(self, digest: str, *, now: datetime) -> Session | None:
        """Return the session that is not over at `now`; None where there is none."""
        ...

    def end(self, digest: str) -> None:
        """End a session at once. Harmless where there is none."""
        ...
