"""code-server's heartbeat: when somebody last used the instance, as `/healthz` tells it.

After coder/code-server, src/node/heart.ts: any request but the health check beats, at most once a minute;
60 s after a beat the open connections are counted once, and if there is any it beats again. A test that
cannot wait for minutes makes them shorter.
"""

from collections.abc import Callable

ALIVE_MS = 60_000


class Heart:
    """Knows the last beat in milliseconds since 1970; 0 when there was none since the start."""

    def __init__(self, now_ms: Callable[[], int], alive_ms: int = ALIVE_MS) -> None:
        """`alive_ms` is code-server's minute."""
        self._now_ms = now_ms
        self._alive_ms = alive_ms
        self._ask_at: int | None = None
        self.last_ms = 0

    @property
    def alive(self) -> bool:
        """Tell whether the last beat is younger than a minute."""
        return self._now_ms() - self.last_ms < self._alive_ms

    def beat(self) -> None:
        """Take note of a use, unless one was noted within the last minute."""
        if not self.alive:
            self.last_ms = self._now_ms()
            self._ask_at = self.last_ms + self._alive_ms

    def look(self, connections: int) -> None:
        """Beat again, once a minute after a beat, if anyone is still connected then."""
        if self._ask_at is not None and self._now_ms() >= self._ask_at:
            self._ask_at = None
            if connections:
                self.beat()

    def as_json(self) -> dict[str, str | int]:
        """Render what `/healthz` answers."""
        return {"status": "alive" if self.alive else "expired", "lastHeartbeat": self.last_ms}
