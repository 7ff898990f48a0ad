"""Three replicas in fine weather: who leads, who takes over, and who stops by himself."""

import signal
from collections.abc import Collection, Iterator
from datetime import datetime
from functools import partial
from typing import Any

import pytest

from tests.e2e.aws import SET_DESIRED, TERMINATE
from tests.e2e.replicas.checks import HEALTHY_WITHIN, examine
from tests.e2e.replicas.facts import Term, Write
from tests.e2e.replicas.fleet import Fleet, Leader, Replica
from tests.e2e.soak.facts import Fact, now
from tests.e2e.soak.record import Violation
from tests.waiting import until

BUFFER = 5
AT_ONCE = 10.0
"""Seconds: a term is renewed every two of them, for another twelve. None runs out so soon by itself."""
ENDS = frozenset({"pass.finished", "pass.failed", "pass.abandoned", "pass.crashed"})
"""What is logged at the end of a pass."""
LOOK = "DescribeAutoScalingGroups"
QUIET = 2.5
"""Seconds without a call to AWS after which no pass runs, and none is about to follow one."""

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def running() -> Iterator[Fleet]:
    """Three that look at AWS once an hour: what happens was not the poll."""
    facts: list[Fact] = []
    settings = {"ORCHESTRATOR_BUFFER": str(BUFFER), "ORCHESTRATOR_POLL_INTERVAL": "3600"}
    with Fleet(facts.append, settings=settings, worker="none", desired=BUFFER) as fleet:
        yield fleet
        assert not two_leaders(fleet)


@pytest.fixture
def fleet(running: Fleet) -> Fleet:
    """All three serve, one leads, and the buffer is full."""
    running.await_leader()
    running.replicas[0].service.settled(idle=BUFFER)
    return running


def duties(fleet: Fleet, path: str) -> list[dict[str, Any]]:
    """What each says of itself, and of who leads."""
    return [one.service.http.get(path).json() for one in fleet.replicas]


def writes(fleet: Fleet, action: str, since: float) -> list[Write]:
    return [one for one in fleet.cloud.writes.told() if one.action == action and one.at >= since]


def first(fleet: Fleet, action: str, since: float) -> Write | None:
    return next(iter(writes(fleet, action, since)), None)


def two_leaders(fleet: Fleet) -> list[Violation]:
    """Every call that changes something, by the simulator's record, outside of its writer's term."""
    record = [*fleet.trail(), *fleet.cloud.writes.told()]
    return [one for one in examine(record).violations if one.rule in {"one-writer", "terms"}]


def elected(fleet: Fleet, leader: Leader) -> float:
    (at,) = [one.at for one in fleet.trail() if isinstance(one, Term) and one.number == leader.term]
    return at


@pytest.mark.parametrize("path", ["/status", "/readyz"])
def test_all_replicas_name_the_same_leader_and_each_names_itself(fleet: Fleet, path: str) -> None:
    leader = fleet.await_leader()
    said = duties(fleet, path)
    assert {(one["leader"]["replica"], one["leader"]["term"]) for one in said} == {
        (leader.holder, leader.term)
    }
    assert len({one["replica"] for one in said}) == 3
    assert leader.holder in {one["replica"] for one in said}
    assert all(one["lastPassAgeSeconds"] >= 0 for one in said)


def test_a_claim_at_any_replica_has_the_leader_raise_desired(fleet: Fleet) -> None:
    leader = fleet.await_leader()
    for replica in fleet.replicas:
        replica.service.settled(idle=BUFFER)
        begun = now()
        replica.service.allocate(f"top-up-{replica.number}")
        write = until(partial(first, fleet, SET_DESIRED, begun), what="desired to be raised")
        assert write is not None
        print(f"raised after {write.at - begun:.2f} s for a claim at replica {replica.number}")  # noqa: T201
        assert write.writer == leader.holder


def test_a_replica_that_is_cut_off_says_so_and_comes_back(fleet: Fleet) -> None:
    follower = fleet.followers()[0]
    http = follower.service.http
    follower.link.cut()
    try:
        until(lambda: http.get("/readyz").status_code == 503, what="it to notice")
        assert http.get("/healthz").status_code == 200
        refused = http.get("/status")
        assert (refused.status_code, refused.json()["code"]) == (503, "registry-unavailable")
        assert http.get("/readyz").json()["leader"] is None
    finally:
        follower.link.mend()
    until(lambda: http.get("/readyz").status_code == 200, what="it to be ready again")


def test_a_leader_that_ends_in_order_hands_over_at_once(fleet: Fleet) -> None:
    leader = fleet.await_leader()
    left, other = fleet.of(leader), fleet.followers()[0]
    begun = now()
    left.service.http.close()
    left.service.program.signal(signal.SIGTERM)
    try:
        following = fleet.await_leader(other_than=leader.holder)
        took = elected(fleet, following) - begun
        print(f"{took:.2f} s from SIGTERM to the next term")  # noqa: T201 - a figure to see
        assert took < AT_ONCE
        asked = now()
        other.service.allocate("after-the-hand-over")
        until(lambda: writes(fleet, SET_DESIRED, asked), what="the next leader to raise desired")
        assert {one.writer for one in writes(fleet, SET_DESIRED, asked)} == {following.holder}
        assert left.service.program.exit_code() == 0
        assert said(left, {"leadership.resigned"}, begun)
    finally:
        left.service.start()


def test_a_leader_that_stood_still_writes_nothing_when_it_goes_on(fleet: Fleet) -> None:
    """It is stopped in the middle of a pass, with more to do; meanwhile another one does it."""
    leader = fleet.await_leader()
    stopped, other = fleet.of(leader), fleet.followers()[0]
    machines = [other.service.allocate(f"released-{number}")["machineId"] for number in range(BUFFER)]
    other.service.settled(idle=BUFFER)
    begun = now()
    # They are ended one after the other: so there is time to stop it.
    fleet.cloud.fault(kind="delay", action=TERMINATE, seconds=3)
    for machine in machines:
        assert other.service.destroy(machine).status_code == 200
    until(lambda: writes(fleet, TERMINATE, begun), what="the first of them to be ended")
    stopped.signal_workers(signal.SIGSTOP)
    try:
        fleet.cloud.lift_faults()
        following = fleet.await_leader(other_than=leader.holder)
        taken = elected(fleet, following)
        other.service.settled(idle=BUFFER)
        done = {one.writer for one in writes(fleet, TERMINATE, taken)}
    finally:
        stopped.signal_workers(signal.SIGCONT)
    until(lambda: lost(stopped, leader), what="it to notice")
    assert done == {following.holder}
    other.service.allocate("after-the-stop")
    other.service.settled(idle=BUFFER)
    assert {one.writer for one in fleet.cloud.writes.told() if one.at >= taken} == {following.holder}
    assert len(writes(fleet, TERMINATE, begun)) >= len(machines)


def lost(replica: Replica, leader: Leader) -> bool:
    """Whether it says that its term is over."""
    said = [line for line in replica.service.logs if line["event"] == "leadership.lost"]
    return leader.term in {line["term"] for line in said}


def test_a_leader_that_is_cut_off_in_the_middle_of_a_change_leaves_it_to_the_next(fleet: Fleet) -> None:
    """It wants to raise desired, and AWS keeps it waiting until its term is over and another one leads.

    A pass needs the database up to its first change, so the cut must come between its plan and that change:
    while it reads desired once more. The look that it is given then is older than the next leader's raise.
    """
    leader = fleet.await_leader()
    old, other = fleet.of(leader), fleet.followers()[0]
    until(lambda: quiet(fleet, leader), within=60, what="its passes to end")
    begun = now()
    fleet.cloud.fault(kind="delay", action=LOOK, seconds=5)
    other.service.allocate("before-the-cut")
    until(lambda: looks(fleet, leader, begun) >= 1, what="a pass to begin")
    slower(fleet, 15)  # for the second look, which it gives up after ten seconds, and repeats
    until(lambda: looks(fleet, leader, begun) >= 2, what="it to make sure, right before the change")
    slower(fleet, 8)  # the other's term begins some twelve seconds after the cut, and this ends six later
    cut = now()
    old.link.cut()
    try:
        until(lambda: refuses_in_order(old) and said(old, ENDS, cut), within=60, what="the pass to end")
        fleet.cloud.lift_faults()
        following = fleet.await_leader(other_than=leader.holder)
        asked = now()
        other.service.allocate("after-the-cut")
        until(partial(first, fleet, SET_DESIRED, asked), what="the next leader to raise desired")
    finally:
        fleet.cloud.lift_faults()
        old.link.mend()
    until(lambda: lost(old, leader), what="it to notice")
    taken = elected(fleet, following)
    until(lambda: old.service.http.get("/readyz").status_code == 200, what="it to be ready again")
    other.service.settled(idle=BUFFER)
    assert not two_leaders(fleet)
    assert {one.writer for one in fleet.cloud.writes.told() if one.at >= cut} == {following.holder}
    ended = said(old, {"pass.abandoned"}, cut)[0]
    assert ended > taken, "it gave up while nobody else led: nothing is proved"
    assert said(old, {"leadership.suspended"}, cut)
    print(f"{taken - cut:.1f} s from the cut to the next term, {ended - cut:.1f} s to its end")  # noqa: T201


def looks(fleet: Fleet, leader: Leader, since: float) -> int:
    """How often it has asked AWS for the group."""
    return sum(at >= since for at in asked_at(fleet, leader, LOOK))


def quiet(fleet: Fleet, leader: Leader) -> bool:
    """Whether it has asked AWS for nothing lately, having examined all there is to, with tags at the end."""
    examined = any(call["params"].get("DryRun") for call in calls_of(fleet, leader))
    return examined and now() - max(asked_at(fleet, leader)) > QUIET


def asked_at(fleet: Fleet, leader: Leader, action: str | None = None) -> list[float]:
    """When its calls arrived at AWS."""
    calls = calls_of(fleet, leader)
    return [_seconds(call["at"]) for call in calls if action in {None, call["action"]}]


def calls_of(fleet: Fleet, leader: Leader) -> list[dict[str, Any]]:
    """What it has asked AWS so far."""
    calls: list[dict[str, Any]] = fleet.cloud.calls.as_json()["calls"]
    return [call for call in calls if leader.holder in call["agent"]]


def slower(fleet: Fleet, seconds: float) -> None:
    """Delay each look that begins from now on by so much."""
    fleet.cloud.lift_faults()
    fleet.cloud.fault(kind="delay", action=LOOK, seconds=seconds)


def refuses_in_order(replica: Replica) -> bool:
    """Whether it is healthy, and says to whoever wants an instance that its database is away."""
    begun = now()
    assert replica.service.http.get("/healthz").status_code == 200
    assert now() - begun < HEALTHY_WITHIN
    refused = replica.service.get("during-the-cut")
    assert refused.status_code == 503, refused.text
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.json()["code"] == "registry-unavailable"
    return True


def said(replica: Replica, any_of: Collection[str], since: float) -> list[float]:
    """When it logged one of these."""
    found = [line["timestamp"] for line in replica.service.logs if line["event"] in any_of]
    return [at for at in map(_seconds, found) if at >= since]


def _seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()
