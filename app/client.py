"""A client of a running service, for other programs and for our own command line.

    with Client("http://localhost:9092", token) as client:
        print(client.allocate("my-project", wait=60).url)

Answers are the models of `app.api`. What goes wrong is a ClientError: see `app.exchange`.
A client may be shared by threads. It follows no redirect and uses no proxy: the token goes to no other host.

**What is repeated.** A 503 (and a 502 or 504, as gateways say) is repeated until `patience` is used up, not
before the time that `Retry-After` names. So is a request that never reached the service. One that may have
reached it, and whose answer is lost, is repeated only where doing it twice is doing it once: reading,
allocating (the same project gets the same instance), confirming, and what names one instance. Releasing a
project again could end what somebody has allocated for it in between; a renewal would be longer than asked
for; a change of a pool would meet its own new version, or undo somebody else's: these raise Unreachable with
`in_doubt`.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from itertools import islice
from math import ceil
from time import monotonic
from types import TracebackType
from typing import Literal, Self
from urllib.parse import quote

from pydantic import Field

from app.api.base import Answer, Page
from app.api.seed import Status
from app.api.v1 import (
    MOST_WAIT,
    AllocateRequest,
    Allocation,
    ConfirmRequest,
    Event,
    HoldRequest,
    Instance,
    Pool,
    PoolPatch,
    RenewRequest,
    WebhookCount,
    WebhookMessage,
)
from app.exchange import EXHAUSTED, Ask, ClientError, Exchange, Refused, Told, Unexpected, Unreachable

__all__ = [
    "EXHAUSTED",
    "Allocation",
    "Client",
    "ClientError",
    "CurrentPool",
    "Event",
    "Instance",
    "Pool",
    "Refused",
    "Status",
    "Unexpected",
    "Unreachable",
    "WebhookMessage",
]

_PAGE = 500
_TURNED_AWAY = 0.9
"""Who is told 'nothing is idle' sooner than after this part of the wait was not let into the line."""
_PAUSE = 1.0


class CurrentPool(Pool):
    """A pool, and which version of its controls this is."""

    etag: str | None = Field(default=None, exclude=True)
    """For `expect` of Client.change_pool"""


class Client:
    """Talks to one service. Close it, or use it as a context manager."""

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        timeout: float = 10.0,
        patience: float = 30.0,
        request_id: Callable[[], str | None] = lambda: None,
    ) -> None:
        """Take the service's URL, and the token if it needs one.

        `timeout`: seconds to connect, and again for each part of an answer to come.
        `patience`: seconds to go on trying while the service is away or says that it will be back.
        `request_id`: is asked before each request for the id by which the service's log is to tell of it, for
        example that of the request your own program is answering; None leaves it to the service.
        Raises ValueError where the URL or the token cannot be one, and later where a request's id cannot.
        """
        self._exchange = Exchange(url, token, timeout=timeout, request_id=request_id)
        self._patience = patience

    def __repr__(self) -> str:
        return f"<Client {self.url}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections. What waits for another try gives up."""
        self._exchange.close()

    @property
    def url(self) -> str:
        """Where the service is."""
        return self._exchange.url

    # allocations

    def allocate(
        self,
        project: str,
        *,
        pool: str | None = None,
        wait: float | None = None,
        ttl: float | timedelta | None = None,
        confirm_within: float | timedelta | None = None,
    ) -> Allocation:
        """Return the project's instance: the one it holds, or one that was idle until now.

        Waits up to `wait` seconds for one where none is idle, for `patience` where it is left out, then
        raises Refused with the code `pool-exhausted`, whose `estimated_wait` is how long it will take. With
        `ttl` (seconds) a new allocation is released by itself after that time unless it is renewed, with
        `confirm_within` unless it is confirmed, renewed or seen in use by then; what is left out is as the
        pool's settings say. Without `pool`, a new one comes from the default.
        """
        until = monotonic() + (self._patience if wait is None else wait)
        given = {"pool": pool, "ttl": _whole(ttl), "confirmWithin": _whole(confirm_within)}
        given = {name: value for name, value in given.items() if value is not None}
        while True:
            since = monotonic()
            in_line = round(min(max(0.0, until - since), MOST_WAIT), 3)
            question = Ask(
                method="PUT",
                path=_path("allocations", project),
                answer=Allocation,
                body=AllocateRequest.model_validate({**given, "wait": in_line}),
                longer=in_line,
            )
            try:
                return self._exchange.ask(question, patience=max(until - since, self._patience))
            except Refused as refused:
                left = until - monotonic()
                if refused.code != EXHAUSTED or left <= 0:
                    raise
                turned_away = monotonic() - since < in_line * _TURNED_AWAY
                pause = min(refused.retry_after or _PAUSE, left) if turned_away else 0
                self._exchange.pause(pause, refused)

    def allocation(self, project: str) -> Allocation:
        """Return what the project holds. Refused with `allocation-not-found`: nothing."""
        return self._ask(Ask(method="GET", path=_path("allocations", project), answer=Allocation))

    def allocations(self, *, pool: str | None = None) -> Iterator[Allocation]:
        """Walk through all allocations, by project."""
        return self._walk("allocations", Page[Allocation], {"pool": pool})

    def renew(
        self, project: str, ttl: float | timedelta | None, *, instance: str | None = None
    ) -> Allocation:
        """Let the allocation end so many seconds from now, whatever was set before; None: never.

        With `instance`, Refused with `allocation-not-found` where the project holds another one by now.
        """
        return self._ask(
            Ask(
                method="POST",
                path=_path("allocations", project, "renew"),
                answer=Allocation,
                body=RenewRequest.model_validate({"ttl": _whole(ttl), **_meant(instance)}),
                repeatable=False,
            )
        )

    def confirm(self, project: str, *, instance: str | None = None) -> Allocation:
        """Say that the instance has arrived; changes nothing where that is not needed.

        Refused with `allocation-not-found`: it was not said in time, or the project never held one. Name the
        `instance` that arrived: else one that the project got since is confirmed in its place.
        """
        body = None if instance is None else ConfirmRequest.model_validate(_meant(instance))
        path = _path("allocations", project, "confirm")
        return self._ask(Ask(method="POST", path=path, answer=Allocation, body=body))

    def release(self, project: str) -> Allocation:
        """End the project's allocation; its instance is terminated, and what is on it is lost.

        Refused with `allocation-not-found`: it holds nothing (any more).
        """
        path = _path("allocations", project)
        return self._ask(Ask(method="DELETE", path=path, answer=Allocation, repeatable=False))

    # instances

    def instances(self, *, pool: str | None = None, state: str | None = None) -> Iterator[Instance]:
        """Walk through all instances, by id; the terminated ones only with that `state`."""
        return self._walk("instances", Page[Instance], {"pool": pool, "state": state})

    def instance(self, instance: str) -> Instance:
        """Return an instance, whatever its state."""
        return self._ask(Ask(method="GET", path=_path("instances", instance), answer=Instance))

    def destroy(self, instance: str) -> Instance:
        """Terminate an instance, and end the allocation on it. The same again is no error."""
        return self._ask(Ask(method="DELETE", path=_path("instances", instance), answer=Instance))

    def hold(
        self, instance: str, *, ttl: float | timedelta | None = None, reason: str | None = None
    ) -> Instance:
        """Keep an instance for inspection: neither handed out nor ended, for `ttl` or until unhold."""
        body = HoldRequest(ttl=_whole(ttl), reason=reason)
        path = _path("instances", instance, "hold")
        return self._ask(Ask(method="PUT", path=path, answer=Instance, body=body))

    def unhold(self, instance: str) -> Instance:
        """Let go of an instance that was held."""
        return self._ask(Ask(method="DELETE", path=_path("instances", instance, "hold"), answer=Instance))

    # pools

    def pools(self) -> Iterator[Pool]:
        """Walk through all pools."""
        return self._walk("pools", Page[Pool], {})

    def pool(self, name: str = "default") -> CurrentPool:
        """Return a pool with its figures."""
        return self._ask(Ask(method="GET", path=_path("pools", name), answer=CurrentPool))

    def change_pool(
        self,
        name: str = "default",
        *,
        buffer: int | Literal["configured"] | None = None,
        paused: bool | None = None,
        expect: str | None = None,
    ) -> CurrentPool:
        """Set a pool's buffer (`"configured"`: back to what the settings say), pause or resume it.

        What is None stays as it is. With `expect`, the `etag` of a pool as it was read, the change is
        Refused with `version-changed` where somebody else has changed it since.
        """
        changes: dict[str, int | bool | None] = {}
        if buffer is not None:
            changes["buffer"] = None if buffer == "configured" else buffer
        if paused is not None:
            changes["paused"] = paused
        return self._ask(
            Ask(
                method="PATCH",
                path=_path("pools", name),
                answer=CurrentPool,
                body=PoolPatch.model_validate(changes),
                headers={} if expect is None else {"If-Match": expect},
                repeatable=False,
            )
        )

    # the service

    def events(
        self,
        *,
        pool: str | None = None,
        project: str | None = None,
        instance: str | None = None,
        limit: int | None = 100,
    ) -> Iterator[Event]:
        """Walk through the audit trail, newest first; None as `limit`: all of it."""
        query = {"pool": pool, "project": project, "instance": instance}
        size = _PAGE if limit is None else max(1, min(limit, _PAGE))
        return islice(self._walk("events", Page[Event], query, size=size), limit)

    def webhook_messages(self, *, state: str | None = None) -> Iterator[WebhookMessage]:
        """Walk through the messages to the webhook, newest first: all, or only what became of one `state`."""
        return self._walk("webhooks", Page[WebhookMessage], {"state": state})

    def retry_webhook_message(self, message: str) -> WebhookMessage:
        """Have a message sent once more, at once, whatever became of it."""
        path = _path("webhooks", message, "retry")
        return self._ask(Ask(method="POST", path=path, answer=WebhookMessage))

    def retry_dead_webhook_messages(self) -> int:
        """Have all messages that were given up sent once more, and return how many there were."""
        path = _path("webhooks", "dead", "retry")
        return self._ask(Ask(method="POST", path=path, answer=WebhookCount, repeatable=False)).messages

    def discard_webhook_message(self, message: str) -> WebhookMessage:
        """Have a message forgotten at once, whatever became of it, and return it as it was."""
        path = _path("webhooks", message)
        return self._ask(Ask(method="DELETE", path=path, answer=WebhookMessage, repeatable=False))

    def discard_dead_webhook_messages(self) -> int:
        """Have all messages that were given up forgotten at once, and return how many there were."""
        path = _path("webhooks", "dead")
        return self._ask(Ask(method="DELETE", path=path, answer=WebhookCount, repeatable=False)).messages

    def test_webhook(self) -> WebhookMessage:
        """Have a message sent that tells nothing but that messages arrive."""
        path = _path("webhooks")
        return self._ask(Ask(method="POST", path=path, answer=WebhookMessage, repeatable=False))

    def status(self) -> Status:
        """Return what `GET /status` says: figures of all pools, and the instances of the default one."""
        return self._ask(Ask(method="GET", path="/status", answer=Status))

    def healthy(self) -> bool:
        """Whether the service is ready: it answers, and so do its database and its passes. Asks once."""
        try:
            self._exchange.ask(Ask(method="GET", path="/readyz", answer=_Ready), patience=0)
        except ClientError:
            return False
        return True

    def _ask(self, question: Ask[Told]) -> Told:
        return self._exchange.ask(question, patience=self._patience)

    def _walk(
        self, name: str, page: type[Page[Told]], query: Mapping[str, str | None], size: int = _PAGE
    ) -> Iterator[Told]:
        given = {name: value for name, value in query.items() if value is not None} | {"limit": str(size)}
        while True:
            part = self._ask(Ask(method="GET", path=_path(name), answer=page, query=given))
            yield from part.items
            if part.next is None:
                return
            given["cursor"] = part.next


class _Ready(Answer):
    """What /readyz says when all is well."""

    status: Literal["ready"]


def _path(*names: str) -> str:
    """Write the path of a resource; no name can lead to another."""
    if not all(names):
        raise ValueError("a name is missing")
    return "/v1/" + "/".join(quote(name, safe="").replace(".", "%2E") for name in names)


def _meant(instance: str | None) -> Mapping[str, str]:
    """Name the instance in a body; an older service refuses the field, so it is left out where none is."""
    return {} if instance is None else {"instance": instance}


def _whole(time: float | timedelta | None) -> int | None:
    """Write a time in whole seconds, rounded up."""
    if time is None:
        return None
    return ceil(time.total_seconds() if isinstance(time, timedelta) else time)
