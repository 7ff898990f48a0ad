"""Who is asked before a change to AWS is sent, and what stops it."""

import pytest

from app.domain.controls import Change, Controls
from app.domain.errors import NotLeading, Paused, RegistryUnavailable
from app.domain.model import DEFAULT_POOL, PoolName
from app.service.permission import Permission
from tests.builders import NOW
from tests.fakes import FakeControls, FakeMandate


def paused(controls: FakeControls) -> None:
    controls.change(DEFAULT_POOL, Change(paused=True), configured=5, expect=None, actor="tester", now=NOW)


def test_a_leader_of_a_pool_that_is_not_paused_may_change_it() -> None:
    mandate = FakeMandate()

    Permission(mandate, FakeControls(), DEFAULT_POOL).confirm()

    assert mandate.confirmed == 1


def test_a_pool_that_was_paused_by_now_is_not_changed() -> None:
    controls = FakeControls()
    permission = Permission(FakeMandate(), controls, DEFAULT_POOL)
    permission.confirm()
    paused(controls)

    with pytest.raises(Paused, match="'default' was paused"):
        permission.confirm()


def test_who_does_not_lead_may_not_change_anything_and_needs_no_database_to_know() -> None:
    class Away(FakeControls):
        def controls(self, pool: PoolName) -> Controls:
            raise RegistryUnavailable(pool)

    mandate = FakeMandate()
    mandate.trusted = False

    with pytest.raises(NotLeading):
        Permission(mandate, Away(), DEFAULT_POOL).confirm()


def test_the_mandate_is_asked_last_for_its_answer_is_good_for_a_moment_only() -> None:
    asked: list[str] = []

    class Noting(FakeControls, FakeMandate):
        def __init__(self) -> None:
            FakeControls.__init__(self)
            FakeMandate.__init__(self)

        def controls(self, pool: PoolName) -> Controls:
            asked.append("controls")
            return super().controls(pool)

        def confirm(self) -> None:
            asked.append("mandate")

    world = Noting()
    Permission(world, world, DEFAULT_POOL).confirm()

    assert asked == ["controls", "mandate"]
