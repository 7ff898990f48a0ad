"""HttpProber: ready is who answers GET with success."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Literal
from urllib.parse import quote, urljoin, urlsplit

from app.domain.model import InstanceId
from app.probe.crowd import Crowd
from app.probe.exchange import get

_REDIRECTS = frozenset(
    {
        HTTPStatus.MOVED_PERMANENTLY,
        HTTPStatus.FOUND,
        HTTPStatus.SEE_OTHER,
        HTTPStatus.TEMPORARY_REDIRECT,
        HTTPStatus.PERMANENT_REDIRECT,
    }
)
_MOST_REDIRECTS = 5


class HttpProber:
    """Finds ready every instance that answers GET `path` with any 2xx; a redirect is no success.

    Each instance gets `timeout` seconds for all of it, however slowly it sends; the whole call gets
    `deadline` seconds, and who was not heard by then is not ready. `opens` has limits of its own, because a
    first page can be slow to come. With 200 at a time, one call asks 1,000 instances although all hang.
    """

    def __init__(
        self,
        path: str,
        *,
        timeout: float = 2.0,
        deadline: float = 10.0,
        page_timeout: float = 5.0,
        page_deadline: float = 10.0,
        concurrency: int = 200,
    ) -> None:
        self._target = _in_ascii(path)
        self._health = Crowd(self._answers, timeout=timeout, concurrency=concurrency, deadline=deadline)
        self._pages = Crowd(_opens, timeout=page_timeout, concurrency=concurrency, deadline=page_deadline)

    def probe(self, targets: Mapping[InstanceId, tuple[str, int]]) -> frozenset[InstanceId]:
        """Return those of `targets` that are ready. Never raises; bounded in time.

        On code-server, `/healthz` without a query is the one request that does not count as a use.
        """
        return frozenset(self._health.ask(targets))

    def opens(self, targets: Mapping[InstanceId, tuple[str, int]]) -> frozenset[InstanceId]:
        """Return those of `targets` whose front page opens. Never raises; bounded in time.

        GET `/` must end in a 2xx after at most five redirects, none of which leaves the instance's address
        and port. A code-server whose page is dead, with HTTP 500, still has a green `/healthz`. But it takes
        this request for a use: for instances that were never idle yet.
        """
        return frozenset(self._pages.ask(targets))

    async def _answers(self, address: str, port: int) -> Literal[True] | None:
        return (await get(address, port, self._target)).succeeded or None


async def _opens(address: str, port: int) -> Literal[True] | None:
    target = "/"
    for _ in range(1 + _MOST_REDIRECTS):
        answer = await get(address, port, target)
        if answer.status not in _REDIRECTS or answer.location is None:
            return answer.succeeded or None
        there = urlsplit(urljoin(f"http://{address}:{port}{target}", answer.location))
        if (there.scheme, there.hostname, there.port or 80) != ("http", address, port):
            return None
        target = _in_ascii((there.path or "/") + (f"?{there.query}" if there.query else ""))
    return None


def _in_ascii(target: str) -> str:
    """Return a path and query with what must not stand there escaped, and no escape escaped again."""
    return quote(target, safe="%!$&'()*+,/:;=?@~")
