"""HeartbeatReader: asks code-server when it was last used."""

import json
from collections.abc import Mapping

from app.domain.activity import LATEST, Heartbeat
from app.domain.model import InstanceId
from app.probe.crowd import Crowd
from app.probe.exchange import get

TARGET = "/healthz"
"""Exactly this is no use of code-server: it takes any query after it for one."""
_LONGEST = 4096
"""Bytes of an answer that are read at most."""


class HeartbeatReader:
    """Reads `lastHeartbeat` out of the JSON that code-server answers at `/healthz`.

    Each instance gets `timeout` seconds for all of it; the whole call gets `deadline` seconds. With 200 at a
    time, one call asks 1,000 instances although all hang. Source: coder/code-server, src/node/heart.ts and
    src/node/routes/health.ts.
    """

    def __init__(self, *, timeout: float = 2.0, deadline: float = 10.0, concurrency: int = 200) -> None:
        self._crowd = Crowd(_heartbeat, timeout=timeout, concurrency=concurrency, deadline=deadline)

    def read(self, targets: Mapping[InstanceId, tuple[str, int]]) -> Mapping[InstanceId, Heartbeat]:
        """Return the heartbeats of those that tell one. Never raises; bounded in time."""
        return self._crowd.ask(targets)


async def _heartbeat(address: str, port: int) -> Heartbeat | None:
    answer = await get(address, port, TARGET, most=_LONGEST)
    if not answer.succeeded:
        return None
    told = json.loads(answer.body)
    last = told.get("lastHeartbeat") if isinstance(told, dict) else None
    if type(last) is not int or not 0 <= last <= LATEST:  # `True` is no number here
        return None
    date = answer.date
    return Heartbeat(last=last, now=None if date is None else int(date.timestamp() * 1000))
