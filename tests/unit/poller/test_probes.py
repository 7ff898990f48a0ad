"""Probes run beside the passes."""

from datetime import UTC, datetime
from threading import Event

import pytest

from app.domain.errors import RegistryUnavailable
from tests.unit.poller.world import HANGING, World
from tests.waiting import LONG, until

# Probes


def test_instances_are_probed_while_a_pass_hangs(world: World) -> None:
    settled = Event()

    def settle() -> bool:
        settled.set()
        return False

    world.probe = settle
    with world.passes.held():
        world.poller.start()

        assert settled.wait(LONG)
        assert world.passes.finished == 0


def test_probes_that_hang_delay_no_pass(running: World) -> None:
    hanging, free = Event(), Event()

    def hang() -> bool:
        hanging.set()
        return not free.wait(HANGING)

    running.probe = hang
    try:
        assert hanging.wait(LONG)
        running.run_another_pass()
    finally:
        free.set()


def test_probes_that_changed_something_start_a_pass(running: World) -> None:
    answers = [True]
    running.probe = lambda: bool(answers and answers.pop())

    running.passes.until_finished(2)


@pytest.mark.parametrize("fault", [RegistryUnavailable("no answer"), ZeroDivisionError("a bug")])
def test_probes_that_fail_are_tried_again(running: World, fault: Exception) -> None:
    tried: list[datetime] = []

    def fail() -> bool:
        tried.append(datetime.max.replace(tzinfo=UTC))
        raise fault

    running.probe = fail

    until(lambda: len(tried) >= 2)
