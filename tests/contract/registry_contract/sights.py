"""Decisions of people, who were shown something before: it is done only where that is so still."""

from collections.abc import Callable

import pytest

from app.domain.errors import VersionChanged
from app.domain.model import InstanceId, InstanceState
from app.domain.sight import Sight, sight_of
from app.ports import Registry
from tests.builders import NOW
from tests.contract.registry_contract.world import ALICE, BOB, SECOND, claim, history, hold, idle, known, race

Happening = Callable[[Registry, InstanceId], object]


def _claimed(registry: Registry, _: InstanceId) -> object:
    return claim(registry, ALICE)


def _held(registry: Registry, instance: InstanceId) -> object:
    return hold(registry, instance)


def _destroyed(registry: Registry, instance: InstanceId) -> object:
    return registry.destroy(instance, actor="another", now=NOW)


def _withdrawn(registry: Registry, instance: InstanceId) -> object:
    return registry.withdraw(instance, reason="silent", now=NOW)


class SightsContract:
    def test_what_is_as_it_was_shown_is_destroyed(self, registry: Registry) -> None:
        instance = idle(registry)
        claim(registry, ALICE)
        shown = sight_of(known(registry, instance))

        ending = registry.destroy(instance, expect=shown, actor="tester", now=NOW)

        assert ending.state is InstanceState.TERMINATING

    @pytest.mark.parametrize("happening", [_claimed, _held, _destroyed])
    def test_what_is_not_as_it_was_shown_is_not_destroyed(
        self, registry: Registry, happening: Happening
    ) -> None:
        instance = idle(registry)
        shown = sight_of(known(registry, instance))
        happening(registry, instance)
        now, events = known(registry, instance), len(history(registry))

        with pytest.raises(VersionChanged, match=instance):
            registry.destroy(instance, expect=shown, actor="tester", now=NOW)

        assert known(registry, instance) == now
        assert len(history(registry)) == events

    def test_whether_a_free_one_is_ready_makes_no_difference(self, registry: Registry) -> None:
        instance = idle(registry)
        shown = sight_of(known(registry, instance))
        _withdrawn(registry, instance)

        assert registry.destroy(instance, expect=shown, actor="tester", now=NOW).id == instance

    def test_what_another_project_has_by_now_is_not_destroyed(self, registry: Registry) -> None:
        shown = Sight(f"{idle(registry)} is allocated to {BOB}")
        instance = claim(registry, ALICE).allocation.instance

        with pytest.raises(VersionChanged, match=ALICE):
            registry.destroy(instance, expect=shown, actor="tester", now=NOW)

    def test_a_project_that_holds_another_instance_by_now_keeps_it(self, registry: Registry) -> None:
        first, second = idle(registry), idle(registry, since=SECOND)
        claim(registry, ALICE, SECOND)
        shown = sight_of(known(registry, first))
        registry.release(ALICE, expect=shown, actor="tester", now=NOW + SECOND)
        claim(registry, ALICE, SECOND)

        with pytest.raises(VersionChanged, match=second):
            registry.release(ALICE, expect=shown, actor="tester", now=NOW + SECOND)

        assert known(registry, second).project == ALICE
        assert known(registry, second).state is InstanceState.ALLOCATED

    def test_a_hold_on_what_is_ending_by_now_stays(self, registry: Registry) -> None:
        """Its end would be the instance's end as well, which nobody was told."""
        instance = idle(registry)
        claim(registry, ALICE)
        hold(registry, instance)
        shown = sight_of(known(registry, instance))
        registry.release(ALICE, actor="another", now=NOW)

        with pytest.raises(VersionChanged, match="ending and held"):
            registry.unhold(instance, expect=shown, actor="tester", now=NOW)

        assert known(registry, instance).held

    def test_of_those_who_were_shown_the_same_one_destroys_it(self, registry: Registry) -> None:
        instance = idle(registry)
        shown = sight_of(known(registry, instance))

        def destroy(_: object) -> bool:
            try:
                registry.destroy(instance, expect=shown, actor="tester", now=NOW)
            except VersionChanged:
                return False
            return True

        answers = race([ALICE] * 8, destroy, threads=8)

        assert sorted(answers[ALICE]) == [False] * 7 + [True]
