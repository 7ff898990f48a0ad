"""Group commit: what several threads ask for at about the same time is done once, for all of them."""

import os
from collections import deque
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any, Generic, TypeVar
from weakref import WeakSet

Asked = TypeVar("Asked")
Told = TypeVar("Told")


More = Callable[[], Sequence[Asked]]


class GroupCommit(Generic[Asked, Told]):
    """Collects what is asked for while the last batch is being done, and does all of it in one go.

    Who finds nobody at work leads: it does what has been asked for until then, and hands the lead to the
    first of those who came meanwhile. So nobody waits for company, and there is one batch at a time. After a
    fork, a child begins anew.
    """

    def __init__(self, do: Callable[[Sequence[Asked], More[Asked]], Sequence[Told]], *, most: int) -> None:
        """Take what answers what is asked, at `most` so much at once, in the same order.

        It is given what there is when it begins, and may ask for more as long as it has not done it: that is
        what came meanwhile, and waits for an answer as well; nothing where nothing came.
        """
        self._do = do
        self._most = most
        self._changing = Lock()
        self._line: deque[_Place[Asked, Told]] = deque()
        self._led = False
        _everywhere.add(self)

    @property
    def waiting(self) -> int:
        """How much waits for the next batch."""
        return len(self._line)

    def ask(self, asked: Asked) -> Told:
        """Return the answer; what goes wrong with a batch is raised for everybody in it."""
        place = _Place[Asked, Told](asked)
        with self._changing:
            self._line.append(place)
            leads = not self._led
            self._led = True
        if not leads:
            try:
                place.called.acquire()
            except BaseException:
                self._leave(place)
                raise
        if not place.served:
            self._lead()
        if place.error is not None:
            raise place.error
        return place.told[0]

    def begin_in_child(self) -> None:
        """Forget the parent's threads."""
        self._changing, self._line, self._led = Lock(), deque(), False

    def _leave(self, place: "_Place[Asked, Told]") -> None:
        """Let one that waits no longer stand in nobody's way; what is being done for it is done."""
        with self._changing:
            if place not in self._line:
                return
            called = place.called.acquire(blocking=False)
            self._line.remove(place)
            if called:
                self._call_the_next()

    def _call_the_next(self) -> None:
        self._led = bool(self._line)
        if self._line:
            self._line[0].called.release()

    def _take(self, most: int) -> "list[_Place[Asked, Told]]":
        with self._changing:
            return [self._line.popleft() for _ in range(min(len(self._line), most))]

    def _lead(self) -> None:
        batch = self._take(self._most)

        def more() -> Sequence[Asked]:
            late = self._take(self._most - len(batch)) if self._line else ()
            batch.extend(late)
            return [place.asked for place in late]

        try:
            told = self._do([place.asked for place in batch], more)
            for place, answer in zip(batch, told, strict=True):
                place.told.append(answer)
        except BaseException as error:  # noqa: BLE001 - each of them raises it, the leader among them
            for place in batch:
                place.error = error
        finally:
            for place in batch:
                place.served = True
            with self._changing:  # before the others, who have only to answer
                self._call_the_next()
            for place in batch[1:]:
                place.called.release()


class _Place(Generic[Asked, Told]):
    """Where one waits until it is served, or leads."""

    __slots__ = ("asked", "called", "error", "served", "told")

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.told: list[Told] = []
        self.error: BaseException | None = None
        self.served = False
        self.called = Lock()
        self.called.acquire()


_everywhere: WeakSet[GroupCommit[Any, Any]] = WeakSet()


def _after_fork() -> None:
    for one in list(_everywhere):
        one.begin_in_child()


os.register_at_fork(after_in_child=_after_fork)
