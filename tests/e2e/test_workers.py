"""Two workers of one gunicorn, on SQLite: both serve, one leads, and when that is killed the other one does.

The story is told once; each test looks at one side of it. Without a leader the buffer is not filled up, so
that no more new projects ask than it has instances.
"""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from app.domain.history import GRAIN, Sample
from app.domain.model import DEFAULT_POOL
from app.domain.replicas import SeenReplica
from tests.e2e.aws import Aws
from tests.e2e.memory import replicas, samples
from tests.e2e.processes import DEADLINE, Service
from tests.waiting import until

BUFFER = 20
NEWCOMERS = 6
"""How many new projects ask while nobody leads; then they ask again."""
ELECTED_WITHIN = DEADLINE
"""Seconds; fifteen are promised, and the machine may be busy."""


@dataclass
class Story:
    """What was answered, by whom, and how it ended."""

    service: Service
    given: dict[str, set[str]] = field(default_factory=dict)
    """Every instance that each project was told."""
    servers: set[str] = field(default_factory=set)
    """The replicas that claims were answered by before the kill."""
    meanwhile: int = 0
    """How many claims were answered from the kill until somebody led."""
    there: list[SeenReplica] = field(default_factory=list)
    """Who had said before the kill that it is there."""
    killed: str = ""
    took: float = 0.0
    """Seconds from the kill until somebody led."""
    status: dict[str, Any] = field(default_factory=dict)
    """After the kill, once all is at rest again."""
    workers: set[str] = field(default_factory=set)
    """Who answered then."""
    exit_code: int = -1
    left: list[SeenReplica] = field(default_factory=list)
    """Who was still known after the end."""
    samples: list[Sample] = field(default_factory=list)
    """All that were taken."""

    def play(self) -> None:
        """Live through it, to the end of the service."""
        self.service.settled(idle=BUFFER)
        until(self._both_have_served, what="both workers to answer claims")
        self.service.settled(idle=BUFFER)
        until(lambda: samples(self.service), what="the first samples")
        until(lambda: len(replicas(self.service)) == len(self.servers), what="both to have said who they are")
        self.there = replicas(self.service)
        self._kill_the_leader()
        self.status = self.service.settled(idle=BUFFER)
        until(self._two_answer, within=DEADLINE, what="two workers to serve again")
        self.service.settled(idle=BUFFER)
        until(lambda: any(one.allocated for one in samples(self.service)), what="a sample since the claims")
        self.exit_code = self.service.terminate()
        self.left = replicas(self.service)
        self.samples = samples(self.service)

    def _both_have_served(self) -> bool:
        self.servers.add(self._claim(f"before-{len(self.servers)}")["replica"])
        return len(self.servers) == 2

    def _kill_the_leader(self) -> None:
        first = self.service.status()["leader"]
        self.killed = first["replica"]
        self.service.http.close()  # it may lead to the very worker
        begun = time.monotonic()
        os.kill(process(self.killed), signal.SIGKILL)

        def somebody_else_leads() -> bool:
            leader = self._claim(f"meanwhile-{self.meanwhile % NEWCOMERS}")["leader"]
            if leader is not None and leader["term"] > first["term"]:
                return True
            self.meanwhile += 1
            return False

        until(somebody_else_leads, within=ELECTED_WITHIN, what="another worker to lead")
        self.took = time.monotonic() - begun
        self.service.await_answer()

    def _two_answer(self) -> bool:
        self.workers.add(self._claim(f"after-{len(self.workers)}")["replica"])
        return len(self.workers) == 2

    def _claim(self, project: str) -> dict[str, Any]:
        """Claim over a connection of its own; what the worker at its end says of itself."""
        with httpx.Client(base_url=self.service.url, timeout=DEADLINE, trust_env=False) as http:
            answer = http.get(f"/{project}")
            assert answer.status_code == 200, answer.text
            self.given.setdefault(project, set()).add(answer.json()["machineId"])
            status: dict[str, Any] = http.get("/status").json()
            return status


def process(replica: str) -> int:
    """The process of HOST:PID:RANDOM."""
    return int(replica.split(":")[-2])


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with Aws(worker="none", desired=BUFFER) as cloud:
        settings = {**cloud.settings, "ORCHESTRATOR_BUFFER": str(BUFFER), "WEB_CONCURRENCY": "2"}
        with Service(tmp_path_factory.mktemp("workers") / "registry.db", settings) as service:
            service.start()
            story = Story(service)
            story.play()
            yield story


def test_claims_are_answered_by_both_workers(story: Story) -> None:
    assert len({process(server) for server in story.servers}) == 2
    assert story.killed in story.servers


def test_another_worker_leads_soon_after_a_kill(story: Story) -> None:
    print(f"another worker led after {story.took:.1f} s")  # noqa: T201 - a figure to see
    assert story.status["leader"]["replica"] in story.workers


def test_claims_are_answered_while_nobody_leads(story: Story) -> None:
    """Each of them, or the story would have ended."""
    assert story.meanwhile > NEWCOMERS


def test_the_killed_worker_is_replaced(story: Story) -> None:
    assert len({process(worker) for worker in story.workers}) == 2
    assert story.killed not in story.workers


def test_nobody_shares_an_instance_and_nobody_gets_two(story: Story) -> None:
    told = [machine for machines in story.given.values() for machine in machines]
    assert len(told) == len(set(told)) == len(story.given)
    used = {one["machineId"] for one in story.status["machines"] if one["isUsed"]}
    assert {next(iter(story.given[f"meanwhile-{number}"])) for number in range(NEWCOMERS)} <= used


def test_the_next_leader_fills_the_buffer_up(story: Story) -> None:
    assert story.status["idleMachines"] == BUFFER
    assert story.status["usedMachines"] >= NEWCOMERS


def test_each_worker_says_that_it_is_there(story: Story) -> None:
    assert {(one.name, one.serves, one.polls) for one in story.there} == {
        (server, True, True) for server in story.servers
    }


def test_who_ends_in_order_is_forgotten_and_who_is_killed_is_not_seen_again(story: Story) -> None:
    """Of those that end in order one may be left: the end waits a second for the database, and no longer."""
    (killed,) = (one for one in story.left if one.name == story.killed)

    assert len(story.left) < 1 + len(story.workers)
    assert killed.seen_at < max(sample.at for sample in story.samples) + GRAIN


def test_the_figures_of_the_pool_are_remembered(story: Story) -> None:
    assert {sample.pool for sample in story.samples} == {DEFAULT_POOL}
    assert {sample.buffer for sample in story.samples} == {BUFFER}
    assert max(sample.allocated for sample in story.samples) > 0


def test_sigterm_ends_both_without_a_complaint(story: Story) -> None:
    """The exit code was waited for together with the pipes that all processes hold."""
    assert story.exit_code == 0
    assert story.service.program.errors == []
    assert not [line for line in story.service.logs if line["event"].endswith(".crashed")]
