"""The checks of the soak can fail: each rule complains of a record made to break it, and of no other."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from tests.e2e.aws import SET_DESIRED, TERMINATE
from tests.e2e.soak.checks import LOOK, NOBODY, PROTECT, examine
from tests.e2e.soak.facts import (
    AwsCall,
    Calm,
    Claim,
    DatabaseLost,
    Deed,
    Denial,
    DesiredWritten,
    Drained,
    Fact,
    HungUp,
    Killed,
    LogLine,
    Message,
    Release,
    ReleaseSent,
    Renewal,
    Retired,
    Serving,
    StatusRead,
    TagsRead,
    Trail,
)

ONE, TWO = "i-00000000000000001", "i-00000000000000002"


def a_claim(at: float, project: str = "p", instance: str | None = ONE, **more: Any) -> Claim:
    known: dict[str, Any] = {"until": at + 0.1, "status": 200 if instance else 503}
    return Claim(at=at, project=project, instance=instance, **{**known, **more})


def a_release(at: float, instance: str = ONE, status: int | None = 200) -> list[Fact]:
    sent = ReleaseSent(at=at, instance=instance, project="p")
    return [sent, Release(at=at, until=at + 0.1, instance=instance, status=status)]


def an_event(at: float, kind: str, instance: str = ONE, reason: str | None = None, number: int = 0) -> Trail:
    return Trail(
        at=at, number=number, kind=kind, actor="poller", instance=instance, project="p", reason=reason
    )


def a_message(**more: Any) -> Message:
    known: dict[str, Any] = {"id": "msg_1", "kind": "allocation.created", "event": 7, "body": "{}"}
    return Message(at=1.5, instance=ONE, project="p", **{**known, **more})


def an_end(at: float, instance: str = ONE) -> AwsCall:
    return AwsCall(at=at, action=TERMINATE, instance=instance)


def a_loss(at: float, **tags: str) -> DatabaseLost:
    return DatabaseLost(at=at, tags={ONE: tags["one"]} if tags else {})


def set_desired(at: float, before: int, after: int) -> list[Fact]:
    look = AwsCall(at=at - 0.2, action=LOOK)
    call = AwsCall(at=at - 0.1, action=SET_DESIRED, desired=after)
    return [look, call, DesiredWritten(at=at, before=before, after=after, others=False)]


def an_announcement(at: float) -> Trail:
    return an_event(at, "allocation.expiring", reason="its time is over soon")


def an_expiry(at: float) -> Trail:
    return an_event(at, "allocation.ended", reason="expired")


def a_limited_life(told: float) -> list[Fact]:
    """One that is to end then, and that is announced."""
    return [a_claim(1, ends_at=told), an_announcement(6)]


def a_renewal(at: float, instance: str | None = ONE, **more: Any) -> Renewal:
    known: dict[str, Any] = {"until": at + 0.1, "status": 200}
    return Renewal(at=at, project="p", instance=instance, **{**known, **more})


CALM = Calm(
    at=9.0,
    seconds=5.0,
    bound=60.0,
    buffer=1,
    idle=1,
    used=1,
    booting=0,
    terminating=0,
    total=2,
    desired=2,
    reason=None,
    listed=frozenset({ONE, TWO}),
    members=frozenset({ONE, TWO}),
    alive=frozenset({ONE, TWO}),
)

BROKEN: dict[str, tuple[str, list[Fact]]] = {
    "two projects share an instance": ("one-instance", [a_claim(1), a_claim(2, "q")]),
    "they share it although its tag was written before the database was lost": (
        "one-instance",
        [a_claim(1), a_loss(2, one="p"), a_claim(3, "q")],
    ),
    "the audit trail gives a second project the instance": (
        "one-instance",
        [a_claim(1, "q"), an_event(2, "allocation.created")],
    ),
    "a project gets another instance": ("one-instance", [a_claim(1), a_claim(2, instance=TWO)]),
    "it gets another one before the first is released": (
        "one-instance",
        [a_claim(1), a_claim(2, instance=TWO), *a_release(3)],
    ),
    "the database was lost, and what the tag told": (
        "one-instance",
        [a_claim(1), a_loss(2, one="p"), a_claim(3, instance=TWO)],
    ),
    "a released instance is given again": ("one-instance", [a_claim(1), *a_release(2), a_claim(3)]),
    "an instance is given that we are ending": (
        "one-instance",
        [an_event(1, "instance.terminating", reason="unhealthy"), an_end(2), a_claim(3)],
    ),
    "an allocation is lost without a cause": (
        "one-instance",
        [a_claim(1), an_event(2, "allocation.lost", reason="vanished")],
    ),
    "its cause comes only later": (
        "one-instance",
        [a_claim(1), an_event(2, "allocation.lost", reason="left"), Deed(at=3, instance=ONE, what="stop")],
    ),
    "the tags are not read": ("one-instance", [TagsRead(at=1, forgotten=(ONE,))]),
    "a used instance is terminated": (
        "used-is-safe",
        [a_claim(1), an_event(1.5, "instance.terminating", reason="unhealthy"), an_end(2)],
    ),
    "one whose claim's answer was lost is terminated": (
        "used-is-safe",
        [
            an_event(1, "allocation.created"),
            an_event(2, "instance.terminating", reason="boot-timeout"),
            an_end(3),
        ],
    ),
    "an instance is terminated before it is released": (
        "used-is-safe",
        [a_claim(1), an_end(2), *a_release(3)],
    ),
    "an instance is terminated without a decision": ("used-is-safe", [an_end(2)]),
    "an allocation ends that nobody ended": (
        "used-is-safe",
        [a_claim(1), an_event(2, "allocation.ended", reason="boot-timeout")],
    ),
    "AWS scales in what was handed out": (
        "used-is-safe",
        [a_claim(1), Retired(at=2, instance=ONE, by="scale-in")],
    ),
    "protection was denied to a process that is long dead": (
        "used-is-safe",
        [
            Denial(at=0.1, action=PROTECT),
            Killed(at=0.2),
            Serving(at=0.5),
            a_claim(1),
            Retired(at=2, instance=ONE, by="scale-in"),
        ],
    ),
    "desired is lowered": ("never-lowered", set_desired(1, before=6, after=5)),
    "desired is written for nothing": ("never-lowered", set_desired(1, before=6, after=6)),
    "desired is lowered, and others wrote it before our look": (
        "never-lowered",
        [DesiredWritten(at=0.5, before=5, after=6, others=True), *set_desired(1, before=6, after=5)],
    ),
    "the buffer is not met, without a reason": ("comes-to-rest", [replace(CALM, idle=0, total=1, desired=1)]),
    "something is left booting": ("comes-to-rest", [replace(CALM, booting=1)]),
    "something is left terminating": ("comes-to-rest", [replace(CALM, terminating=1, reason="leak")]),
    "the sum is wrong": ("comes-to-rest", [replace(CALM, used=0)]),
    "desired is too high": ("comes-to-rest", [replace(CALM, desired=3)]),
    "a dead instance is listed": (
        "comes-to-rest",
        [replace(CALM, members=frozenset({ONE}), alive=frozenset({ONE}))],
    ),
    "a member is not listed": ("comes-to-rest", [replace(CALM, listed=frozenset({ONE}))]),
    "an instance runs on that is no member": (
        "comes-to-rest",
        [replace(CALM, alive=frozenset({ONE, TWO, "i-00000000000000003"}))],
    ),
    "a project does not get what it holds": ("comes-to-rest", [replace(CALM, refused=("p",))]),
    "an answer is 500": ("answers", [a_claim(1, instance=None, status=500)]),
    "a refusal has the wrong form": ("answers", [a_claim(1, instance=None, proper=False)]),
    "a connection breaks without a kill": ("answers", [a_claim(1, instance=None, status=None)]),
    "a connection breaks long after a kill": (
        "answers",
        [Killed(at=0), Serving(at=0.5), a_claim(1, instance=None, status=None)],
    ),
    "a release is answered with 404 for a living instance": ("answers", [*a_release(2, status=404)]),
    "status does not add up": ("status", [StatusRead(at=1, until=2, status=200, idle=1, used=1, total=3)]),
    "status lists a project twice": (
        "status",
        [StatusRead(at=1, until=2, status=200, held=((ONE, "p"), (TWO, "p")))],
    ),
    "status lists a used instance of nobody": (
        "status",
        [StatusRead(at=1, until=2, status=200, held=((ONE, None),))],
    ),
    "it waits longer than it wanted to": ("answers", [a_claim(1, instance=None, until=20, wait=3)]),
    "it expires too early": ("in-time", [*a_limited_life(told=9.0), an_expiry(8.0)]),
    "it expires although it was renewed": (
        "in-time",
        [*a_limited_life(told=9.0), a_renewal(6.5, ends_at=12.0), an_announcement(8), an_expiry(9.0)],
    ),
    "it expires unannounced": ("in-time", [a_claim(1, ends_at=9.0), an_expiry(9.0)]),
    "its end is not announced again after a renewal": (
        "in-time",
        [*a_limited_life(told=9.0), a_renewal(8, ends_at=12.0), an_expiry(12.0)],
    ),
    "it is renewed after it has expired": (
        "in-time",
        [*a_limited_life(told=9.0), an_expiry(9.0), a_renewal(10, ends_at=9.0)],
    ),
    "it expires and had no limit": ("in-time", [a_claim(1), an_announcement(5), an_expiry(9.0)]),
    "it expires, and it was another's claim with a limit that broke off": (
        "in-time",
        [
            *(Killed(at=1.05), a_claim(1, "q", instance=None, status=None, ttl=4), Serving(at=2)),
            *(a_claim(2.5), an_announcement(5), an_expiry(9.0)),
        ],
    ),
    "it expires, and a claim with a limit broke off before it was made": (
        "in-time",
        [
            *(Killed(at=1.05), a_claim(1, instance=None, status=None, ttl=4), Serving(at=2)),
            *(an_event(1, "allocation.created", TWO), *a_release(3, TWO)),
            *(an_event(4, "allocation.created"), a_claim(4), an_announcement(6), an_expiry(9.0)),
        ],
    ),
    "it is given to who hung up long before": (
        "no-ghosts",
        [HungUp(at=1, project="p", since=0.9), an_event(9, "allocation.created")],
    ),
    "it is taken from who hung up only later": (
        "no-ghosts",
        [
            an_event(1, "allocation.created"),
            an_event(1.5, "allocation.ended", reason="abandoned"),
            HungUp(at=2.1, project="p", since=2),
        ],
    ),
    "it is taken from who still waits": (
        "no-ghosts",
        [an_event(1, "allocation.created"), an_event(1.5, "allocation.ended", reason="abandoned")],
    ),
    "an end is not told to the webhook": (
        "told",
        [an_event(1, "allocation.created", number=7), Drained(at=2)],
    ),
    "a message changes": ("told", [a_message(body="one"), a_message(body="other")]),
    "an event has two messages": ("told", [a_message(), a_message(id="msg_2")]),
    "a pass crashes": ("log", [LogLine(at=1, event="pass.crashed", text="Traceback ...")]),
}

SOUND: dict[str, list[Fact]] = {
    "it asks again": [a_claim(1), an_event(1, "allocation.created"), a_claim(2)],
    "it gets another one after a release that was not answered": [
        a_claim(1),
        ReleaseSent(at=2, instance=ONE, project="p"),
        a_claim(3, instance=TWO),
    ],
    "it gets another one after a reclaim": [
        a_claim(1),
        Deed(at=2, instance=ONE, what="terminate"),
        an_event(3, "allocation.lost", reason="left"),
        a_claim(4, instance=TWO),
    ],
    "two answers overtake each other": [a_claim(2, instance=TWO), *a_release(1.5), a_claim(1, until=3)],
    "what no tag told is forgotten with the database": [
        a_claim(1),
        a_loss(2),
        a_claim(3, "q"),
        a_claim(3, instance=TWO),
    ],
    "what was released comes back with its tag": [a_claim(1), *a_release(2), a_loss(3, one="p"), a_claim(4)],
    "a released instance is terminated": [a_claim(1), *a_release(2), an_end(2.05), an_end(40)],
    "one that never got ready is terminated": [
        an_event(1, "instance.terminating", reason="boot-timeout"),
        an_end(2),
    ],
    "the service asks whether it may terminate": [AwsCall(at=1, action=TERMINATE, instance=NOBODY)],
    "AWS scales in what it denied us to protect": [
        Denial(at=0.5, action=PROTECT),
        a_claim(1),
        Retired(at=2, instance=ONE, by="scale-in"),
    ],
    "AWS denied it to protect as soon as it was started, and before it answered": [
        *(Killed(at=0.2), Denial(at=0.4, action=PROTECT), Serving(at=0.5)),
        a_claim(1),
        Retired(at=2, instance=ONE, by="scale-in"),
    ],
    "desired is raised": set_desired(1, before=5, after=6),
    "others write desired between look and write": [
        *set_desired(1, before=8, after=6),
        DesiredWritten(at=0.95, before=5, after=8, others=True),
    ],
    "a call outlives its process": [*set_desired(1, before=8, after=6), Killed(at=0.95), Serving(at=3)],
    "it expires when it was told": [*a_limited_life(told=9.0), an_expiry(9.0), an_end(9.5)],
    "it gets another one after its time": [
        *a_limited_life(told=9.0),
        an_expiry(9.0),
        a_claim(9.5, instance=TWO),
    ],
    "it is renewed at the last moment": [
        *a_limited_life(told=9.0),
        a_renewal(8.95, ends_at=12.0),
        an_announcement(11),
        an_expiry(12.0),
    ],
    "a renewal comes too late": [
        *a_limited_life(told=9.0),
        an_expiry(9.0),
        a_renewal(9.1, instance=None, status=404),
    ],
    "who hung up was given one in that moment": [
        HungUp(at=1, project="p", since=0.9),
        an_event(1.1, "allocation.created"),
        an_event(1.2, "allocation.ended", reason="abandoned"),
        an_end(2),
    ],
    "who hung up is seen to before it knows": [
        an_event(1.05, "allocation.created"),
        an_event(1.1, "allocation.ended", reason="abandoned"),
        an_end(1.2),
        HungUp(at=1.5, project="p", since=1),
    ],
    "it expires, and the answer that told its limit was lost": [
        *(Killed(at=1.05), a_claim(1, instance=None, status=None, ttl=4), Serving(at=2)),
        *(an_event(1, "allocation.created"), an_announcement(3), an_expiry(5.0), an_end(5.5)),
    ],
    "it is told twice": [
        an_event(1, "allocation.created", number=7),
        a_message(),
        a_message(),
        Drained(at=3),
    ],
    "what was not told is lost with the database": [
        an_event(1, "allocation.created", number=7),
        a_loss(2),
        Drained(at=3),
    ],
    "it comes to rest": [CALM],
    "the buffer is not met, and it says why": [replace(CALM, idle=0, total=1, desired=1, reason="max-size")],
    "a connection breaks in a kill": [Killed(at=1.05), a_claim(1, instance=None, status=None)],
    "a release finds nothing any more": [
        a_claim(1),
        Deed(at=2, instance=ONE, what="terminate"),
        *a_release(3, status=404),
    ],
}


def rules_broken(record: Iterable[Fact]) -> set[str]:
    return {violation.rule for violation in examine(record).violations}


@pytest.mark.parametrize("story", BROKEN)
def test_a_broken_invariant_is_found(story: str) -> None:
    rule, record = BROKEN[story]
    assert rules_broken(record) == {rule}


@pytest.mark.parametrize("story", SOUND)
def test_what_may_happen_is_no_violation(story: str) -> None:
    assert rules_broken(SOUND[story]) == set()


def test_what_is_let_pass_is_counted() -> None:
    record = SOUND["others write desired between look and write"]
    assert examine(record).excused.total() == 1


def test_a_violation_names_whose_history_to_tell() -> None:
    _, record = BROKEN["two projects share an instance"]
    assert examine(record).violations[0].subjects == {ONE, "p", "q"}
