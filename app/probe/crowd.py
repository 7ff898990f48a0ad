"""Many probes at once, in bounded time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from typing import Generic, TypeVar

from app.domain.model import InstanceId

Found = TypeVar("Found")

Check = Callable[[str, int], Awaitable[Found | None]]
"""What an address and a port answer; None, or an exception: not what they should."""


class Crowd(Generic[Found]):
    """Runs one check against many targets: `concurrency` at a time, for at most `deadline` seconds in all.

    Each target gets at most `timeout` seconds. Targets that a call did not get to come first in the next one:
    a crowd of hanging hosts delays the others, but never hides them for good. Safe in any thread and after
    any fork, since nothing is held between two calls: each has an event loop of its own, which costs less
    than a thread for each check and takes only one turn at a time from the threads that serve requests.
    """

    def __init__(self, check: Check[Found], *, timeout: float, concurrency: int, deadline: float) -> None:
        self._check = check
        self._timeout = timeout
        self._concurrency = concurrency
        self._deadline = deadline
        self._left_over: tuple[InstanceId, ...] = ()

    def ask(self, targets: Mapping[InstanceId, tuple[str, int]]) -> Mapping[InstanceId, Found]:
        """Return what those answered that passed the check in time. Never raises."""
        if targets:
            with suppress(OSError), asyncio.Runner() as runner:  # where no file descriptor is left
                return runner.run(self._ask_all(targets))
        return {}

    async def _ask_all(self, targets: Mapping[InstanceId, tuple[str, int]]) -> Mapping[InstanceId, Found]:
        waiting_longest = [one for one in self._left_over if one in targets]
        queue = iter(dict.fromkeys([*waiting_longest, *targets]))
        passed: dict[InstanceId, Found] = {}
        askers = [
            asyncio.create_task(self._ask_in_turn(queue, targets, passed))
            for _ in range(min(self._concurrency, len(targets)))
        ]
        # Who is still asking then is cancelled by the end of the loop.
        await asyncio.wait(askers, timeout=self._deadline)
        self._left_over = tuple(queue)
        return dict(passed)

    async def _ask_in_turn(
        self,
        queue: Iterator[InstanceId],
        targets: Mapping[InstanceId, tuple[str, int]],
        passed: dict[InstanceId, Found],
    ) -> None:
        for one in queue:
            with suppress(Exception):
                async with asyncio.timeout(self._timeout):
                    found = await self._check(*targets[one])
                    if found is not None:
                        passed[one] = found
