"""The instances of a pool, which are read again and again: what is remembered is never what is told."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from app.domain.model import DEFAULT_POOL, InstanceId, InstanceState, PoolName
from app.ports import Registry
from tests.builders import NOW, a_look, an_instance_id
from tests.contract.registry_contract.world import ALICE, SECOND, booting, claim, end, hold, idle, known

A_MOMENT = timedelta(microseconds=1020)
LATER = NOW + SECOND + A_MOMENT
ODD = 'a "quoted" \\ text,\nof two lines and ünïcödé \x01 [1, null]'

Change = Callable[[Registry, InstanceId], object]

OF_A_BOOTING_ONE: dict[str, Change] = {
    "in service": lambda registry, one: registry.mark_in_service(one, LATER),
    "missing": lambda registry, one: registry.mark_missing(one, LATER),
    "held": lambda registry, one: hold(registry, one, lasts=SECOND, reason=ODD, actor=ODD),
    "idle": lambda registry, one: registry.mark_idle(one, "10.0.0.9", 8443, now=LATER),
    "terminating": lambda registry, one: end(registry, one, InstanceState.BOOTING, InstanceState.TERMINATING),
}
OF_AN_ALLOCATED_ONE: dict[str, Change] = {
    "tagged": lambda registry, one: registry.mark_tagged(one, ALICE),
    "missing": lambda registry, one: registry.mark_missing(one, LATER),
    "held": lambda registry, one: hold(registry, one, A_MOMENT),
    "renewed": lambda registry, _: registry.renew(ALICE, 2 * SECOND, policies={}, actor="tester", now=LATER),
    "confirmed": lambda registry, _: registry.confirm(ALICE, actor="tester", now=LATER),
    "released": lambda registry, _: registry.release(ALICE, actor="tester", now=LATER),
    "asked to end": lambda registry, one: (
        registry.destroy(one, actor="tester", now=LATER),
        registry.note_terminate_call(one, LATER),
    ),
}


class ReadsContract:
    @pytest.mark.parametrize("change", OF_A_BOOTING_ONE.values(), ids=OF_A_BOOTING_ONE.keys())
    def test_what_changed_of_a_booting_instance_is_read_anew(
        self, registry: Registry, change: Change
    ) -> None:
        instance = booting(registry)
        before = known(registry, instance)
        change(registry, instance)
        assert before != known(registry, instance) == registry.these([instance])[instance]

    @pytest.mark.parametrize("change", OF_AN_ALLOCATED_ONE.values(), ids=OF_AN_ALLOCATED_ONE.keys())
    def test_what_changed_of_an_allocated_instance_is_read_anew(
        self, registry: Registry, change: Change
    ) -> None:
        instance = idle(registry, since=A_MOMENT)
        claim(registry, ALICE, A_MOMENT, lasts=SECOND, confirm_within=SECOND)
        before = known(registry, instance)
        change(registry, instance)
        assert before != known(registry, instance) == registry.these([instance])[instance]

    def test_an_instance_that_is_as_it_was_is_not_made_anew(self, registry: Registry) -> None:
        one, other = idle(registry), idle(registry)
        before = known(registry, one)
        registry.mark_missing(other, NOW)
        assert known(registry, one) is before

    def test_an_instance_that_is_gone_is_not_remembered(self, registry: Registry) -> None:
        one = booting(registry)
        known(registry, one)
        end(registry, one, InstanceState.BOOTING, InstanceState.TERMINATED)
        assert registry.instances(DEFAULT_POOL) == {}

    def test_each_pool_is_remembered_by_itself(self, registry: Registry) -> None:
        mine, other = booting(registry), booting(registry, PoolName("other"))
        for _ in range(2):
            assert [*registry.instances(DEFAULT_POOL), *registry.instances(PoolName("other"))] == [
                mine,
                other,
            ]

    def test_these_are_read_in_whatever_state_and_pool(self, registry: Registry) -> None:
        waits, gone, far = booting(registry), booting(registry), booting(registry, PoolName("other"))
        end(registry, gone, InstanceState.BOOTING, InstanceState.TERMINATED)
        found = registry.these([waits, gone, far])
        assert {one: made.state for one, made in found.items()} == {
            waits: InstanceState.BOOTING,
            gone: InstanceState.TERMINATED,
            far: InstanceState.BOOTING,
        }

    def test_of_these_the_unknown_are_left_out(self, registry: Registry) -> None:
        booting(registry)
        assert registry.these([an_instance_id()]) == {}

    def test_these_may_be_thousands(self, registry: Registry) -> None:
        last = a_look()
        some = [an_instance_id() for _ in range(1200)]
        registry.discover(DEFAULT_POOL, last, now=NOW)
        assert registry.these([*some, last.id]).keys() == {last.id}
