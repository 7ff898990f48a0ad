"""Each instance is counted once: by its state, or as held."""

import pytest

from app.domain.counting import Count, counted
from app.domain.model import Hold, InstanceState
from tests.builders import NOW, an_instance

HOLD = Hold(since=NOW, by="tester")


def test_instances_are_counted_by_state() -> None:
    states = (InstanceState.IDLE, InstanceState.IDLE, InstanceState.BOOTING)

    assert counted(an_instance(state=state) for state in states) == Count(
        {InstanceState.IDLE: 2, InstanceState.BOOTING: 1}
    )


@pytest.mark.parametrize("state", [InstanceState.BOOTING, InstanceState.IDLE])
def test_what_a_hold_keeps_from_projects_is_counted_as_held_alone(state: InstanceState) -> None:
    assert counted([an_instance(state=state, hold=HOLD)]) == Count({}, held=1)


@pytest.mark.parametrize("state", [InstanceState.ALLOCATED, InstanceState.TERMINATING])
def test_what_a_project_has_and_what_is_going_is_counted_by_its_state_on_hold_too(
    state: InstanceState,
) -> None:
    assert counted([an_instance(state=state, hold=HOLD)]) == Count({state: 1})


def test_what_is_terminated_is_not_counted() -> None:
    assert counted([an_instance(state=InstanceState.TERMINATED)]) == Count()


def test_the_total_has_each_instance_once() -> None:
    assert Count({InstanceState.IDLE: 2, InstanceState.ALLOCATED: 1}, held=3).total == 6
