"""A process that may die at any use of a port: before it, or when it is done."""

from collections.abc import Callable
from typing import Any


class Crash(Exception):
    """The process ends here, as far as the test is concerned."""


class Fuse:
    """Burns down by one at each use of a port, before and after it, and then ends the process."""

    def __init__(self) -> None:
        self.left: int | None = None

    def burn(self) -> None:
        if self.left is None:
            return
        self.left -= 1
        if self.left < 0:
            self.left = None
            raise Crash


class Fused:
    """A port that the process may die in front of, or behind. What was done stays done."""

    def __init__(
        self, port: object, fuse: Fuse, watch: Callable[[str, tuple[Any, ...]], None] | None = None
    ) -> None:
        self._port = port
        self._fuse = fuse
        self._watch = watch

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._port, name)

        def call(*arguments: Any, **named: Any) -> Any:
            self._fuse.burn()
            if self._watch is not None:
                self._watch(name, arguments)
            answer = method(*arguments, **named)
            self._fuse.burn()
            return answer

        return call
