"""Word between replicas: who did something, and who leads."""

from tests.unit.poller.world import World, lasting
from tests.waiting import until


def test_word_from_another_replica_starts_a_pass(running: World) -> None:
    running.bell.news = True

    running.passes.until_finished(2)


def test_word_from_before_the_pass_starts_no_other(world: World) -> None:
    world.bell.news = True
    world.poller.start()
    world.passes.until_finished(1)

    until(lasting(1))
    assert world.passes.started == 1


def test_a_replica_that_does_not_lead_passes_a_wish_on(world: World) -> None:
    world.another_leads()
    world.poller.start()

    world.poller.wake()

    assert world.bell.rings == [None]


def test_a_replica_without_a_poller_passes_a_wish_on(world: World) -> None:
    world.poller.wake()

    assert world.bell.rings == [None]


def test_the_leader_keeps_a_wish_to_itself(running: World) -> None:
    running.poller.wake()

    running.passes.until_finished(2)
    assert running.bell.rings == []
