"""The queue for SQLite's one writer: nobody starves, and no holder that is gone or stopped holds it up."""

import itertools
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import Engine, insert, text

from app.domain.errors import RegistryUnavailable
from app.domain.model import DEFAULT_POOL, InstanceState, ProjectId
from app.registry.database import open_database
from app.registry.queue import WriteQueue, queue_of
from app.registry.schema import instances
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from tests.builders import NOW
from tests.databases import go, line, python
from tests.waiting import until

SOON, LATE = 0.05, 60.0
"""Seconds after which those give up who are not to get their turn, and those who are."""
CLAIMS, MOST, THREADS = 300, 5000, 4
"""Of each of two racing processes: how many claims make the race, and where it ends in any case."""

HOLDER = """
import sys
from pathlib import Path
from app.registry.queue import WriteQueue
with WriteQueue(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "registry.db.queue"


@pytest.fixture
def make(file: Path) -> Iterator[Callable[[], WriteQueue]]:
    """Make queues on one file, as other processes would, whose users give up soon."""
    with ExitStack() as all_of_them:

        def one() -> WriteQueue:
            queue = WriteQueue(file, patience=SOON)
            all_of_them.callback(queue.close)
            return queue

        yield one


@contextmanager
def running(program: str, *arguments: object) -> Iterator["subprocess.Popen[str]"]:
    """Run a program that has said its first word, and end it."""
    with python(program, *map(str, arguments)) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def held_elsewhere(file: Path) -> Iterator["subprocess.Popen[str]"]:
    with running(HOLDER, file) as holder:
        assert line(holder) == "held"
        yield holder


def admitted(queue: WriteQueue) -> bool:
    try:
        with queue:
            return True
    except RegistryUnavailable:
        return False


def is_closed(file: int) -> bool:
    try:
        os.fstat(file)
    except OSError:
        return True
    return False


# Among threads


def test_threads_have_their_turn_in_the_order_of_asking(file: Path) -> None:
    queue, order = WriteQueue(file, patience=LATE), list[int]()

    def ask(number: int) -> None:
        with queue:
            order.append(number)

    threads = [Thread(target=ask, args=(number,), daemon=True) for number in range(8)]
    with queue:
        for number, thread in enumerate(threads, start=1):
            thread.start()
            until(lambda length=number: len(queue._line._waiting) == length)  # type: ignore[misc]
    for thread in threads:
        thread.join(timeout=30)

    assert order == list(range(8))
    queue.close()


def test_who_waits_too_long_is_told_so_and_stands_in_nobodys_way(make: Callable[[], WriteQueue]) -> None:
    queue, refused = make(), list[bool]()

    def ask() -> None:
        refused.append(not admitted(queue))

    threads = [Thread(target=ask, daemon=True) for _ in range(3)]
    with queue:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=30)

    assert refused == [True] * 3
    assert admitted(queue)


class Broken:
    """A door that cannot even be tried."""

    def open(self, _patience: float) -> bool:
        raise MemoryError


def test_who_fails_on_the_way_in_leaves_the_line(make: Callable[[], WriteQueue]) -> None:
    queue = make()
    door = queue._door
    queue._door = Broken()  # type: ignore[assignment]
    with pytest.raises(MemoryError):
        queue.__enter__()

    queue._door = door

    assert admitted(queue)


# Among queues on one file, as processes have them


def test_who_waits_for_another_is_woken_when_it_is_done(file: Path, make: Callable[[], WriteQueue]) -> None:
    queue, came = WriteQueue(file, patience=LATE), list[bool]()
    waiting = Thread(target=lambda: came.append(admitted(queue)), daemon=True)
    with make():
        waiting.start()
        until(lambda: queue._door._wanted)

    waiting.join(timeout=30)
    assert came == [True]
    queue.close()


def test_who_gives_up_waiting_for_another_keeps_nothing(make: Callable[[], WriteQueue]) -> None:
    holder, impatient, later = make(), make(), make()
    with holder:
        assert not admitted(impatient)
        assert not admitted(impatient)

    until(lambda: admitted(later))
    until(lambda: admitted(impatient))


def test_a_queue_that_is_closed_while_it_waits_lets_go_later(make: Callable[[], WriteQueue]) -> None:
    holder, queue, later = make(), make(), make()
    with holder:
        assert not admitted(queue)
        left_open = queue._door._file
        assert left_open is not None
        queue.close()

    until(lambda: is_closed(left_open))
    until(lambda: admitted(later))


def test_a_killed_holder_lets_the_next_one_in(file: Path, make: Callable[[], WriteQueue]) -> None:
    queue = make()
    with held_elsewhere(file) as holder:
        assert not admitted(queue)

        holder.kill()

        until(lambda: admitted(queue))


def test_a_stopped_holder_has_every_thread_of_others_give_up(
    file: Path, make: Callable[[], WriteQueue]
) -> None:
    queue, refused = make(), list[bool]()

    def ask() -> None:
        refused.append(not admitted(queue))

    with held_elsewhere(file) as holder:
        holder.send_signal(signal.SIGSTOP)
        threads = [Thread(target=ask, daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=30)

    assert refused == [True] * 4


GIVES_UP = """
import sys
from pathlib import Path
from app.domain.errors import RegistryUnavailable
from app.registry.queue import WriteQueue
try:
    WriteQueue(Path(sys.argv[1]), patience=0.05).__enter__()
except RegistryUnavailable:
    print("gave up", flush=True)
"""


def test_a_process_can_end_while_a_stopped_one_holds_the_queue(file: Path) -> None:
    with held_elsewhere(file) as holder, running(GIVES_UP, file) as other:
        holder.send_signal(signal.SIGSTOP)

        assert line(other) == "gave up"
        assert other.wait(timeout=30) == 0


# After a fork

FORKS_AND_SHARES_NOTHING = """
import os, sys
from pathlib import Path
from app.domain.errors import RegistryUnavailable
from app.registry.queue import WriteQueue

def admitted():
    try:
        with queue:
            return True
    except RegistryUnavailable:
        return False

queue = WriteQueue(Path(sys.argv[1]), patience=0.05)
with queue:
    child = os.fork()
    if not child:
        print("child, while the parent holds it:", admitted(), flush=True)
        # Here the child leaves the block, too.
    else:
        os.waitpid(child, 0)
        other = WriteQueue(Path(sys.argv[1]), patience=0.05)
        queue_of_the_parent, queue = queue, other
        print("another, after the child has left:", admitted(), flush=True)
        queue = queue_of_the_parent
if not child:
    os._exit(0)
queue._patience = 60.0  # the other one's thread may have the lock for a moment, before it gives it back
print("parent, when all is over:", admitted(), flush=True)
"""


def test_a_forked_child_neither_has_nor_ends_its_parents_turn(file: Path) -> None:
    with running(FORKS_AND_SHARES_NOTHING, file) as parent:
        assert line(parent) == "child, while the parent holds it: False"
        assert line(parent) == "another, after the child has left: False"
        assert line(parent) == "parent, when all is over: True"


FORKS_WHILE_IT_HOLDS = """
import os, sys
from pathlib import Path
from app.registry.queue import WriteQueue
with WriteQueue(Path(sys.argv[1])):
    if os.fork():
        os.wait()
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_a_killed_holder_lets_the_next_one_in_though_its_child_lives(
    file: Path, make: Callable[[], WriteQueue]
) -> None:
    with running(FORKS_WHILE_IT_HOLDS, file) as parent:
        assert line(parent) == "held"
        assert not admitted(make())

        parent.kill()

        until(lambda: admitted(make()))


# What it is for: a registry on SQLite

CLAIMER = """
import sys
from select import select
from datetime import UTC, datetime
from threading import Thread
from app.registry.database import open_database
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions

url, name, claims, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
registry = SqlRegistry(Transactions(open_database(url)))

now = datetime(2026, 11, 22, 12, tzinfo=UTC)
made = []

def claim(thread):
    for number in range(thread, claims, threads):
        if select([sys.stdin], [], [], 0)[0]:  # it was told to end
            return
        made.append(registry.claim("default", f"{name}-{number}", actor="tester", now=now))

all_of_them = [Thread(target=claim, args=(thread,)) for thread in range(threads)]
registry.view("default")
print("ready", flush=True)
sys.stdin.readline()
for one in all_of_them:
    one.start()
for one in all_of_them:
    one.join()
print(len(made), flush=True)
"""


def fill(engine: Engine, count: int) -> None:
    """Put so many idle instances into the registry."""
    some = [
        {
            "id": f"i-{number:017x}",
            "pool": DEFAULT_POOL,
            "state": InstanceState.IDLE.value,
            "state_since": NOW,
            "address": "192.0.2.1",
            "port": 8080,
        }
        for number in range(count)
    ]
    with engine.begin() as connection:
        connection.execute(insert(instances), some)


def test_racing_processes_take_turns(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/registry.db"
    engine = open_database(url)
    fill(engine, 2 * MOST)
    with (
        running(CLAIMER, url, "left", MOST, THREADS) as left,
        running(CLAIMER, url, "right", MOST, THREADS) as right,
    ):
        for process in (left, right):
            assert line(process) == "ready"
        for process in (left, right):
            go(process)
        # One that gets no time has the other go on alone: both must have been at work.
        until(lambda: min(done(engine, name) for name in ("left", "right")) >= CLAIMS, within=90)
        for process in (left, right):
            go(process)
        made = sum(int(line(process)) for process in (left, right))

    with engine.connect() as connection:
        order = connection.execute(text("SELECT project, instance_id FROM allocations ORDER BY rowid")).all()
    engine.dispose()
    assert len({instance for _, instance in order}) == made
    # Where nothing but SQLite's lock orders them, one has hundreds of turns before the other has its next.
    turns = [
        len(list(turn)) for _, turn in itertools.groupby(project.partition("-")[0] for project, _ in order)
    ]
    assert len(turns) > CLAIMS / 12, turns


def done(engine: Engine, name: str) -> int:
    """How many claims a process has made."""
    query = text("SELECT count(*) FROM allocations WHERE project LIKE :of")
    with engine.connect() as connection:
        found: int = connection.execute(query, {"of": f"{name}-%"}).scalar_one()
        return found


DIES_IN_ITS_TRANSACTION = """
import sys
from sqlalchemy import Engine, insert, text
from app.registry.database import open_database
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
with SqlRegistry(Transactions(open_database(sys.argv[1])))._exclusively() as tx:
    tx.execute(text("DELETE FROM instances"))
    print("in the middle", flush=True)
    sys.stdin.readline()
"""


def test_a_writer_killed_in_its_transaction_stops_nobody_and_leaves_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/registry.db"
    engine = open_database(url)
    fill(engine, 1)
    registry = SqlRegistry(Transactions(engine))
    with running(DIES_IN_ITS_TRANSACTION, url) as process:
        assert line(process) == "in the middle"
        process.kill()

    assert registry.claim(DEFAULT_POOL, ProjectId("alice"), actor="tester", now=NOW).created
    registry.close()


def test_without_its_file_the_database_still_keeps_order(tmp_path: Path) -> None:
    (tmp_path / "registry.db.queue").mkdir()  # a folder cannot be locked like this
    url = f"sqlite:///{tmp_path}/registry.db"
    engine = open_database(url)
    fill(engine, 20)
    with (
        running(CLAIMER, url, "left", 10, 2) as left,
        running(CLAIMER, url, "right", 10, 2) as right,
    ):
        for process in (left, right):
            assert line(process) == "ready"
            go(process)
        for process in (left, right):
            assert line(process) == "10"
    engine.dispose()


@pytest.mark.parametrize("url", ["sqlite:///{folder}/link.db", "sqlite:///file:{folder}/real.db?uri=true"])
def test_one_database_has_one_queue_however_it_is_named(tmp_path: Path, url: str) -> None:
    open_database(f"sqlite:///{tmp_path}/real.db").dispose()
    (tmp_path / "link.db").symlink_to(tmp_path / "real.db")
    queue = queue_of(open_database(url.format(folder=tmp_path)))

    with queue:
        assert not admitted(WriteQueue(tmp_path / "real.db.queue", patience=SOON))
    queue.close()
