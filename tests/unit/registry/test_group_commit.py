"""Group commit by itself: who is served with whom, in which order, and what becomes of errors."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Semaphore, Thread, get_ident

import pytest

from app.registry.group_commit import GroupCommit
from tests.waiting import until

MOST = 3
PATIENCE = 30.0


class Work:
    """What is asked for is answered by its double, as soon as the test lets a batch go on."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self.batches: list[list[int]] = []
        self.takes_more = False
        self.goes_wrong: Callable[[], None] = lambda: None
        self.commit = GroupCommit(self._do, most=MOST)
        self._threads = threads
        self._begun, self._goes_on = Semaphore(0), Semaphore(0)

    def _do(self, asked: Sequence[int], more: Callable[[], Sequence[int]]) -> Sequence[int]:
        self.batches.append(list(asked))
        self._begun.release()
        assert self._goes_on.acquire(timeout=PATIENCE)
        if self.takes_more:
            self.batches[-1] += more()
        self.goes_wrong()
        return [2 * number for number in self.batches[-1]]

    def begin(self, number: int) -> Future[int]:
        """Ask for the first, and return once it is in the hands of its leader."""
        asked = self._threads.submit(self.commit.ask, number)
        self.begun()
        return asked

    def wait_behind(self, *numbers: int) -> list[Future[int]]:
        """Ask for each as soon as the one before it waits."""
        return [self._wait(number) for number in numbers]

    def _wait(self, number: int) -> Future[int]:
        before = self.commit.waiting
        asked = self._threads.submit(self.commit.ask, number)
        until(lambda: self.commit.waiting > before)
        return asked

    def begun(self) -> None:
        """Wait until the next batch is being done."""
        assert self._begun.acquire(timeout=PATIENCE)

    def go_on(self, batches: int = 1) -> None:
        self._goes_on.release(batches)

    def begin_in_child(self) -> None:
        """Forget the parent's threads, and what one of them may have locked."""
        self._begun, self._goes_on = Semaphore(0), Semaphore(0)


@pytest.fixture
def work() -> Iterator[Work]:
    with ThreadPoolExecutor(8) as threads:
        work = Work(threads)
        yield work
        work.go_on(batches=100)  # or a test that fails would never end


def test_who_finds_nobody_at_work_is_served_at_once_and_alone(work: Work) -> None:
    work.go_on()

    assert work.commit.ask(1) == 2
    assert work.batches == [[1]]


def test_what_is_asked_meanwhile_is_done_in_one_go_in_its_order(work: Work) -> None:
    first = work.begin(1)
    others = work.wait_behind(2, 3, 4)
    work.go_on(batches=2)

    assert [one.result(PATIENCE) for one in (first, *others)] == [2, 4, 6, 8]
    assert work.batches == [[1], [2, 3, 4]]


def test_a_batch_is_no_larger_than_it_may_be(work: Work) -> None:
    work.begin(1)
    others = work.wait_behind(2, 3, 4, 5, 6)
    work.go_on(batches=3)

    assert [one.result(PATIENCE) for one in others] == [4, 6, 8, 10, 12]
    assert work.batches == [[1], [2, 3, 4], [5, 6]]


def test_a_batch_that_asks_for_more_takes_those_who_came_meanwhile(work: Work) -> None:
    work.takes_more = True
    first = work.begin(1)
    others = work.wait_behind(2, 3)
    work.go_on()

    assert [one.result(PATIENCE) for one in (first, *others)] == [2, 4, 6]
    assert work.batches == [[1, 2, 3]]


def test_who_asks_for_more_gets_nothing_where_nobody_waits(work: Work) -> None:
    work.takes_more = True
    work.go_on()

    assert work.commit.ask(1) == 2
    assert work.batches == [[1]]


def test_a_batch_that_asks_for_more_is_no_larger_than_it_may_be(work: Work) -> None:
    work.takes_more = True
    work.begin(1)
    others = work.wait_behind(2, 3, 4)
    work.go_on(batches=2)

    assert [one.result(PATIENCE) for one in others] == [4, 6, 8]
    assert work.batches == [[1, 2, 3], [4]]


def test_what_goes_wrong_is_told_to_those_who_joined_late_as_well(work: Work) -> None:
    work.takes_more = True
    work.goes_wrong = fail
    first = work.begin(1)
    (late,) = work.wait_behind(2)
    work.go_on()

    assert isinstance(first.exception(PATIENCE), Trouble)
    assert isinstance(late.exception(PATIENCE), Trouble)


def test_one_batch_at_a_time_is_done(work: Work) -> None:
    work.begin(1)
    work.wait_behind(2)
    work.go_on()
    work.begun()
    work.wait_behind(3)

    assert work.batches == [[1], [2]]


def test_when_all_are_served_the_next_one_leads_again(work: Work) -> None:
    work.go_on(batches=2)

    assert [work.commit.ask(number) for number in (1, 2)] == [2, 4]
    assert work.batches == [[1], [2]]


def test_who_is_interrupted_while_it_waits_stands_in_nobodys_way(work: Work) -> None:
    first = work.begin(1)
    waits = Thread(target=_interrupt, args=(work, get_ident()))
    waits.start()

    with pytest.raises(KeyboardInterrupt):
        work.commit.ask(2)

    waits.join()
    work.go_on(batches=2)
    assert first.result(PATIENCE) == 2
    assert work.commit.ask(3) == 6
    assert work.batches == [[1], [3]]


def _interrupt(work: Work, thread: int) -> None:
    """Send this thread what Ctrl-C sends, as soon as it waits."""
    until(lambda: work.commit.waiting == 1)
    signal.pthread_kill(thread, signal.SIGINT)


class Trouble(Exception):
    """What a test has go wrong."""


def fail() -> None:
    raise Trouble


def test_what_goes_wrong_is_told_to_everybody_in_the_batch(work: Work) -> None:
    first = work.begin(1)
    others = work.wait_behind(2, 3)
    work.go_on()
    work.begun()
    work.goes_wrong = fail
    work.go_on()

    assert first.result(PATIENCE) == 2
    assert all(isinstance(one.exception(PATIENCE), Trouble) for one in others)


def test_what_goes_wrong_with_one_batch_is_over_with_it(work: Work) -> None:
    work.goes_wrong = fail
    first = work.begin(1)
    (second,) = work.wait_behind(2)
    work.go_on()
    assert isinstance(first.exception(PATIENCE), Trouble)
    work.begun()
    work.goes_wrong = lambda: None
    work.go_on()

    assert second.result(PATIENCE) == 4


def test_nobody_is_left_waiting_by_a_leader_that_is_ended(work: Work) -> None:
    def end() -> None:
        raise SystemExit

    work.begin(1)
    others = work.wait_behind(2, 3)
    work.go_on()
    work.begun()
    work.goes_wrong = end
    work.go_on()

    assert all(isinstance(one.exception(PATIENCE), SystemExit) for one in others)


def test_too_few_answers_are_an_error_for_all() -> None:
    commit = GroupCommit[int, int](lambda _, _more: [], most=MOST)

    with pytest.raises(ValueError, match="shorter"):
        commit.ask(1)


def test_a_forked_child_waits_for_nobody_of_its_parent(work: Work) -> None:
    work.begin(1)
    work.wait_behind(2)
    child = os.fork()
    if not child:
        answer = None
        try:
            work.begin_in_child()
            work.go_on()
            answer = work.commit.ask(3)
        finally:
            os._exit(0 if answer == 6 else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert work.commit.waiting == 1
