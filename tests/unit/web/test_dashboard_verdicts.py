"""The dashboard: what of a pool's past its judgement takes into account."""

from datetime import timedelta

import pytest

from app.domain.history import GRAIN, Sample, grain_of
from app.domain.model import DEFAULT_POOL, EndReason, InstanceState, PoolName, PoolView, ProjectId
from app.domain.verdict import PATIENCE
from app.ports import ENDED
from app.registry.transactions import Transactions
from app.service.judgement import HANDOVER
from tests.builders import NOW
from tests.unit.web.html_tree import Element, tree
from tests.unit.web.services import GPU, Service


@pytest.fixture
def unled(transactions: Transactions) -> Service:
    """A service whose last pass was a moment ago, and that nobody leads."""
    service = Service(transactions)
    passed(service)
    return service


@pytest.fixture
def led(unled: Service) -> Service:
    unled.leases.take("this one", timedelta(seconds=15))
    return unled


def passed(service: Service) -> None:
    now = service.clock.now()
    for pool in (DEFAULT_POOL, GPU):
        service.registry.record_view(PoolView(pool=pool, last_pass_at=now, last_attempt_at=now))


def sampled(service: Service, ago: timedelta, *, idle: int = 5, pool: PoolName = DEFAULT_POOL) -> None:
    """Note a sample of so long ago."""
    service.history.note(
        [
            Sample(
                pool=pool,
                at=grain_of(service.clock.now() - ago),
                idle=idle,
                allocated=0,
                booting=0,
                waiting=0,
                buffer=5,
                desired=5,
            )
        ]
    )


def health(service: Service, query: str = "") -> Element:
    return tree(service.http.get(f"/dashboard{query}").text).one(id="health")


def verdict(service: Service, query: str = "") -> str:
    return health(service, query).attributes["data-verdict"]


def end_all(service: Service) -> None:
    """Have AWS lose every instance of the pool `default`."""
    for one in service.registry.instances(DEFAULT_POOL).values():
        service.registry.end(
            one.id,
            expect=one.state,
            to=InstanceState.TERMINATED,
            reason=EndReason.VANISHED,
            now=service.clock.now(),
        )


# Starting


def test_a_pool_of_which_none_was_ready_yet_starts(led: Service) -> None:
    led.booting()

    assert verdict(led) == "starting"


def test_a_pool_that_lost_all_it_had_does_not_start(led: Service) -> None:
    for _ in range(5):
        led.idle()
    end_all(led)
    before = verdict(led)
    led.booting()

    assert (before, verdict(led)) == ("exhausted", "exhausted")


def test_instances_that_never_got_ready_leave_a_pool_that_starts(led: Service) -> None:
    led.booting()
    end_all(led)
    led.booting()

    assert verdict(led) == "starting"


def test_what_another_pool_had_does_not_count(led: Service) -> None:
    led.idle()
    led.booting(GPU)

    assert verdict(led, "?pool=gpu") == "starting"


def test_a_pool_that_somebody_waits_for_does_not_start(led: Service) -> None:
    led.booting()
    led.http.get("/shop")

    assert verdict(led) == "exhausted"


# Who leads


def test_a_handover_is_no_news(unled: Service) -> None:
    for _ in range(5):
        unled.idle()
    sampled(unled, GRAIN)

    assert verdict(unled) == "healthy"


def test_where_nobody_leads_for_longer_the_pool_is_not_called_healthy(unled: Service) -> None:
    for _ in range(5):
        unled.idle()
    sampled(unled, HANDOVER + GRAIN)

    assert verdict(unled) == "blind"


# Short


@pytest.mark.parametrize(
    ("ago", "expected"), [(PATIENCE - GRAIN, "filling"), (PATIENCE, "short"), (timedelta(hours=3), "short")]
)
def test_a_deficit_grows_old(led: Service, ago: timedelta, expected: str) -> None:
    led.idle()
    sampled(led, ago + GRAIN, idle=5)
    sampled(led, ago, idle=4)
    sampled(led, GRAIN, idle=1)

    assert verdict(led) == expected


def test_since_when_it_is_so_stands_on_the_page(led: Service) -> None:
    led.idle()
    sampled(led, timedelta(hours=3), idle=4)

    since = grain_of(led.clock.now() - timedelta(hours=3))
    assert f"Below the buffer since {since:%Y-%m-%d %H:%M:%S} UTC" in health(led).text


def test_a_buffer_that_was_full_in_between_begins_anew(led: Service) -> None:
    led.idle()
    sampled(led, timedelta(hours=3), idle=1)
    sampled(led, timedelta(minutes=2), idle=5)
    sampled(led, timedelta(minutes=1), idle=1)

    assert verdict(led) == "filling"


def test_another_pool_grows_old_by_itself(led: Service) -> None:
    led.idle()
    led.idle(pool=GPU)
    sampled(led, timedelta(hours=3), idle=1, pool=GPU)

    assert (verdict(led), verdict(led, "?pool=gpu")) == ("filling", "short")


# Figures, and what is looked through


def test_a_pause_is_told_where_the_pool_cannot_be_seen(unled: Service) -> None:
    unled.http.patch("/v1/pools/default", json={"paused": True})

    shown = health(unled)

    assert shown.attributes["data-verdict"] == "blind"
    assert "And the pool is paused by anonymous." in shown.text


def test_that_only_the_last_of_the_ended_are_looked_through_is_said(led: Service) -> None:
    led.idle()
    end_all(led)

    ended = tree(led.http.get("/dashboard?state=terminated&q=i-").text).one(id="instances")
    living = tree(led.http.get("/dashboard").text).one(id="instances")

    assert f"the last {ENDED:,} of each pool are looked through" in ended.text
    assert "looked through" not in living.text


def test_what_is_looked_for_may_have_many_words(led: Service) -> None:
    led.idle()
    led.registry.claim(DEFAULT_POOL, ProjectId("a-b-c-d-e-f"), actor="ann", now=NOW)

    shown = tree(led.http.get("/dashboard?q=a+b+c+d+e+x").text)

    assert not shown.one(id="allocations").all("table")
