import pytest

from app.domain.controls import Change
from app.domain.errors import PoolNotFound, VersionChanged
from app.domain.model import DEFAULT_POOL, InstanceState, Limit, PoolName
from app.service.operator import Operator
from tests.fakes import FakeClock, FakeControls, FakeWaker
from tests.unit.service.pools import Pool


class Desk:
    def __init__(self) -> None:
        self.controls, self.waker = FakeControls(), FakeWaker()
        self.operator = Operator(
            buffers={DEFAULT_POOL: 5}, controls=self.controls, waker=self.waker, clock=FakeClock()
        )


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_change_is_kept_and_starts_a_pass(desk: Desk) -> None:
    changed = desk.operator.change(DEFAULT_POOL, Change(buffer=9), expect=None, actor="ann")

    assert desk.controls.controls(DEFAULT_POOL) == changed
    assert (changed.buffer, desk.waker.wakes) == (9, 1)


def test_a_pool_that_the_settings_do_not_name_cannot_be_changed(desk: Desk) -> None:
    with pytest.raises(PoolNotFound, match=r"There is no pool 'gpu'\. There are: default\."):
        desk.operator.change(PoolName("gpu"), Change(paused=True), expect=None, actor="ann")


def test_a_change_that_comes_too_late_starts_nothing(desk: Desk) -> None:
    with pytest.raises(VersionChanged):
        desk.operator.change(DEFAULT_POOL, Change(paused=True), expect={7}, actor="ann")

    assert desk.waker.wakes == 0


def tell(pool: Pool, change: Change) -> None:
    pool.controls.change(DEFAULT_POOL, change, configured=5, expect=None, actor="ann", now=pool.clock.now())


def test_a_paused_pool_changes_nothing_at_aws_until_it_is_resumed(pool: Pool) -> None:
    pool.tick(4)
    pool.claim("a")
    doomed = pool.claim("b").allocation.instance
    tell(pool, Change(paused=True))
    pool.destroy(doomed)
    calls = {name: pool.called(name) for name in ("raise_desired", "terminate", "protect", "tag_allocation")}

    pool.tick(5)

    assert {name: pool.called(name) for name in calls} == calls
    assert pool.limited_by is Limit.PAUSED
    tell(pool, Change(paused=False))
    pool.tick(6)
    assert doomed not in pool.cloud.members
    assert pool.count(InstanceState.IDLE) == 5
    assert pool.limited_by is None


def test_claims_go_on_while_the_pool_is_paused(pool: Pool) -> None:
    pool.tick(4)
    tell(pool, Change(paused=True))
    pool.tick()

    assert pool.claim("a").created


def test_a_larger_buffer_is_filled_up(pool: Pool) -> None:
    pool.tick(4)
    tell(pool, Change(buffer=8))

    pool.tick(4)

    assert pool.count(InstanceState.IDLE) == 8


def test_a_new_process_finds_the_pool_paused(pool: Pool) -> None:
    tell(pool, Change(paused=True))

    pool.restarted()
    pool.tick(3)

    assert pool.called("raise_desired") == 0
