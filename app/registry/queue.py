"""Whose turn it is to write to SQLite: the threads of a process stand in a line, processes at a locked file.

SQLite lets one write at a time, but it keeps no queue: who finds the lock taken sleeps up to 100 ms and looks
again, and meanwhile whoever has just written writes again. Here the next one is woken.
This makes it fast, not right: SQLite's own lock still does that, also against those who do not queue.
"""

import fcntl
import os
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from threading import Lock, Semaphore, Thread
from weakref import WeakSet

from sqlalchemy import Engine

from app.domain.errors import RegistryUnavailable
from app.registry.database import BUSY, file_of

PATIENCE = BUSY
"""Seconds that one waits at most for its turn: as long as for SQLite's own lock."""


class WriteQueue:
    """A lock for `with`, in the order of asking: exactly so among threads, nearly so among processes.

    Raises RegistryUnavailable where the turn does not come within `patience` seconds. After a fork, a child
    stands in a line of its own.
    """

    def __init__(self, file: Path, *, patience: float = PATIENCE) -> None:
        self._path = file
        self._patience = patience
        self._line = _Line()
        self._door = _Door(file)
        _queues.add(self)

    def __enter__(self) -> None:
        deadline = time.monotonic() + self._patience
        if not self._line.enter(self._patience):
            raise _late()
        opened = False
        try:
            opened = self._door.open(deadline - time.monotonic())
        finally:
            if not opened:  # or nobody of this process would ever write again
                self._line.leave()
        if not opened:
            raise _late()

    def __exit__(self, *_: object) -> None:
        self._door.shut()
        self._line.leave()

    def close(self) -> None:
        """Let go of the file. Who still comes opens it anew."""
        door, self._door = self._door, _Door(self._path)
        door.close()

    def begin_in_child(self) -> None:
        """Forget the parent's threads, and let go of its file: a lock on it would last until we end, too."""
        self._line = _Line()
        door, self._door = self._door, _Door(self._path)
        door.leave_to_parent()


_queues: WeakSet[WriteQueue] = WeakSet()


def _after_fork() -> None:
    for queue in list(_queues):
        queue.begin_in_child()


os.register_at_fork(after_in_child=_after_fork)


def queue_of(engine: Engine) -> WriteQueue:
    """Make a queue for a SQLite database: one of several for it, in this process or in others."""
    return WriteQueue(Path(f"{os.path.realpath(file_of(engine.url))}.queue"))


def _late() -> RegistryUnavailable:
    return RegistryUnavailable("The database is busy with other changes. Try again.")


class _Line:
    """The threads of one process, first come, first served: a plain Lock favours whoever has just had it."""

    def __init__(self) -> None:
        self._changing = Lock()
        self._taken = False
        self._waiting: deque[Semaphore] = deque()

    def enter(self, patience: float) -> bool:
        """Wait for our turn; False, and out of the line again, where that takes too long."""
        with self._changing:
            if not self._taken:
                self._taken = True
                return True
            called = Semaphore(0)
            self._waiting.append(called)
        if called.acquire(timeout=patience):
            return True
        with self._changing:
            if called not in self._waiting:  # called at the last moment
                return True
            self._waiting.remove(called)
            return False

    def leave(self) -> None:
        """Call the next one."""
        with self._changing:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False


class _Door:
    """The lock between processes, for the first of each line: on a file of its own beside the database.

    A lock of the kernel's (flock) ends with its holder, however that ends, and wakes who waits for it. Such a
    wait cannot be limited or ended, so a thread made for it waits, and who has sent it may give up: a holder
    that is stopped in the middle of its transaction keeps nobody from going on, or from ending.

    Never lock the database's own file: closing that would end SQLite's locks on it.
    """

    def __init__(self, file: Path) -> None:
        self._path = file
        self._changing = Lock()
        self._file: int | None = None
        self._porter: Thread | None = None
        self._closed = False
        self._out = False
        """Whether the porter is out to get the lock: nobody else may then touch the file."""
        self._wanted = False
        """Whether somebody waits for the porter."""
        self._sent, self._back = Semaphore(0), Semaphore(0)

    def open(self, patience: float) -> bool:
        """Take the lock; False where that takes too long.

        Everybody has it where the file cannot be opened or locked: SQLite's own lock does, only slower.
        """
        with self._changing:
            if not self._out:
                try:
                    fcntl.flock(self._opened(), fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    if not self._send():
                        return True
                except OSError:
                    return True
                else:
                    return True
            self._wanted = True
        if self._back.acquire(timeout=max(patience, 0.0)):
            return True
        with self._changing:
            self._wanted = False
            return self._back.acquire(blocking=False)  # it may have come back at the last moment

    def shut(self) -> None:
        """Give the lock back."""
        with self._changing:
            if self._file is not None:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file, and end the lock with it."""
        with self._changing:
            self._closed = True
            self._sent.release()
            if self._file is not None and not self._out:  # or the porter does, once it can
                os.close(self._file)
            self._file = None

    def leave_to_parent(self) -> None:
        """Close this process's half of the file, in a child: a lock on it stays the parent's."""
        if self._file is not None:
            os.close(self._file)

    def _opened(self) -> int:
        if self._file is None:
            # Only for reading, which is all that a lock needs: the file may be another user's.
            self._file = os.open(self._path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        return self._file

    def _send(self) -> bool:
        """Send the porter; False where there can be none."""
        if self._porter is None:
            porter = Thread(target=self._carry, args=(self._opened(),), name="porter", daemon=True)
            try:
                porter.start()
            except RuntimeError:  # no more threads
                return False
            self._porter = porter
        self._out = True
        self._sent.release()
        return True

    def _carry(self, file: int) -> None:
        while True:
            self._sent.acquire()
            if not self._out:
                return
            with suppress(OSError):  # as in `open`
                fcntl.flock(file, fcntl.LOCK_EX)
            with self._changing:
                self._out = False
                if self._closed:
                    os.close(file)
                    return
                if self._wanted:
                    self._wanted = False
                    self._back.release()
                else:
                    fcntl.flock(file, fcntl.LOCK_UN)
