"""Metrics of real processes: two workers that count together, one of them killed; and a scheduler alone.

The story is told once; each test looks at one side of it.
"""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families as parsed
from psycopg.sql import SQL, Identifier

from tests.e2e.aws import Aws
from tests.e2e.processes import DEADLINE, HOST, Program, Service, a_free_port, listens
from tests.waiting import until

P = "ec2_orchestrator_"
BUFFER = 20
PROJECTS = 12
OF_TWO = 4
"""Files of counters where two workers count: theirs, that of all who are gone, and the master's, who counts
nothing."""
Sample = tuple[str, tuple[tuple[str, str], ...]]
"""The name of a sample, and its labels in order."""


def read(url: str) -> dict[Sample, float]:
    """What a scrape says, over a connection of its own: any worker may answer."""
    with httpx.Client(timeout=DEADLINE, trust_env=False) as http:
        answer = http.get(f"{url}/metrics")
    assert answer.status_code == 200, answer.text
    return {
        (one.name.removeprefix(P), tuple(sorted(one.labels.items()))): one.value
        for family in parsed(answer.text)
        for one in family.samples
    }


def total(found: dict[Sample, float], name: str, **labels: str) -> float:
    """The sum over all samples of this name that have these labels."""
    return sum(
        value for (one, has), value in found.items() if one == name and labels.items() <= dict(has).items()
    )


def counts(found: dict[Sample, float]) -> dict[Sample, float]:
    """What can only grow."""
    grows = ("_total", "_count", "_bucket", "_sum")
    return {sample: value for sample, value in found.items() if sample[0].endswith(grows)}


@dataclass
class Story:
    service: Service
    folder: Path
    """Where the workers count."""
    servers: set[str] = field(default_factory=set)
    """The workers that answered claims."""
    seen: list[dict[Sample, float]] = field(default_factory=list)
    """Scrapes one after the other, while nothing happened but they."""
    before: dict[Sample, float] = field(default_factory=dict)
    """The last scrape before a worker was killed."""
    after: dict[Sample, float] = field(default_factory=dict)
    """The first scrape after that one was gone."""
    leaders: set[float] = field(default_factory=set)
    """What the scrapes said of leadership from then on, until another worker led."""
    reloaded: dict[Sample, float] = field(default_factory=dict)
    """A scrape after every worker was replaced by a new one (HUP)."""
    files: list[str] = field(default_factory=list)
    exit_code: int = -1

    def play(self) -> None:
        self.service.settled(idle=BUFFER)
        for number in range(PROJECTS):
            self._claim(f"project-{number}")
        until(lambda: self._claim("project-0") and len(self.servers) == 2, what="both workers to serve")
        self.service.settled(idle=BUFFER)
        self.seen = [read(self.service.url) for _ in range(10)]
        self._kill_the_leader()
        self._reload()
        self.files = sorted(file.name for file in self.folder.glob("*.db"))
        self.exit_code = self.service.terminate()

    def _claim(self, project: str) -> bool:
        with httpx.Client(base_url=self.service.url, timeout=DEADLINE, trust_env=False) as http:
            assert http.get(f"/{project}").status_code == 200
            self.servers.add(http.get("/status").json()["replica"])
        return True

    def _kill_the_leader(self) -> None:
        leader = self.service.status()["leader"]["replica"]
        self.service.http.close()  # it may lead to the very worker
        self.before = read(self.service.url)
        process = leader.split(":")[-2]
        os.kill(int(process), signal.SIGKILL)
        until(lambda: not list(self.folder.glob(f"*_{process}.db")), what="the master to notice")
        self.after = read(self.service.url)

        def another_leads() -> bool:
            found = read(self.service.url)
            self.leaders.add(total(found, "leader"))
            return total(found, "leader") == 1

        self.leaders.add(total(self.after, "leader"))
        until(another_leads, within=DEADLINE, what="another worker to lead")
        self.service.await_answer()

    def _reload(self) -> None:
        until(lambda: len(self._counters()) == OF_TWO, within=DEADLINE, what="two workers to count again")
        old = self._counters()
        self.service.http.close()
        self.service.program.signal(signal.SIGHUP)

        def replaced() -> bool:
            now = self._counters()
            return len(old & now) == OF_TWO - 2 and len(now) == OF_TWO

        until(replaced, within=DEADLINE, what="two new workers, and the end of the old ones")
        self.service.await_answer()
        self.reloaded = read(self.service.url)

    def _counters(self) -> set[str]:
        return {file.name for file in self.folder.glob("counter_*.db")}


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("metrics")
    (folder / "counter_1.db").write_bytes(b"left by another version")
    with Aws(worker="none", desired=BUFFER) as cloud:
        settings = {
            **cloud.settings,
            "ORCHESTRATOR_BUFFER": str(BUFFER),
            "WEB_CONCURRENCY": "2",
            "PROMETHEUS_MULTIPROC_DIR": str(folder),
        }
        with Service(tmp_path_factory.mktemp("registry") / "registry.db", settings) as service:
            service.start()
            story = Story(service, folder)
            story.play()
            yield story


def test_both_workers_have_counted(story: Story) -> None:
    assert len(story.servers) == 2


def test_the_sum_is_right_whichever_worker_answers(story: Story) -> None:
    for found in story.seen:
        assert total(found, "allocations_total", outcome="warm") == PROJECTS
        assert total(found, "allocation_seconds_count", outcome="warm") == PROJECTS


def test_each_request_is_counted_once(story: Story) -> None:
    scrapes = [total(found, "http_requests_total", route="/metrics") for found in story.seen]

    assert scrapes == [scrapes[0] + number for number in range(10)]


def test_no_counter_ever_falls_from_one_scrape_to_the_next(story: Story) -> None:
    """Prometheus would take it for a new start, and count all of it once more."""
    scrapes = [counts(found) for found in (*story.seen, story.before, story.after, story.reloaded)]

    for earlier, later in pairwise(scrapes):
        assert [sample for sample, value in earlier.items() if later.get(sample, 0) < value] == []


def test_a_killed_worker_loses_no_count(story: Story) -> None:
    assert total(story.after, "allocations_total", outcome="warm") == PROJECTS
    assert total(story.after, "passes_total") >= total(story.before, "passes_total") > 0


def test_exactly_one_leads_and_none_just_after_the_kill(story: Story) -> None:
    assert {total(found, "leader") for found in story.seen} == {1}
    assert story.leaders == {0, 1}


def test_workers_that_were_replaced_still_count(story: Story) -> None:
    assert total(story.reloaded, "allocations_total", outcome="warm") == PROJECTS


def test_workers_that_are_gone_leave_one_file_of_each_kind(story: Story) -> None:
    kinds = [name.rpartition("_")[0] for name in story.files]

    assert kinds.count("counter") == OF_TWO
    assert "counter_gone.db" in story.files


def test_what_is_in_the_database_is_told_once(story: Story) -> None:
    found = story.seen[0]

    assert total(found, "instances", state="allocated") == PROJECTS
    assert total(found, "instances", state="idle") == BUFFER
    assert total(found, "buffer") == BUFFER
    assert total(found, "registry_up") == 1


def test_the_calls_of_aws_are_counted(story: Story) -> None:
    action = "autoscaling:DescribeAutoScalingGroups"

    assert total(story.before, "aws_calls_total", action=action, outcome="ok") > 0
    assert total(story.before, "aws_call_seconds_count", action=action) > 0


def test_the_end_is_without_a_complaint(story: Story) -> None:
    assert story.exit_code == 0
    assert story.service.program.errors == []
    assert not [line for line in story.service.logs if line["event"].endswith(".crashed")]


# The database away


def test_a_database_that_is_away_takes_no_count_with_it(
    tmp_path: Path, postgres_server: str, a_postgres_database: Callable[[], str]
) -> None:
    url = a_postgres_database()
    with Aws(worker="none", desired=2) as cloud:
        settings = {
            **cloud.settings,
            "ORCHESTRATOR_BUFFER": "2",
            "ORCHESTRATOR_DATABASE_URL": url,
            "ORCHESTRATOR_THREADS": "2",
        }
        with Service(tmp_path / "not-used.db", settings) as service:
            service.start()
            service.settled(idle=2)
            service.allocate("my-project")
            before = read(service.url)
            with psycopg.connect(postgres_server, autocommit=True) as connection:
                name = SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(url.rpartition("/")[2]))
                connection.execute(name)
            until(lambda: total(read(service.url), "registry_up") == 0, what="a scrape without a database")
            after = read(service.url)

    assert total(before, "registry_up") == 1
    assert total(after, "allocations_total", outcome="warm") == 1
    assert [sample for sample in after if sample[0] == "instances"] == []


# A scheduler alone


def test_a_scheduler_alone_serves_what_it_counts_and_adds_nothing_to_what_gunicorn_counts(
    tmp_path: Path,
) -> None:
    port, of_gunicorn = a_free_port(), tmp_path / "metrics"
    of_gunicorn.mkdir()
    with Aws(worker="none", desired=2) as cloud:
        settings = {
            **cloud.settings,
            "ORCHESTRATOR_BUFFER": "2",
            "ORCHESTRATOR_DATABASE_URL": f"sqlite:///{tmp_path}/registry.db",
            "ORCHESTRATOR_METRICS_BIND": f"{HOST}:{port}",
            "ORCHESTRATOR_LOG_FORMAT": "json",
            "PROMETHEUS_MULTIPROC_DIR": str(of_gunicorn),
        }
        with Program("scheduler.py", settings=settings) as scheduler:
            until(lambda: listens(port), within=DEADLINE, what=f"the scheduler to serve: {scheduler.said}")
            until(lambda: total(read(f"http://{HOST}:{port}"), "leader") == 1, within=DEADLINE)
            until(lambda: total(read(f"http://{HOST}:{port}"), "passes_total", outcome="finished") >= 1)
            assert total(read(f"http://{HOST}:{port}"), "build_info") == 1
            scheduler.signal(signal.SIGTERM)

            assert scheduler.exit_code() == 0
            assert scheduler.errors == []
    assert list(of_gunicorn.iterdir()) == []


def test_a_scheduler_that_cannot_serve_its_metrics_runs_its_passes_all_the_same(tmp_path: Path) -> None:
    with Aws(worker="none", desired=2) as cloud, socket.create_server((HOST, 0)) as theirs:
        bind = f"{HOST}:{theirs.getsockname()[1]}"
        settings = {
            **cloud.settings,
            "ORCHESTRATOR_BUFFER": "2",
            "ORCHESTRATOR_DATABASE_URL": f"sqlite:///{tmp_path}/registry.db",
            "ORCHESTRATOR_METRICS_BIND": bind,
            "ORCHESTRATOR_LOG_FORMAT": "json",
        }
        with Program("scheduler.py", settings=settings) as scheduler:

            def told(event: str) -> list[dict[str, Any]]:
                return [line for line in scheduler.logs if line["event"] == event]

            until(lambda: told("pass.finished"), within=DEADLINE, what="a pass")
            scheduler.signal(signal.SIGTERM)

            assert scheduler.exit_code() == 0
            assert [line["bind"] for line in told("metrics.unserved")] == [bind]
