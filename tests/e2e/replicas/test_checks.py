"""The checks can fail: each rule complains of a record made to break it, and of no other."""

from collections.abc import Iterable
from typing import Any

import pytest

from app.simulator.calls import Call
from tests.e2e.aws import SET_DESIRED, TERMINATE
from tests.e2e.replicas.checks import (
    ANSWERED_WITHIN,
    BACK_WITHIN,
    ELECTED_WITHIN,
    HEALTHY_WITHIN,
    HELD,
    elections,
    examine,
)
from tests.e2e.replicas.cloud import Writes, writer
from tests.e2e.replicas.facts import STOPPED, Answer, DatabaseAway, Down, LeaderKilled, Term, Up, Write
from tests.e2e.soak.checks import NOBODY, PROTECT
from tests.e2e.soak.facts import AwsCall, Claim, Fact, LogLine, Release, ReleaseSent, Retired
from tests.e2e.soak.record import NEVER, Record

ONE = "i-00000000000000001"
FIRST, SECOND = Term(at=1, number=1, holder="a"), Term(at=20, number=2, holder="b")
ALL = frozenset({0, 1, 2})
NO_DATABASE = "registry-unavailable"


def a_write(at: float, by: str = "a", until: float | None = None) -> Write:
    return Write(
        at=at, until=at + 0.1 if until is None else until, writer=by, action=SET_DESIRED, outcome="ok"
    )


def an_answer(at: float = 5, status: int | None = 503, took: float = 0.1, **more: Any) -> Answer:
    known: dict[str, Any] = {"replica": 0, "what": "claim"}
    if status is not None and status >= 400:
        known["code"] = "pool-exhausted"
    return Answer(at=at, until=at + took, status=status, **{**known, **more})


def a_cut(at: float, until: float, *replicas: int) -> DatabaseAway:
    return DatabaseAway(at=at, until=until, replicas=frozenset(replicas or ALL), how="cut")


def everybody(at: float) -> list[Fact]:
    return [an_answer(at, 200, replica=number) for number in sorted(ALL)]


def a_kill(at: float) -> LeaderKilled:
    return LeaderKilled(at=at, holder="a", term=1, how="at once")


def answered(at: float, *what: str) -> list[Fact]:
    return [an_answer(at, 200, what=one) for one in what]


SERVED = answered(11, "claim", "release", "status")


def a_404(at: float) -> list[Fact]:
    return [
        ReleaseSent(at=at, instance=ONE, project="p"),
        Release(at=at, until=at + 0.1, instance=ONE, status=404),
    ]


BROKEN: dict[str, tuple[str, list[Fact]]] = {
    "two replicas share an instance between two projects": (
        "one-instance",
        [Claim(at=at, until=at, status=200, project=who, instance=ONE) for at, who in ((1, "p"), (2, "q"))],
    ),
    "an instance is ended that nobody released": (
        "used-is-safe",
        [AwsCall(at=2, action=TERMINATE, instance=ONE)],
    ),
    "two write at once": (
        "one-writer",
        [
            FIRST,
            Term(at=2, number=2, holder="b"),
            a_write(3, "b", until=5),
            a_write(4, "b"),
            a_write(4.9, "a"),
        ],
    ),
    "a call that failed is under way while another replica writes": (
        "one-writer",
        [FIRST, SECOND, a_write(19, until=21), a_write(20.5, "b")],
    ),
    "a call has not ended at all": ("one-writer", [FIRST, SECOND, a_write(2, until=NEVER), a_write(21, "b")]),
    "the old leader writes when the next one has written": (
        "one-writer",
        [FIRST, a_write(2), SECOND, a_write(21, "b"), a_write(22, "a")],
    ),
    "the old leader writes when the next one has only been elected": (
        "one-writer",
        [FIRST, SECOND, a_write(22)],
    ),
    "a call outlasts its term": ("one-writer", [FIRST, SECOND, a_write(19.5, until=20.5)]),
    "a replica writes before it is elected": ("one-writer", [FIRST, SECOND, a_write(15, "b")]),
    "somebody writes who never led": ("one-writer", [FIRST, a_write(2, "c")]),
    "a term comes twice": ("terms", [FIRST, Term(at=2, number=1, holder="b")]),
    "a term is lower than the one before": ("terms", [SECOND, Term(at=21, number=1, holder="a")]),
    "nobody leads after a kill": ("election", [FIRST, a_kill(5)]),
    "it takes too long": (
        "election",
        [FIRST, a_kill(5), *SERVED, Term(at=5.1 + ELECTED_WITHIN, number=2, holder="b")],
    ),
    "it takes too long after the database is back": (
        "election",
        [
            *everybody(2),
            FIRST,
            a_kill(5),
            *SERVED,
            DatabaseAway(at=6, until=10, replicas=ALL, how="cut all"),
            Term(at=10.1 + ELECTED_WITHIN, number=2, holder="b"),
        ],
    ),
    "it takes too long, and one replica alone was cut off": (
        "election",
        [
            *everybody(2),
            FIRST,
            a_kill(5),
            *SERVED,
            DatabaseAway(at=6, until=10, replicas=frozenset({1}), how="cut follower"),
            Term(at=8 + ELECTED_WITHIN, number=2, holder="b"),
        ],
    ),
    "no release is answered without a leader": (
        "leaderless",
        [FIRST, a_kill(5), *answered(6, "claim", "status"), *answered(21, "release"), SECOND],
    ),
    "a claim is refused without a leader": (
        "leaderless",
        [FIRST, a_kill(5), *answered(6, "release", "status"), an_answer(6), SECOND],
    ),
    "an answer is 500": ("answers", [an_answer(status=500, code="internal-error")]),
    "an answer is 400": ("answers", [an_answer(status=400, code="invalid-project")]),
    "a 503 has a code that nobody knows": ("answers", [an_answer(code="service-unavailable")]),
    "a 503 is no problem": ("answers", [an_answer(proper=False)]),
    "a claim is answered with 404": ("answers", [an_answer(status=404)]),
    "health is answered with 503": ("answers", [an_answer(what="healthz")]),
    "health takes too long": ("answers", [an_answer(status=200, what="healthz", took=HEALTHY_WITHIN + 1)]),
    "an answer takes too long": ("answers", [an_answer(took=ANSWERED_WITHIN + 1)]),
    "the database is away, it says, and it is not": ("answers", [an_answer(code=NO_DATABASE)]),
    "the database is away, it says, when that is back for long": (
        "answers",
        [a_cut(1, 5), an_answer(5.1 + BACK_WITHIN, code=NO_DATABASE)],
    ),
    "the database is away, it says, before it is": ("answers", [an_answer(3, code=NO_DATABASE), a_cut(4, 9)]),
    "the database is away, it says, when only another replica is cut off": (
        "answers",
        [a_cut(1, 20, 1), an_answer(1.1 + HELD, code=NO_DATABASE)],
    ),
    "the database is away, it says, when another replica stands still for long": (
        "answers",
        [Down(at=1, replica=1, how=STOPPED), an_answer(1.1 + HELD, code=NO_DATABASE)],
    ),
    "the database is away, it says, when its worker was killed": (
        "answers",
        [Down(at=4, replica=0, how="its worker"), an_answer(code=NO_DATABASE), Up(at=6, replica=0)],
    ),
    "a connection breaks": ("answers", [an_answer(status=None)]),
    "a connection to another replica than the killed one breaks": (
        "answers",
        [Down(at=4, replica=1, how="all of it"), an_answer(status=None)],
    ),
    "a connection breaks when the replica is back": (
        "answers",
        [Down(at=1, replica=0, how="all of it"), Up(at=3, replica=0), an_answer(5, None)],
    ),
    "a replica that was killed answers 500": (
        "answers",
        [Down(at=4, replica=0, how="its worker"), an_answer(status=500, code="internal-error")],
    ),
    "a release of what is there finds nothing": ("answers", a_404(2)),
    "a pass crashes": ("log", [LogLine(at=1, event="pass.crashed", text="Traceback ...")]),
}

SOUND: dict[str, list[Fact]] = {
    "one writes after the other": [FIRST, a_write(2), a_write(2.5), SECOND, a_write(21, "b")],
    "calls of one writer overlap": [FIRST, a_write(2, until=4), a_write(3)],
    "a replica leads twice": [
        *(FIRST, a_write(2), SECOND, a_write(21, "b")),
        *(Term(at=40, number=3, holder="a"), a_write(41)),
    ],
    "a term that nobody used": [FIRST, a_write(2), SECOND, Term(at=40, number=3, holder="a"), a_write(41)],
    "somebody leads soon": [FIRST, a_kill(7), *answered(8, "claim", "release", "status"), SECOND],
    "it takes long because the database is away": [
        *everybody(2),
        *(FIRST, a_kill(5), DatabaseAway(at=6, until=40, replicas=ALL, how="restart")),
        *(*answered(42, "claim", "release", "status"), Term(at=45, number=2, holder="b")),
    ],
    "nothing is asked in a moment without a leader": [FIRST, a_kill(18), SECOND],
    "what is promised is answered": [an_answer(), an_answer(status=200), an_answer(code="pool-exhausted")],
    "the database is away": [a_cut(4.9, 9), an_answer(code=NO_DATABASE), an_answer(8, code=NO_DATABASE)],
    "the database is away for one alone": [a_cut(4.9, 20, 0), an_answer(17, code=NO_DATABASE)],
    "the database is just back": [a_cut(1, 5), an_answer(4.9 + BACK_WITHIN, code=NO_DATABASE)],
    "a request has waited since the database was away": [
        a_cut(1, 5),
        an_answer(4.9, code=NO_DATABASE, took=BACK_WITHIN + 5),
    ],
    "another replica is cut off with a lock in its hand": [
        a_cut(1, 20, 1),
        an_answer(0.9 + HELD, code=NO_DATABASE),
    ],
    "another replica stands still with a lock in its hand": [
        Down(at=1, replica=1, how=STOPPED),
        an_answer(0.9 + HELD, code=NO_DATABASE),
    ],
    "it finds its connections dead when it goes on": [
        *(Down(at=1, replica=0, how=STOPPED), Up(at=15, replica=0)),
        *(an_answer(14, code=NO_DATABASE), an_answer(14.9 + BACK_WITHIN, code=NO_DATABASE)),
    ],
    "a release finds what is gone": [
        Retired(at=1, instance=ONE, by="service"),
        *a_404(2),
        an_answer(2, 404, what="release", code="instance-not-found"),
    ],
    "a connection breaks in a kill": [Down(at=5.05, replica=0, how="all of it"), an_answer(status=None)],
    "it waits for a worker to be started": [
        Down(at=4, replica=0, how="its worker"),
        an_answer(status=200, what="healthz", took=HEALTHY_WITHIN + 1),
        Up(at=12, replica=0),
    ],
}


def rules_broken(record: Iterable[Fact]) -> set[str]:
    return {violation.rule for violation in examine(record).violations}


@pytest.mark.parametrize("story", BROKEN)
def test_a_broken_promise_is_found(story: str) -> None:
    rule, record = BROKEN[story]
    assert rules_broken(record) == {rule}


@pytest.mark.parametrize("story", SOUND)
def test_what_may_happen_is_no_violation(story: str) -> None:
    assert rules_broken(SOUND[story]) == set()


def test_the_time_of_an_election_counts_from_the_kill() -> None:
    record = Record([FIRST, a_kill(7), SECOND])
    assert [took for _, _, took in elections(record)] == [13]


def a_call(action: str, agent: str = "", **params: str) -> Call:
    return Call(service="autoscaling", action=action, params=params, caller="replica-1", agent=agent)


TRIALS = {
    "a size above all": a_call(SET_DESIRED, DesiredCapacity="2147483647"),
    "nobody's end": a_call(TERMINATE, InstanceId=NOBODY),
    "nobody's protection": a_call(PROTECT, **{"InstanceIds.member.1": NOBODY}),
    "a dry run": a_call("CreateTags", DryRun="true"),
    "a look": a_call("DescribeInstances"),
}


@pytest.mark.parametrize("trial", TRIALS)
def test_what_can_change_nothing_is_no_write(trial: str) -> None:
    writes = Writes(lambda _fact: None)
    writes.begin(TRIALS[trial])
    assert writes.told() == []


@pytest.mark.parametrize("outcome", ["ok", "Throttling", "dropped", "ok, answer lost"])
def test_whatever_came_of_a_write_it_is_told_with_its_times(outcome: str) -> None:
    writes = Writes(lambda _fact: None)
    writes.begin(call := a_call(TERMINATE, InstanceId=ONE))
    assert writes.told()[0].until == NEVER
    call.end(outcome)
    writes.slice()
    (told,) = writes.told()
    assert told.at <= told.until < NEVER
    assert (told.action, told.outcome) == (TERMINATE, outcome)


def test_a_writer_is_who_it_says_or_else_whose_key_it_used() -> None:
    named = a_call(TERMINATE, agent="Boto3/1.40 ec2-orchestrator/host:12:ab34")
    assert writer(named) == "host:12:ab34"
    assert writer(a_call(TERMINATE, agent="Boto3/1.40 ec2-orchestrator")) == "replica-1"
