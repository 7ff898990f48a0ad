"""Many ask at once: nobody shares, nobody gets two, and who gets none is told when to ask again."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import httpx
import pytest

from tests.e2e.aws import Aws
from tests.e2e.processes import DEADLINE, Service

INSTANCES = 100
PROJECTS = [f"racer-{number}" for number in range(200)]
THREADS = 16


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with 100 idle instances, and a group that may have no more."""
    with Aws(desired=INSTANCES, max_size=INSTANCES, worker="none") as cloud:
        database = tmp_path_factory.mktemp("crowded") / "registry.db"
        with Service(database, {**cloud.settings, "ORCHESTRATOR_BUFFER": str(INSTANCES)}) as service:
            service.start()
            service.settled(idle=INSTANCES, within=2 * DEADLINE)
            yield service


@pytest.fixture(scope="module")
def answers(crowded: Service) -> dict[str, list[httpx.Response]]:
    """What each project was told: once in the race, and once when it asked again, racing as well."""
    first, second = race(crowded.get), race(crowded.get)
    return {project: [first[project], second[project]] for project in PROJECTS}


def race(ask: Callable[[str], httpx.Response]) -> dict[str, httpx.Response]:
    start = Barrier(THREADS)

    def run(mine: list[str]) -> list[tuple[str, httpx.Response]]:
        start.wait(timeout=30)
        return [(project, ask(project)) for project in mine]

    with ThreadPoolExecutor(THREADS) as threads:
        shares = [PROJECTS[number::THREADS] for number in range(THREADS)]
        return dict(answer for share in threads.map(run, shares) for answer in share)


def machine(answer: httpx.Response) -> str:
    return str(answer.json()["machineId"])


def test_every_instance_goes_to_exactly_one_project(answers: dict[str, list[httpx.Response]]) -> None:
    given = [machine(first) for first, _ in answers.values() if first.status_code == 200]
    assert len(given) == len(set(given)) == INSTANCES


def test_who_gets_none_is_told_so_and_when_to_ask_again(answers: dict[str, list[httpx.Response]]) -> None:
    refused = [first for first, _ in answers.values() if first.status_code != 200]
    assert len(refused) == len(PROJECTS) - INSTANCES
    for answer in refused:
        assert answer.status_code == 503
        assert answer.json()["code"] == "pool-exhausted"
        assert int(answer.headers["Retry-After"]) > 0


def test_asking_again_gives_the_same_instance(answers: dict[str, list[httpx.Response]]) -> None:
    for first, second in answers.values():
        assert first.status_code == second.status_code
        if first.status_code == 200:
            assert first.json() == second.json()


def test_status_agrees_with_every_answer(crowded: Service, answers: dict[str, list[httpx.Response]]) -> None:
    given = {project: machine(first) for project, (first, _) in answers.items() if first.status_code == 200}
    assert crowded.holders() == given


def test_projects_that_race_for_themselves_get_one_instance_each(service: Service) -> None:
    start = Barrier(THREADS)

    def ask(number: int) -> str:
        start.wait(timeout=30)
        return service.allocate(f"impatient-{number % 4}")["machineId"]

    with ThreadPoolExecutor(THREADS) as threads:
        given = list(threads.map(ask, range(THREADS)))
    assert len(set(given)) == 4
