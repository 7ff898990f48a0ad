"""A claim starts its own top-up at once, not at the next poll, whichever process runs the poller.

The contract says within a second; the tests allow more, because they may run on a busy machine.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.aws import SET_DESIRED, Aws
from tests.e2e.processes import Program, Service
from tests.waiting import until

GENEROUS = timedelta(seconds=5)
RARELY = {"ORCHESTRATOR_POLL_INTERVAL": "3600", "ORCHESTRATOR_LOG_FORMAT": "json"}


@contextmanager
def one_process(cloud: Aws, folder: Path) -> Iterator[Service]:
    with Service(folder / "registry.db", {**cloud.settings, **RARELY}) as service:
        yield service


@contextmanager
def two_processes(cloud: Aws, folder: Path) -> Iterator[Service]:
    settings = {**cloud.settings, **RARELY, "ORCHESTRATOR_DATABASE_URL": f"sqlite:///{folder}/registry.db"}
    with ExitStack() as ends:
        scheduler = ends.enter_context(Program("scheduler.py", settings=settings))
        service = ends.enter_context(
            Service(folder / "registry.db", {**settings, "ORCHESTRATOR_POLLER": "off"})
        )
        yield service
        assert scheduler.running, scheduler.said
        assert service.passes == []


def answered_at(service: Service, project: str) -> datetime:
    """When the claim was answered, by the service's own log."""
    found = until(
        lambda: [line for line in service.logs if line.get("path") == f"/{project}"],
        what=f"the request for {project} in the log",
    )
    return datetime.fromisoformat(found[0]["timestamp"])


def raised_at(cloud: Aws, size: int) -> datetime | None:
    """When AWS got the call that sets this size."""
    calls = [call for call in cloud.record(SET_DESIRED) if call["params"]["DesiredCapacity"] == str(size)]
    return datetime.fromisoformat(calls[0]["at"]) if calls else None


@pytest.mark.parametrize("installed", [one_process, two_processes])
def test_the_top_up_is_on_the_wire_soon_after_the_claim(
    installed: Callable[..., AbstractContextManager[Service]], tmp_path: Path
) -> None:
    with Aws(worker="none") as cloud, installed(cloud, tmp_path) as service:
        service.settled(idle=5)
        service.allocate("impatient")
        raised = until(lambda: raised_at(cloud, 6), what="SetDesiredCapacity to 6")
        assert raised - answered_at(service, "impatient") < GENEROUS
