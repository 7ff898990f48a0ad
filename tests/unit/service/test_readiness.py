"""What keeps the word idle true: probes before an instance is idle, and ever after."""

from app.domain.events import EventKind
from app.domain.model import DEFAULT_POOL, Instance, InstanceId, InstanceState, Limit
from tests.unit.service.pools import Pool

BOOTING, IDLE = InstanceState.BOOTING, InstanceState.IDLE


def one_idle(pool: Pool) -> InstanceId:
    """Fill the buffer, and choose an idle instance."""
    pool.tick(6)
    return next(iter(pool.registry.instances(DEFAULT_POOL, {IDLE})))


def state(pool: Pool, instance: InstanceId) -> Instance:
    return pool.registry.instances(DEFAULT_POOL)[instance]


def probe(pool: Pool, *, rounds: int, pause: float) -> None:
    for _ in range(rounds):
        pool.clock.advance(pause)
        pool.readiness.round()


def silence(pool: Pool, *instances: InstanceId) -> None:
    pool.prober.ready = set(pool.registry.instances(DEFAULT_POOL)) - set(instances)


# The front page


def test_an_instance_whose_front_page_does_not_open_is_not_idle(pool: Pool) -> None:
    pool.prober.opening = set()
    pool.tick(6)
    assert pool.count(IDLE) == 0

    pool.prober.opening = None
    pool.tick()

    assert pool.count(IDLE) == 5


def test_the_front_page_is_asked_for_once_and_the_probe_ever_after(pool: Pool) -> None:
    one_idle(pool)
    assert [len(asked) for asked in pool.prober.opened] == [5]

    probe(pool, rounds=10, pause=15)

    assert [len(asked) for asked in pool.prober.opened] == [5]
    assert len(pool.prober.probed) > 10


def test_the_front_page_is_not_asked_for_before_the_probe_passes(pool: Pool) -> None:
    pool.prober.ready = set()

    pool.tick(6)

    assert pool.prober.opened == []


def test_an_instance_that_becomes_idle_needs_no_pass(pool: Pool) -> None:
    pool.prober.ready = set()
    pool.tick(6)
    pool.prober.ready = set(pool.registry.instances(DEFAULT_POOL))

    assert (pool.readiness.round(), pool.count(IDLE)) == (False, 5)


def test_an_instance_that_is_withdrawn_needs_one(pool: Pool) -> None:
    silence(pool, one_idle(pool))
    probe(pool, rounds=2, pause=15)
    pool.clock.advance(15)

    assert pool.readiness.round()


def test_an_instance_that_comes_back_is_not_asked_for_its_front_page_again(pool: Pool) -> None:
    fallen = one_idle(pool)
    pool.registry.withdraw(fallen, reason="a reason", now=pool.clock.now())

    pool.tick(2)

    assert state(pool, fallen).state is IDLE
    assert [len(asked) for asked in pool.prober.opened] == [5]


# Idle instances


def test_idle_instances_are_probed_every_fifteen_seconds(pool: Pool) -> None:
    one_idle(pool)
    before = len(pool.prober.probed)

    probe(pool, rounds=60, pause=1)

    assert len(pool.prober.probed) - before == 4


def test_what_answers_is_known_to_be_ready(pool: Pool) -> None:
    instance = one_idle(pool)

    probe(pool, rounds=1, pause=15)

    assert state(pool, instance).ready_at == pool.clock.now()


def test_one_failed_probe_withdraws_nothing_but_is_noted(pool: Pool) -> None:
    instance = one_idle(pool)
    silence(pool, instance)

    probe(pool, rounds=1, pause=15)

    assert (state(pool, instance).state, state(pool, instance).ready_at) == (IDLE, None)


def test_three_failed_probes_in_a_row_withdraw_the_instance_within_seconds(pool: Pool) -> None:
    instance = one_idle(pool)
    silence(pool, instance)
    probe(pool, rounds=1, pause=15)

    probe(pool, rounds=2, pause=2)

    assert state(pool, instance).state is BOOTING
    withdrawn = next(line for line in pool.registry.events(limit=10) if line.instance == instance)
    assert withdrawn.kind is EventKind.INSTANCE_WITHDRAWN
    assert withdrawn.reason == "did not answer its probe 3 times in a row"


def test_a_good_probe_between_them_begins_the_count_anew(pool: Pool) -> None:
    instance = one_idle(pool)
    silence(pool, instance)
    probe(pool, rounds=1, pause=15)
    probe(pool, rounds=1, pause=2)
    pool.prober.ready = None
    probe(pool, rounds=1, pause=2)
    silence(pool, instance)

    probe(pool, rounds=1, pause=15)
    probe(pool, rounds=1, pause=2)

    assert state(pool, instance).state is IDLE


def test_a_withdrawn_instance_that_does_not_recover_is_replaced(pool: Pool) -> None:
    instance = one_idle(pool)
    silence(pool, instance)
    probe(pool, rounds=10, pause=2)
    pool.prober.ready = set(pool.cloud.members) - {instance}

    for _ in range(40):
        silence(pool, instance)
        pool.tick()

    assert instance not in pool.cloud.members
    assert pool.count(IDLE) == 5


def test_where_all_fall_silent_at_once_none_is_replaced_in_a_hurry(pool: Pool) -> None:
    one_idle(pool)
    pool.prober.ready = set()

    pool.tick(60)  # two minutes
    assert pool.called("terminate") == 0
    assert pool.count(IDLE) == 0

    pool.prober.ready = None
    pool.tick()
    assert pool.count(IDLE) == 5


def test_an_instance_in_use_is_never_probed(pool: Pool) -> None:
    one_idle(pool)
    held = pool.claim("alice").allocation.instance
    pool.prober.probed.clear()

    probe(pool, rounds=5, pause=15)

    assert all(held not in asked for asked in pool.prober.probed)


def test_a_thousand_idle_instances_are_not_probed_in_one_burst(pool: Pool) -> None:
    pool.cloud.max_size = 1000
    pool.cloud.set_desired(1000)
    pool.tick(4)
    pool.prober.probed.clear()

    probe(pool, rounds=1, pause=15)

    assert [len(asked) for asked in pool.prober.probed] == [100]


def test_the_limit_is_named_while_nothing_becomes_ready(pool: Pool) -> None:
    pool.prober.ready = set()
    for _ in range(4):
        pool.tick(3)
        pool.clock.advance(300)

    pool.tick()

    assert pool.limited_by is Limit.BOOT_FAILURES
